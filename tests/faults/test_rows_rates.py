"""FAULTS 22 and 23: rates that are none, frames at any time, and files that come through a pipe."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.frame import Frame
from streamer.pipeline import Pipeline
from streamer.pyav import av
from streamer.sinks.recorder import Recorder
from streamer.sources import open_source
from tests.clips import MAX_FRAMES, number_of, write_clip
from tests.fakes import FakeDetector
from tests.faults.figures import report
from tests.sinks.scenes import decoded

MOST_OFF = 0.02

UNEVEN_S = [float(t) for t in np.cumsum([0, *np.random.default_rng(5).choice((0.02, 0.04, 0.11, 0.35), 39)])]
"""Times of frames, with steps of 20 to 350 ms."""


def write_steady(path: Path, *, fps: float) -> Path:
    """Frames at 1/fps: 1000 fps, as the time base of some containers has it, and one frame every two seconds."""
    return write_clip(path, frames=MAX_FRAMES, fps=fps)


HEADERS: dict[str, Callable[[Path], Path]] = {
    "vfr.mp4": lambda path: write_clip(path, times_s=UNEVEN_S),
    "vfr.mkv": lambda path: write_clip(path, times_s=UNEVEN_S),
    "vfr.ts": lambda path: write_clip(path, times_s=UNEVEN_S),
    "1000.mkv": lambda path: write_steady(path, fps=1000),
    "1000.mp4": lambda path: write_steady(path, fps=1000),
    "slow.mp4": lambda path: write_steady(path, fps=0.5),
    "ntsc.mp4": lambda path: write_steady(path, fps=30000 / 1001),
}


def packet_times_s(path: Path) -> list[float]:
    """When each picture is shown, by the container itself, since the first."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        times = sorted(p.pts * stream.time_base for p in container.demux(stream) if p.pts is not None)
    return [float(time - times[0]) for time in times]


def recorded_times_s(source_uri: str, out: Path) -> tuple[list[float], float | None]:
    """When each picture of a recording of the source is shown, and the rate that the source gives."""
    source = open_source(source_uri)
    fps = source.info.fps
    ledger = Pipeline(source, FakeDetector(), [Recorder(out, fps=fps)]).run().ledger
    assert ledger.balanced
    assert ledger.recorded == ledger.produced
    times = [frame.time for frame in decoded(out)]
    return [time for time in times if time is not None], fps


def off(times_s: list[float], wanted_s: list[float]) -> float:
    """By what part the time from the first frame to the last is wrong."""
    return abs((times_s[-1] - times_s[0]) / wanted_s[-1] - 1)


@pytest.mark.parametrize("name", HEADERS)
def test_row_22_a_recording_lasts_as_long_as_its_file(tmp_path: Path, name: str) -> None:
    clip = HEADERS[name](tmp_path / name)
    wanted_s = packet_times_s(clip)
    times_s, fps = recorded_times_s(str(clip), tmp_path / "out.mp4")
    wrong = off(times_s, wanted_s)
    print(f"{name}: {times_s[-1]:.3f} s of {wanted_s[-1]:.3f} s, fps {fps}")
    believable = fps is None or 1 <= fps <= 240
    report(22, "files: {:.2f} % off", 100 * wrong, line="< 2 %", passed=wrong < MOST_OFF and believable)
    assert len(times_s) == len(wanted_s) == MAX_FRAMES
    assert believable
    assert wrong < MOST_OFF


@pytest.mark.parametrize("fps", [0.0, float("nan"), float("inf"), -30.0, 1000.0, 1e-9, 90_000.0])
def test_row_22_a_driver_that_says_a_rate_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fps: float
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", times_s=UNEVEN_S)
    real = cv2.VideoCapture

    class Lying:
        def __init__(self, *arguments: object) -> None:
            self._real = real(*arguments)

        def get(self, prop: int) -> float:
            return fps if prop == cv2.CAP_PROP_FPS else float(self._real.get(prop))

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    monkeypatch.setattr(cv2, "VideoCapture", Lying)
    times_s, known = recorded_times_s(str(clip), tmp_path / "out.mp4")
    wrong = off(times_s, UNEVEN_S)
    report(22, "drivers that lie: {:.2f} % off", 100 * wrong, line="< 2 %", passed=wrong < MOST_OFF)
    assert known is None
    assert len(times_s) == len(UNEVEN_S)
    assert wrong < MOST_OFF


PIPED = ("clip.ts", "clip.mkv", "clip.webm", "clip.avi", "clip.flv", "clip.nut", "clip.mpg")
CODECS = {".webm": "libvpx", ".avi": "mpeg4", ".flv": "flv", ".mpg": "mpeg2video"}


def seen(frames: list[Frame]) -> list[tuple[int, int, float]]:
    return [(frame.index, number_of(frame.image), round(frame.pts_s or 0.0, 3)) for frame in frames]


@pytest.mark.parametrize("name", PIPED)
def test_row_23_what_comes_through_a_named_pipe_is_what_is_in_the_file(tmp_path: Path, name: str) -> None:
    clip = write_clip(tmp_path / name, frames=30, fps=25, codec=CODECS.get(Path(name).suffix, "libx264"))
    source = open_source(str(clip))
    wanted = list(source.frames())
    pipe = tmp_path / f"pipe-{name}"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()))
    writer.start()
    piped = open_source(str(pipe))
    assert not piped.live
    frames = list(piped.frames())
    writer.join()
    equal = sum(np.array_equal(a.image, b.image) for a, b in zip(wanted, frames, strict=False))
    figure = f"{equal} of {len(wanted)} frames equal, not live"
    passed = equal == len(wanted) == len(frames) and seen(frames) == seen(wanted)
    report(23, figure, line="frames equal", passed=passed)
    assert len(wanted) == 30
    assert seen(frames) == seen(wanted)
    assert equal == 30
