"""FAULTS 53: the clock on the wall jumps by an hour, there and back; what is counted and timed does not notice."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.test_signals import readable_frames
from tests.faults.figures import report
from tests.sinks.scenes import decoded
from tests.xvfb import ROOT

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="needs libfaketime (apt-get install faketime)")

FPS = 30.0
EACH = 60
"""Frames between one jump and the next."""

JUMPS = ("+0", "+3600", "+0", "-3600")
"""What the wall clock is off by, seconds, one after another."""


class Wall:
    """A child's wall clock, whose monotonic one goes on as it is."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.set("+0")

    def set(self, off: str) -> None:
        written = self._file.with_suffix(".new")
        written.write_text(f"{off}\n", encoding="ascii")
        written.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@contextmanager
def child(folder: Path, wall: Wall, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "stderr.txt").open("wb") as errors:
        command = [sys.executable, "-m", "tests.e2e.child", "run", *arguments, "--no-show"]
        process = subprocess.Popen(command, cwd=ROOT, env=wall.environment, stderr=errors)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_for_lines(path: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    def written() -> int:
        try:
            return path.read_bytes().count(b"\n")
        except FileNotFoundError:  # outputs are tried, and taken away again, before the run
            return 0

    while written() < count:
        assert process.poll() is None, (path.parent / "stderr.txt").read_text(encoding="utf-8")
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_row_53_rates_durations_and_parts_do_not_follow_the_wall_clock(tmp_path: Path) -> None:
    wall, lines, videos = Wall(tmp_path), tmp_path / "out.jsonl", tmp_path / "videos"
    videos.mkdir()
    outputs = (str(videos / "out.mp4"), "--segment", "2", "--jsonl", str(lines), "--summary", str(tmp_path / "s.json"))
    with child(tmp_path, wall, f"test:size=320x240,fps={FPS:g}", *outputs) as process:
        for number, off in enumerate(JUMPS):
            wait_for_lines(lines, 1 + number * EACH, process)
            wall.set(off)
        wait_for_lines(lines, 1 + len(JUMPS) * EACH, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    said = (tmp_path / "stderr.txt").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    ledger = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["ledger"]
    times_s = [row["pts_s"] for row in rows]
    fps = (rows[-1]["index"] - rows[0]["index"]) / (times_s[-1] - times_s[0])
    parts = sorted(videos.iterdir(), key=lambda path: path.stat().st_mtime)
    frames = sum(map(readable_frames, parts))
    spans_s = [_span_s(part) for part in parts]
    off_fps = abs(fps / FPS - 1)
    off_s = abs(sum(spans_s) / (frames / FPS) - 1)
    figure = (
        f"{len(JUMPS) - 1} jumps of an hour: fps {fps:.2f} of {FPS:g} ({off_fps:.2%} off), {len(parts)} parts of "
        f"{max(spans_s):.2f} s at most, {sum(spans_s):.2f} s for {frames} frames ({off_s:.2%} off)"
    )
    passed = off_fps < 0.01 and off_s < 0.02 and frames == ledger["recorded"] and max(spans_s) < 3.1
    report(53, figure, line="fps error < 1 %", passed=passed)
    assert said.count("the wall clock was set by") >= len(JUMPS) - 1
    assert ledger["balanced"]
    assert frames == ledger["recorded"]
    assert all(later > earlier for earlier, later in pairwise(times_s))
    assert off_fps < 0.1
    assert off_s < 0.1
    assert max(spans_s) < 20
    hours = {int(re.findall(r"T(\d\d)", part.name)[0]) for part in parts}
    assert len(hours) > 1  # the names do follow it


def _span_s(part: Path) -> float:
    times = [float(frame.time) for frame in decoded(part) if frame.time is not None]
    return times[-1] - times[0] + 1 / FPS


@pytest.mark.timeout(60)
def test_row_53_a_timeout_takes_as_long_as_it_says(tmp_path: Path) -> None:
    wall = Wall(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with child(tmp_path, wall, uri, "--open-timeout", "3", "--summary", str(tmp_path / "s.json")) as process:
            connection, _ = server.accept()
            began_s = time.monotonic()
            for off in ("+3600", "-3600"):
                time.sleep(0.5)  # it is the time that is measured
                wall.set(off)
            with connection:
                connection.settimeout(40)
                assert connection.recv(1) == b""  # given up
            took_s = time.monotonic() - began_s
            code = process.wait(40)
    said = (tmp_path / "stderr.txt").read_text(encoding="utf-8")
    figure = f"a timeout of 3 s takes {took_s:.2f} s while the wall clock jumps by an hour, twice"
    report(53, figure, line="timeouts unaffected (3.5 s)", passed=2.9 < took_s < 3.5)
    assert code == 3
    assert "no answer within 3 s" in said
    assert 2.9 < took_s < 35
