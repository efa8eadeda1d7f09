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
from tests.faults.figures import report
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
        size_bytes, grown_s, said_s = 0, time.monotonic(), 0.0
        for said in ("it goes on when there is room", "there is room again"):
            while said not in errors.read_text():
                assert process.poll() is None, errors.read_text()
                if (now_bytes := sum(path.stat().st_size for path in small_disk.glob("out*"))) != size_bytes:
                    size_bytes, grown_s = now_bytes, time.monotonic()
                time.sleep(0.01)
            said_s = said_s or time.monotonic() - grown_s
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
    lost = ledger["produced"] - ledger["dropped"] - lines
    figure = f"a small disk: {sum(kept)} of {ledger['recorded']} frames readable, the table lost {lost}"
    share = sum(kept) / ledger["recorded"]
    report(39, figure, line=">= 90 % of those written, other sinks lose 0", passed=share >= 0.9 and lost == 0)
    report(39, "said {:.1f} s after the last byte that fitted", said_s, line="<= 2 s", passed=said_s <= 2)
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
    flags = ([place], ["--record", place], *([f"--{name}", place] for name in ("jsonl", "csv", "coco", "mot")))
    runs = [streamer("0", *flag, "--no-show") for flag in flags]
    refused = sum(ended.code == 5 for ended in runs)
    untouched = (streamer.folder / "exists.mp4").read_text() == "mine" and streamer.opened == []
    figure = f"{case}: {refused} of {len(runs)} outputs refused with 5"
    report(40, figure, line="4/4, exit 5, before capture", passed=refused == len(runs) and untouched)
    for ended in runs:
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
    figure = f"{ledger.recorded} of 90 recorded, {len(numbers)} readable, {len(recorder.recorded_files)} files"
    report(41, figure, line="recorded == sent", passed=numbers == list(range(90)))
    assert ledger.recorded == 90
    assert numbers == list(range(90))


@pytest.mark.allow_error_logs
def test_row_42_a_missing_encoder_is_told_before_a_model_is_loaded(
    streamer: Streamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.sinks.encoders.ENCODERS", {"h264": ("ZZZZ",)})
    ended = streamer("test:", "out.mp4", "--no-show")
    clear = ended.code == 5 and "no ZZZZ encoder" in ended.errors[-1]
    report(42, f"exit {ended.code}, the encoder is named", line="falls back or clear error", passed=clear)
    assert ended.code == 5
    assert len(ended.errors) == 1
    assert "no ZZZZ encoder" in ended.errors[0]
    assert streamer.loaded == 0
    assert not Path("out.mp4").exists()


@pytest.mark.slow
def test_row_47_live_the_newest_wins_and_every_drop_is_counted() -> None:
    frames = 80
    slow, healthy = ListSink(on_write=slowly, name="slow"), ListSink(name="healthy")
    source = ScriptedSource(frames, live=True, interval_s=0.01, size_px=(1920, 1080))
    pipeline = Pipeline(source, FakeDetector(), [slow, healthy], draw=lambda frame, _seen: frame.image.copy())
    run = pipeline.run()
    dropped = run.sinks[0].dropped
    lane = pipeline._lanes[0].channel
    figure = f"live: {frames} = {slow.written} kept + {dropped} dropped, depth {lane.peak_depth} of {lane.capacity}"
    counted = slow.written + dropped == frames and lane.peak_depth <= lane.capacity
    report(47, figure, line="depth <= capacity, drops counted", passed=counted)
    assert healthy.indexes == list(range(frames))
    assert slow.written + dropped == frames
    assert dropped > 0
    assert slow.indexes == sorted(set(slow.indexes))
    waited = slow.indexes[-lane.peak_depth :]
    assert waited == list(range(frames - len(waited), frames))
    assert 0 < lane.peak_depth <= lane.capacity
    assert run.ledger.balanced
    assert not run.errors
    assert not run.abandoned


@pytest.mark.slow
def test_row_47_a_file_waits_for_its_slowest_sink() -> None:
    frames = 25
    source, ahead = ScriptedSource(frames), list[int]()

    def slowly_and_watch(number: int) -> None:
        slowly(number)
        ahead.append(source.produced - number)

    slow, healthy = ListSink(on_write=slowly_and_watch), ListSink()
    pipeline = Pipeline(source, FakeDetector(), [slow, healthy])
    run = pipeline.run()
    lane = pipeline._lanes[0].channel
    kept = slow.indexes == healthy.indexes == list(range(frames))
    figure = (
        f"file: {slow.written} of {frames}, read at most {max(ahead)} ahead, depth {lane.peak_depth} of {lane.capacity}"
    )
    report(47, figure, line="depth <= capacity, back-pressure", passed=kept and lane.peak_depth <= lane.capacity)
    assert kept
    assert [sink.dropped for sink in run.sinks] == [0, 0]
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
        took_s = time.monotonic() - began_s
    said = (tmp_path / "stderr.txt").read_text()
    ledger = json.loads(summary.read_text())["ledger"]
    figure = f"ended by the {ended_by}: {{:.1f}} s, exit {code}, {ledger['recorded']} of {ledger['produced']} recorded"
    whole = ledger["recorded"] == ledger["produced"]
    report(48, figure, took_s, line="exit <= 6.5 s, others unaffected", passed=took_s <= 6.5 and whole)
    assert "left behind" in said
    assert ledger["balanced"]
    assert readable_frames(video) == ledger["recorded"] == ledger["produced"] > 20
    assert said.splitlines()[-1].startswith(f"streamer: {ledger['produced']} produced")


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
    clear = done.returncode == code and "Traceback" not in done.stderr
    report(49, "no display: exit 5 with --show, else said and on", line="exit 5, message", passed=clear)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if "no window" in line]
    assert len(said) == (0 if flags == ["--no-show"] else 1)
    assert lines.exists() == (code == 0)
    if code == 0:
        assert lines.read_bytes().count(b"\n") == 20
