"""FAULTS 40-42 and 47-49: outputs that cannot be had, are slow, or never answer, as the whole program meets them.

What each part does of its own is shown in tests/sinks; 43, 44 and 46 are in tests/e2e/test_signals.py.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from streamer.pipeline import Pipeline
from streamer.sinks.recorder import Recorder
from streamer.sources.synthetic import SyntheticSource, read_frame_number
from tests.e2e.test_signals import readable_frames
from tests.fakes import FakeDetector
from tests.faults.conftest import Streamer
from tests.rooms import ListSink, ScriptedSource
from tests.sinks.scenes import decoded
from tests.xvfb import ROOT, environment

SLOW_S = 0.2
PIPE_BYTES = 4096


def slowly(_number: int) -> None:
    """Take as long as a disk that cannot keep up."""
    threading.Event().wait(SLOW_S)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 230 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=230m", "tmpfs", str(place)]
    if os.name == "nt" or os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs to mount a disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_row_39_on_a_full_disk_the_rest_goes_on_and_the_recording_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 300_000))
    command = [sys.executable, "-m", "tests.e2e.child", "run", "test:size=640x480,fps=30", str(small_disk / "out.mp4")]
    command += ["--crf", "0", "--jsonl", str(tmp_path / "o.jsonl"), "--summary", str(tmp_path / "o.json"), "--no-show"]
    errors = tmp_path / "stderr"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT)
    try:
        for said in ("it goes on when there is room", "there is room again"):
            while said not in errors.read_text():
                assert process.poll() is None, errors.read_text()
                time.sleep(0.01)
            filler.unlink(missing_ok=True)
        frames = (tmp_path / "o.jsonl").read_bytes().count(b"\n")
        while (tmp_path / "o.jsonl").read_bytes().count(b"\n") < frames + 30:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    ledger = json.loads((tmp_path / "o.json").read_text())["ledger"]
    lines = (tmp_path / "o.jsonl").read_bytes().count(b"\n")
    kept = [len(decoded(path)) for path in sorted(small_disk.glob("out*.mp4"), key=lambda path: path.stat().st_mtime)]
    print(f"row 39: {ledger['recorded']} of {lines} frames recorded, {kept} readable, the table has every line")
    assert process.returncode == 130
    assert lines == ledger["produced"] - ledger["dropped"]
    assert len(kept) == 2
    assert sum(kept) >= 0.9 * ledger["recorded"]
    assert "frames are not recorded: the disk was full" in errors.read_text()


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("case", ["missing folder", "read-only", "below a file", "exists"])
def test_row_40_a_place_that_cannot_be_written_is_told_before_a_camera_is_opened(case: str, streamer: Streamer) -> None:
    (streamer.folder / "file").write_text("mine")
    (streamer.folder / "exists.mp4").write_text("mine")
    place = {
        "missing folder": "nowhere/out.mp4",
        "read-only": "/sys/out.mp4",
        "below a file": "file/out.mp4",
        "exists": "exists.mp4",
    }[case]
    if case == "read-only" and not Path("/sys/kernel").is_dir():
        pytest.skip("needs sysfs")
    for flag in ([place], ["--record", place], *([f"--{name}", place] for name in ("jsonl", "csv", "coco", "mot"))):
        ended = streamer("0", *flag, "--no-show")
        assert ended.code == 5
        assert len(ended.errors) == 1
        assert place in ended.errors[0]
    assert streamer.opened == []
    assert streamer.loaded == 0
    assert (streamer.folder / "exists.mp4").read_text() == (streamer.folder / "file").read_text() == "mine"


def test_row_41_frames_of_another_size_are_all_recorded(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.mp4", fps=30)
    source = SyntheticSource("frames=90,live=no,size=320x240,resize@30=160x120,resize@60=321x241")
    ledger = Pipeline(source, FakeDetector(), [recorder]).run().ledger
    numbers = [
        read_frame_number(frame.to_ndarray(format="bgr24").astype(np.uint8))
        for path in recorder.recorded_files
        for frame in decoded(path)
    ]
    print(f"row 41: {ledger.recorded} of 90 recorded, {len(numbers)} readable, {len(recorder.recorded_files)} files")
    assert ledger.recorded == 90
    assert numbers == list(range(90))


@pytest.mark.allow_error_logs
def test_row_42_a_missing_encoder_is_told_before_a_model_is_loaded(
    streamer: Streamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.sinks.encoders.ENCODERS", {"h264": ("ZZZZ",)})
    ended = streamer("test:", "out.mp4", "--no-show")
    assert ended.code == 5
    assert len(ended.errors) == 1
    assert "no ZZZZ encoder" in ended.errors[0]
    assert streamer.loaded == 0
    assert not Path("out.mp4").exists()


@pytest.mark.slow
def test_row_47_live_the_newest_wins_and_every_drop_is_counted() -> None:
    frames = 150
    slow, healthy = ListSink(on_write=slowly, name="slow"), ListSink(name="healthy")
    source = ScriptedSource(frames, live=True, interval_s=0.01, size_px=(1920, 1080))
    pipeline = Pipeline(source, FakeDetector(), [slow, healthy], draw=lambda frame, _seen: frame.image.copy())
    report = pipeline.run()
    dropped = report.sinks[0].dropped
    lane = pipeline._lanes[0].channel
    print(
        f"row 47: live: {frames} = {slow.written} kept + {dropped} dropped, peak {lane.peak_depth} of {lane.capacity}"
    )
    assert healthy.indexes == list(range(frames))
    assert slow.written + dropped == frames
    assert dropped > 0
    assert slow.indexes == sorted(set(slow.indexes))
    waited = slow.indexes[-lane.peak_depth :]
    assert waited == list(range(frames - len(waited), frames))
    assert 0 < lane.peak_depth <= lane.capacity
    assert report.ledger.balanced
    assert not report.errors
    assert not report.abandoned


@pytest.mark.slow
def test_row_47_a_file_waits_for_its_slowest_sink() -> None:
    source, ahead = ScriptedSource(40), list[int]()

    def slowly_and_watch(number: int) -> None:
        slowly(number)
        ahead.append(source.produced - number)

    slow, healthy = ListSink(on_write=slowly_and_watch), ListSink()
    pipeline = Pipeline(source, FakeDetector(), [slow, healthy])
    report = pipeline.run()
    lane = pipeline._lanes[0].channel
    print(
        f"row 47: file: 40 of 40 in order, read at most {max(ahead)} ahead, peak {lane.peak_depth} of {lane.capacity}"
    )
    assert slow.indexes == healthy.indexes == list(range(40))
    assert [sink.dropped for sink in report.sinks] == [0, 0]
    assert lane.peak_depth <= lane.capacity
    assert max(ahead) < 20


@contextmanager
def unread_pipe(path: Path) -> Iterator[Path]:
    """A pipe that somebody has opened to read from, and never does."""
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if sys.platform.startswith("linux"):
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        yield path
    finally:
        os.close(reader)


@contextmanager
def child(folder: Path, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """`streamer run` with a fake detector, its stderr in `stderr.txt`; killed if it outlives the block."""
    command = [sys.executable, "-m", "tests.e2e.child", "run", *map(str, arguments)]
    with (folder / "stderr.txt").open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(None), stderr=errors)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("ended_by", "code"), [("signal", 130), ("stream", 5)])
def test_row_48_a_sink_that_never_answers_is_left_behind(tmp_path: Path, ended_by: str, code: int) -> None:
    video, summary = tmp_path / "out.mp4", tmp_path / "run.json"
    source = "test:size=320x240,fps=60" + ("" if ended_by == "signal" else ",frames=120")
    with (
        unread_pipe(tmp_path / "pipe.jsonl") as pipe,
        child(tmp_path, source, video, "--jsonl", pipe, "--summary", summary, "--no-show") as process,
    ):
        while b"has not moved" not in (tmp_path / "stderr.txt").read_bytes() and process.poll() is None:
            threading.Event().wait(0.01)
        began_s = time.monotonic()
        if ended_by == "signal":
            process.send_signal(signal.SIGINT)
        assert process.wait(40) == code, (tmp_path / "stderr.txt").read_text()
    said = (tmp_path / "stderr.txt").read_text()
    report = json.loads(summary.read_text())
    print(f"row 48: ended by the {ended_by}: {time.monotonic() - began_s:.2f} s, exit {code}")
    assert "left behind" in said
    assert report["ledger"]["balanced"]
    assert readable_frames(video) == report["ledger"]["recorded"] == report["ledger"]["produced"] > 20
    assert said.splitlines()[-1].startswith(f"streamer: {report['ledger']['produced']} produced")


@pytest.mark.parametrize("display", [None, ":99999"])
@pytest.mark.parametrize(("flags", "code"), [(["--show"], 5), ([], 0), (["--no-show"], 0)])
def test_row_49_without_a_display_only_an_explicit_wish_for_one_is_an_error(
    tmp_path: Path, display: str | None, flags: list[str], code: int
) -> None:
    lines = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "tests.e2e.child", "run", "test:frames=20,live=no", "--jsonl", str(lines), *flags]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(display), capture_output=True, text=True, timeout=40, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if "no window" in line]
    assert len(said) == (0 if flags == ["--no-show"] else 1)
    assert lines.exists() == (code == 0)
    if code == 0:
        assert lines.read_bytes().count(b"\n") == 20
