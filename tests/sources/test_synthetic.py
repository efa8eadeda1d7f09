import numpy as np
import pytest

from streamer.clock import NS_PER_S, FakeClock
from streamer.errors import SourceLost, SourceOpenError
from streamer.frame import Frame
from streamer.sources.synthetic import SyntheticSource, read_frame_number


def _frames(script: str, clock: FakeClock | None = None) -> list[Frame]:
    return list(SyntheticSource(f"size=160x120,{script}", clock=clock or FakeClock()).frames())


def _seconds(frames: list[Frame]) -> list[float]:
    return [round((frame.captured_ns - frames[0].captured_ns) / NS_PER_S, 3) for frame in frames]


def test_each_frame_carries_its_number() -> None:
    assert [read_frame_number(frame.image) for frame in _frames("frames=40")] == list(range(40))


def test_live_frames_come_when_they_are_due() -> None:
    frames = _frames("frames=4,fps=10")
    assert _seconds(frames) == [0.0, 0.1, 0.2, 0.3]
    assert [round(frame.pts_s or 0.0, 3) for frame in frames] == [0.0, 0.1, 0.2, 0.3]


def test_not_live_takes_no_time() -> None:
    frames = _frames("frames=4,fps=10,live=no")
    assert _seconds(frames) == [0.0] * 4
    assert [frame.pts_s for frame in frames] == [0.0, 0.1, 0.2, 0.3]


def test_a_stall_delays_all_that_follows() -> None:
    assert _seconds(_frames("frames=4,fps=10,stall@2=2s")) == [0.0, 0.1, 2.2, 2.3]
    assert _seconds(_frames("frames=3,stall@1=500ms,live=no")) == [0.0, 0.5, 0.5]


def test_a_burst_comes_at_once() -> None:
    assert _seconds(_frames("frames=6,fps=10,burst@1=3")) == [0.0, 0.1, 0.1, 0.1, 0.2, 0.3]


def test_the_end_comes_before_its_frame() -> None:
    assert len(_frames("end@7,frames=9")) == 7


def test_a_source_is_lost_where_the_script_says() -> None:
    source = SyntheticSource("raise@3,live=no")
    reading = source.frames()
    assert [next(reading).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(SourceLost, match="as the script says"):
        next(reading)
    assert source.produced == 3


def test_unusable_frames_are_counted_and_left_out() -> None:
    source = SyntheticSource("none@1,none@3,frames=5,live=no")
    assert [frame.index for frame in source.frames()] == [0, 2, 4]
    assert source.produced == 5


def test_another_size_is_another_epoch() -> None:
    frames = _frames("frames=4,resize@2=320x240")
    assert [(frame.size_px, frame.epoch) for frame in frames] == [((160, 120), 0)] * 2 + [((320, 240), 1)] * 2
    assert read_frame_number(frames[3].image) == 3


def test_black_frames_show_nothing() -> None:
    frames = _frames("frames=5,black@1=2")
    assert [bool(frame.image.any()) for frame in frames] == [True, False, False, True, True]


def test_frozen_frames_repeat_the_picture() -> None:
    frames = _frames("frames=6,freeze@2=3")
    assert [read_frame_number(frame.image) for frame in frames] == [0, 1, 2, 2, 2, 5]
    assert np.array_equal(frames[2].image, frames[4].image)


def test_what_is_known_is_told() -> None:
    info = SyntheticSource("frames=60,fps=20").info
    assert (info.size_px, info.fps, info.frame_count, info.duration_s) == ((640, 480), 20.0, 60, 3.0)
    assert SyntheticSource().info.frame_count is None


@pytest.mark.parametrize(
    "script",
    [
        *("colour=red", "size=big", "size=10x10", "fps=0", "fps=nan", "live=maybe", "stall@x=2s", "stall@1"),
        *("explode@3", "end@3=1", "frames=-1", "black@1", "resize@2=1", "stall@1=2h", "nonsense"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_allowed(script: str) -> None:
    with pytest.raises(SourceOpenError, match="allowed: size=640x480") as caught:
        SyntheticSource(f"fps=30,{script}")
    assert script in str(caught.value)
