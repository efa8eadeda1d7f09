import logging
import math

import pytest

from streamer.sources.timeline import Timeline


def test_times_count_from_the_first_frame() -> None:
    timeline = Timeline(name="a", fps=10.0)
    assert [timeline.place(position) for position in (1.5, 1.625, 2.0)] == [0.0, 0.125, 0.5]
    assert timeline.origin_s == 1.5


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf, 0.0, 0.25, 1e12])
def test_a_timestamp_that_cannot_be_is_put_one_frame_on(nonsense: float, caplog: pytest.LogCaptureFixture) -> None:
    timeline = Timeline(name="a", fps=10.0)
    assert [timeline.place(position) for position in (0.0, 0.25, nonsense, nonsense, 1.0)] == pytest.approx(
        [0.0, 0.25, 0.35, 0.45, 1.0]
    )
    (record,) = caplog.records
    assert record.levelno == logging.WARNING


@pytest.mark.parametrize("first", [math.nan, math.inf, 1e12])
def test_a_first_timestamp_that_cannot_be_is_zero(first: float) -> None:
    timeline = Timeline(name="a", fps=None)
    assert [timeline.place(position) for position in (first, 0.5)] == [0.0, 0.5]


def test_a_jump_is_believed() -> None:
    timeline = Timeline(name="a", fps=10.0)
    timeline.place(1.0)
    timeline.place(5.0)
    assert timeline.jump(3.0) == 2.0
    assert timeline.place(3.5) == 2.5
