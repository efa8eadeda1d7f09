"""FAULTS 39, 41, 42, 44, 45: what a recording is worth after a kill, on a full disk, and at every moment between."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.errors import SinkError
from streamer.sinks import recorder as recorder_module
from streamer.sinks.outfile import OutFile
from streamer.sinks.recorder import Recorder
from tests.faults.figures import report
from tests.sinks.scenes import SCENES, Scene, decoded, grey, result, results

LOST_S = 1.0
"""The last second may be missing, and no more."""


def child(
    path: Path, scene: Scene, fps: int, *, frames: int, limit_bytes: int | None = None
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.faults.recording_child", str(path), scene, str(fps), str(frames)]
    command += [] if limit_bytes is None else [str(limit_bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])


def killed_at(path: Path, scene: Scene, fps: int, *, frame: int) -> int:
    """Record, kill -9 once `frame` frames are handed in, and say how many were in the end."""
    process = child(path, scene, fps, frames=100_000)
    assert process.stdout is not None
    with process, process.stdout as written:
        handed_in = len(written.read(frame))
        process.send_signal(signal.SIGKILL)
        handed_in += len(written.read())
    assert process.returncode == -signal.SIGKILL
    return handed_in


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(("fps", "frame"), [(5, 37), (30, 137)])
def test_kill_9_costs_the_last_second_at_most(tmp_path: Path, scene: Scene, fps: int, frame: int) -> None:
    handed_in = killed_at(tmp_path / "out.mp4", scene, fps, frame=frame)
    readable = decoded(tmp_path / "out.part.mp4")
    assert not (tmp_path / "out.mp4").exists()
    assert frame <= handed_in
    lost_s = max(0.0, (handed_in - len(readable)) / fps)
    report(44, f"{scene}: {{:.2f}} s lost", lost_s, line="readable >= frames - 1.5 s", passed=lost_s <= 1.5)
    assert len(readable) >= handed_in - LOST_S * fps
    assert [read.time for read in readable] == pytest.approx([i / fps for i in range(len(readable))], abs=1e-4)


class Diary(OutFile):
    """A file that notes every write, and what was handed in by then; it can be made to run out of room at one."""

    handed_in = 0
    full_at: int | None = None
    writes: list[tuple[int, int, bytes]]

    def _put(self, offset: int, data: bytes) -> None:
        if len(type(self).writes) == self.full_at:
            self.freeze()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        type(self).writes.append((type(self).handed_in, offset, bytes(data)))
        super()._put(offset, data)


def record(path: Path, scene: Scene, fps: float, *, frames: int) -> Recorder:
    Diary.writes, Diary.handed_in = [], 0
    recorder = Recorder(path, fps=fps)
    for one in results(frames, fps=fps, scene=scene):
        recorder.write(one)
        Diary.handed_in += 1
    recorder.close()
    return recorder


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> type[Diary]:
    monkeypatch.setattr(recorder_module, "OutFile", Diary)
    monkeypatch.setattr(Diary, "full_at", None)
    return Diary


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(("fps", "frames"), [(5, 25), (12, 40), (30, 90)])
def test_between_any_two_writes_all_but_the_last_second_is_readable(
    tmp_path: Path, diary: type[Diary], scene: Scene, fps: int, frames: int
) -> None:
    record(tmp_path / "out.mp4", scene, fps, frames=frames)
    data = bytearray()
    for handed_in, offset, written in diary.writes:
        assert len(decoded(bytes(data))) >= handed_in - LOST_S * fps, f"{handed_in} frames, {len(data)} bytes"
        data[offset : offset + len(written)] = written
    assert bytes(data) == (tmp_path / "out.mp4").read_bytes()
    assert len(decoded(bytes(data))) == frames


@pytest.mark.parametrize("fps", [0.5, 1, 2])
def test_of_slow_frames_two_are_lost_at_most(tmp_path: Path, diary: type[Diary], fps: float) -> None:
    record(tmp_path / "out.mp4", "quiet", fps, frames=8)
    data = bytearray()
    for handed_in, offset, written in diary.writes:
        assert len(decoded(bytes(data))) >= handed_in - 2
        data[offset : offset + len(written)] = written


def test_a_disk_that_is_full_at_any_write_costs_the_last_second_at_most(
    tmp_path: Path, diary: type[Diary], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path / "whole.mp4", "quiet", 10, frames=25)
    for number, (handed_in, _, _) in enumerate(list(diary.writes)):
        monkeypatch.setattr(diary, "full_at", number)
        path = tmp_path / f"full-{number}.mp4"
        with pytest.raises(SinkError, match=r"the disk is full; (all but the last moments|nothing is in it)"):
            record(path, "quiet", 10, frames=25)
        assert len(decoded(path) if path.exists() else []) >= handed_in - LOST_S * 10


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize("limit_bytes", [1_000_000, 1_000_001, 1_003_333, 1_234_567])
def test_a_full_disk_keeps_nine_of_ten_frames(tmp_path: Path, limit_bytes: int) -> None:
    process = child(tmp_path / "out.mp4", "noisy", 30, frames=2000, limit_bytes=limit_bytes)
    output, _ = process.communicate(timeout=50)
    dots, said = output.decode().split("\n", 1)
    assert "the disk is full" in said
    assert process.returncode == 0
    assert 100 < len(dots) < 2000
    kept = len(decoded(tmp_path / "out.mp4"))
    figure = "a limit of the file's size: {:.0f} % of the frames kept"
    report(39, figure, 100 * kept / len(dots), line=">= 90 % of those written", passed=kept >= 0.9 * len(dots))
    assert kept >= 0.9 * len(dots)


def test_frames_of_another_size_are_all_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.mp4", fps=10)
    for index in range(40):
        size_px = (160, 120) if index // 10 % 2 == 0 else (80, 60)
        recorder.write(result(grey(index, size_px=size_px), index, pts_s=index / 10, epoch=index // 10))
    recorder.close()
    kept = [len(decoded(path)) for path in recorder.recorded_files]
    report(41, f"{sum(kept)} of 40 readable, {len(kept)} files", line="recorded == sent", passed=sum(kept) == 40)
    assert kept == [10, 10, 10, 10]
