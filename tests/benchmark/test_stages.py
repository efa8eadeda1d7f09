"""What the spans of a run come to, stage by stage."""

from dataclasses import replace

import pytest

from streamer.benchmark.runs import StreamerRun
from streamer.benchmark.stages import STAGES, StageFigures, stage_figures
from streamer.trace import NO_FRAME
from tests.benchmark.made import MS, a_run, span, untold


def by_stage(*runs: StreamerRun) -> dict[str, StageFigures]:
    return {figures.stage: figures for figures in stage_figures(runs)}


def test_every_stage_has_its_row_also_one_that_did_nothing() -> None:
    found = by_stage(a_run())
    assert list(found) == [*STAGES, "rest"]
    assert found["view"] == StageFigures("view", 0, (), None)


def test_wall_time_is_that_of_a_frame() -> None:
    found = by_stage(a_run(), a_run())
    assert found["infer"].wall_ms == (14.0, 14.0, 14.0)
    assert found["infer"].frames == 120


def test_percentiles_are_of_frames_not_of_spans() -> None:
    two = (span("encode", 7, at_ms=0, wall_ms=1), span("encode", 7, at_ms=2, wall_ms=2))
    found = by_stage(replace(a_run(), spans=two))
    assert found["encode"].wall_ms == (3.0, 3.0, 3.0)
    assert found["encode"].frames == 1


def test_spans_of_no_frame_stand_alone() -> None:
    two = (span("capture", NO_FRAME, at_ms=0, wall_ms=1), span("capture", NO_FRAME, at_ms=2, wall_ms=3))
    assert by_stage(replace(a_run(), spans=two))["capture"].wall_ms == (1.0, 3.0, 3.0)


def test_the_threads_of_runtime_and_encoder_count_where_they_belong() -> None:
    found = by_stage(a_run())
    assert found["infer"].cpu_ms == pytest.approx(5 + 9)
    assert found["encode"].cpu_ms == pytest.approx(3 + 4)
    assert found["draw"].cpu_ms == pytest.approx(2)
    assert found["rest"].cpu_ms == pytest.approx(30 - (2 + 1 + 14 + 0.5 + 2 + 7 + 0.25))


def test_the_stages_and_the_rest_are_the_whole_process() -> None:
    assert sum(figures.cpu_ms or 0.0 for figures in by_stage(a_run()).values()) == pytest.approx(30)


def test_where_threads_are_not_told_apart_infer_has_what_is_left() -> None:
    found = by_stage(untold(a_run()))
    assert found["infer"].cpu_ms == pytest.approx(30 - (2 + 1 + 0.5 + 2 + 3 + 0.25))
    assert found["rest"].cpu_ms == 0.0


def test_a_run_without_spans_has_a_rest_alone() -> None:
    found = by_stage(replace(a_run(), spans=(), runtime_cpu_ns=0, encoder_cpu_ns=0))
    assert found["rest"].cpu_ms == pytest.approx(30)
    assert all(figures.cpu_ms is None for stage, figures in found.items() if stage != "rest")


def test_a_run_without_frames_has_no_figures() -> None:
    assert all(figures.cpu_ms is None for figures in stage_figures([replace(a_run(), frames=0, spans=(), cpu_ns=MS)]))
