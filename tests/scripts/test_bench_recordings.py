"""The scripts that measure recordings of live streams and killed ones: what they say of files that are known."""

import importlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from streamer.clock import NS_PER_S
from streamer.pyav import VideoFrame, av
from streamer.sources.pattern import Pattern

BENCH = Path(__file__).parents[2] / "scripts" / "bench"
FPS = 20.0


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("kills")


@pytest.fixture
def live_truth(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("live_truth")


def recorded(path: Path, frames: dict[int, float]) -> Path:
    """A video of the pattern's frames of these numbers, each at its time in seconds."""
    pattern = Pattern((320, 240), fps=FPS)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=20, options={"preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_s in frames.items():
            frame = VideoFrame.from_ndarray(pattern.draw(number), format="bgr24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def captured_ns(times_s: list[float]) -> list[int]:
    return [7 * NS_PER_S + round(time_s * NS_PER_S) for time_s in times_s]


TIMES_S = [0.0, 0.05, 0.1, 3.1, 3.2, 3.3]


def test_a_recording_with_its_frames_at_their_times_is_true(live_truth: ModuleType, tmp_path: Path) -> None:
    video = recorded(tmp_path / "out.mp4", dict(enumerate(TIMES_S)))
    truth = live_truth.compare(video, captured_ns(TIMES_S), fps=FPS)
    assert (truth.captured, truth.readable, truth.lost, truth.unread) == (6, 6, 0, 0)
    assert truth.worst_ms < 0.1
    assert truth.clock_s == pytest.approx(3.4)
    assert truth.constant_s == pytest.approx(0.3)


def test_a_recording_at_a_constant_rate_is_found_out(live_truth: ModuleType, tmp_path: Path) -> None:
    video = recorded(tmp_path / "out.mp4", {number: number / FPS for number in range(6)})
    truth = live_truth.compare(video, captured_ns(TIMES_S), fps=FPS)
    assert truth.worst_ms == pytest.approx(3050, abs=1)
    assert truth.file_s < 0.5 < truth.clock_s


def test_frames_that_are_missing_are_counted_and_shift_no_other(live_truth: ModuleType, tmp_path: Path) -> None:
    video = recorded(tmp_path / "out.mp4", {0: 0.0, 1: 0.05, 4: 3.2, 5: 3.3})
    truth = live_truth.compare(video, captured_ns(TIMES_S), fps=FPS)
    assert (truth.readable, truth.lost) == (4, 2)
    assert truth.worst_ms < 0.1


def test_a_bad_webcam_comes_in_order_and_pauses(live_truth: ModuleType) -> None:
    due_s = live_truth._due(live_truth.random.Random(0), scale=1.0)
    gaps_s = [later - sooner for sooner, later in pairwise(due_s)]
    assert len(due_s) == 330
    assert min(gaps_s) > 0
    assert sum(gap_s > 2.9 for gap_s in gaps_s) == 1


def test_what_was_lost_is_told_from_what_was_dropped(kills: ModuleType) -> None:
    facts = {"ending": ".mp4", "scene": "quiet", "after_s": 1.0, "off_ms": 0.0}
    whole = kills.Kill(opened=True, captured=40, readable=30, dropped=4, lost_s=0.2, **facts)
    nothing = kills.Kill(opened=False, captured=40, readable=0, dropped=0, lost_s=1.9, **facts)
    assert (whole.lost, nothing.lost) == (6, 40)
    said = kills.summary([whole, nothing])
    assert "1 of 2 open" in said
    assert "worst 40" in said
    assert "worst 1.90" in said
    assert "dropped 4" in said


def test_what_cannot_be_read_is_no_frame(kills: ModuleType, tmp_path: Path) -> None:
    video = recorded(tmp_path / "out.mp4", dict(enumerate(TIMES_S)))
    assert kills._readable(video).tolist() == pytest.approx(TIMES_S)
    video.write_bytes(video.read_bytes()[:-300])  # its index is at its end
    assert kills._readable(video).size == 0


@pytest.mark.parametrize("scene", ["noisy", "static"])
def test_a_child_is_killed_and_what_it_left_is_counted(kills: ModuleType, tmp_path: Path, scene: str) -> None:
    one = kills.kill(tmp_path, ending=".mp4", scene=scene, after_s=0.2, source="test:size=160x120,fps=60")
    assert one.captured > 0
    assert one.readable + one.dropped + one.lost == one.captured
    assert one.off_ms < 2
