"""FAULTS 52 and 55: the end of a file behind a slow sink, and a program that starts and stops for ever.

51, the death of threads, is in test_thread_death.py.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from streamer.frame import Result
from streamer.pipeline import Pipeline
from streamer.sinks.recorder import Recorder
from streamer.sources.file import FileSource
from streamer.sources.synthetic import SyntheticSource, read_frame_number
from tests.fakes import FakeDetector
from tests.faults.figures import report
from tests.sinks.scenes import decoded
from tests.xvfb import ROOT

STARTS = 200


def numbered_clip(path: Path, *, frames: int) -> Path:
    """A video of the test pattern, whose frames carry their numbers."""
    source = SyntheticSource(f"size=320x240,frames={frames},live=no")
    assert Pipeline(source, FakeDetector(), [Recorder(path, fps=30)]).run().ledger.recorded == frames
    return path


class LateRecorder(Recorder):
    """Keeps the frame `at` waiting until the source has given its last one; everything behind it queues up."""

    def __init__(self, path: Path, *, at: int, source: FileSource, last: int) -> None:
        super().__init__(path, fps=30)
        self._at, self._source, self._last = at, source, last
        self.read_meanwhile = 0

    def write(self, result: Result) -> None:
        if result.frame.index == self._at:
            while self._source.produced < self._last:
                threading.Event().wait(0.005)
            self.read_meanwhile = self._source.produced - self._at
        super().write(result)


def test_row_52_a_file_that_ends_behind_a_full_queue_is_recorded_to_its_last_frame(tmp_path: Path) -> None:
    source = FileSource(str(numbered_clip(tmp_path / "in.mp4", frames=100)))
    recorder = LateRecorder(tmp_path / "out.mp4", at=88, source=source, last=100)
    pipeline = Pipeline(source, FakeDetector(), [recorder])
    ledger = pipeline.run().ledger
    lane = pipeline._lanes[0].channel
    numbers = [
        read_frame_number(frame.to_ndarray(format="bgr24").astype(np.uint8)) for frame in decoded(tmp_path / "out.mp4")
    ]
    whole = numbers == list(range(100))
    figure = f"{len(numbers)}/100 recorded, {'in order' if whole else 'out of order'}, {lane.peak_depth} waited"
    report(52, figure, line="100/100, in order", passed=whole)
    assert lane.peak_depth == lane.capacity
    assert recorder.read_meanwhile == 12
    assert numbers == list(range(100))
    assert (ledger.produced, ledger.inferred, ledger.recorded, ledger.dropped) == (100, 100, 100, 0)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
def test_row_55_two_hundred_starts_leave_no_thread_no_file_and_no_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.faults.restarts_child", str(tmp_path), str(STARTS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    grown_mb, threads, files = json.loads(done.stdout)
    figure = f"{STARTS} starts: {{:+.1f}} MB, threads {threads:+}, descriptors {files:+}"
    line = "< +20 MB, threads and descriptors +0"
    report(55, figure, grown_mb, line=line, passed=grown_mb < 20 and (threads, files) == (0, 0))
    assert (threads, files) == (0, 0)
    assert grown_mb < 200
