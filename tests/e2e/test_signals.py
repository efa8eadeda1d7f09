"""FAULTS 35, 43, 44, 46: what a recording is worth after Ctrl-C, a polite request to end, and a killing."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamer.pyav import av
from tests.faults.figures import report

SIGNALLED_AT = 137

ECHO_S = 0.15
"""A signal within 0.1 s of the first is taken for its echo."""


class Run:
    """A child that records the test pattern, live at 30 frames a second, and tells its frames in a JSONL file."""

    def __init__(self, folder: Path, *, before: tuple[str, ...] = (), source: str = "test:size=320x240") -> None:
        self.video, self.part = folder / "out.mp4", folder / "out.part.mp4"
        self.lines = folder / "out.jsonl"
        self.summary = folder / "out.json"
        self.errors = folder / "stderr.txt"
        command = [sys.executable, "-m", "tests.e2e.child", *before, "run", source, str(self.video)]
        command += ["--jsonl", str(self.lines), "--summary", str(self.summary), "--no-show"]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def wait_for_frames(self, count: int) -> None:
        while not self.lines.exists() or self.lines.read_bytes().count(b"\n") < count:
            assert self.process.poll() is None, self.errors.read_text()
            time.sleep(0.01)

    def end(self, *, timeout_s: float) -> tuple[int, float]:
        """The exit code, and how long it took from now."""
        began = time.monotonic()
        code = self.process.wait(timeout_s)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == b""
        return code, time.monotonic() - began


def readable_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_row_43_the_first_signal_drains_and_finalises(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with Run(tmp_path) as run:
        run.wait_for_frames(SIGNALLED_AT)
        run.process.send_signal(number)
        ended, took_s = run.end(timeout_s=20)
    assert ended == code
    summary = json.loads(run.summary.read_text())
    ledger = summary["ledger"]
    assert ledger["balanced"]
    assert ledger["in_flight"] == 0
    assert ledger["recorded"] >= SIGNALLED_AT
    readable = readable_frames(run.video)
    figure = f"{signal.Signals(number).name} at frame {SIGNALLED_AT}: all readable, exit {ended}, {{:.2f}} s"
    line = "readable == recorded, exit 130 or 143, <= 3 s"
    report(43, figure, took_s, line=line, passed=readable == ledger["recorded"] and took_s <= 3)
    assert readable == ledger["recorded"] == ledger["produced"]
    assert run.lines.read_bytes().count(b"\n") == ledger["recorded"]
    assert f"{ledger['produced']} produced" in run.errors.read_text().splitlines()[-1]


def test_row_44_a_killing_loses_at_most_the_last_second(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.wait_for_frames(SIGNALLED_AT)
        run.process.kill()
        run.end(timeout_s=20)
    told = run.lines.read_bytes().count(b"\n")
    lost_s = max(0.0, (told - readable_frames(run.part)) / 30)
    report(44, "the whole program: {:.2f} s lost", lost_s, line="readable >= frames - 1.5 s", passed=lost_s <= 1.5)
    assert lost_s <= 1.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_row_46_the_second_signal_leaves_at_once(tmp_path: Path, number: signal.Signals) -> None:
    with Run(tmp_path, before=("--hang-at", "5")) as run:
        run.wait_for_frames(20)
        run.process.send_signal(number)
        while "stopping" not in run.errors.read_text() and "has not moved" not in run.errors.read_text():
            time.sleep(0.01)
        time.sleep(ECHO_S)
        began_s = time.monotonic()
        run.process.send_signal(number)
        code, _ = run.end(timeout_s=20)
        took_s = time.monotonic() - began_s
    assert code == 128 + number
    report(46, "left {:.0f} ms after the second signal", took_s * 1000, line="<= 0.5 s", passed=took_s <= 0.5)
    assert readable_frames(run.video if run.video.exists() else run.part) > 0


def test_row_35_a_detector_that_hangs_is_said_and_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with Run(tmp_path, before=("--hang-at", "5")) as run:
        while "inference has not moved" not in run.errors.read_text():
            time.sleep(0.01)
        run.process.send_signal(signal.SIGINT)
        code, took_s = run.end(timeout_s=30)
    assert code == 130
    report(35, "quit {:.1f} s after Ctrl-C", took_s, line="quit <= 6 s", passed=took_s <= 6)
    ledger = json.loads(run.summary.read_text())["ledger"]
    assert ledger["balanced"]
    assert ledger["in_flight"] == 1
    assert readable_frames(run.video) == ledger["recorded"]
