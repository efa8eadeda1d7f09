"""A process that starts and stops a run again and again, and says what it has left of it.

    python -m tests.faults.restarts_child FOLDER COUNT

A process of its own: what other tests had and give back would hide what is lost. Prints, as JSON, the growth of memory
in MB, of threads and of descriptors over COUNT starts, behind a tenth as many that warm it up.
"""

import gc
import json
import os
import sys
import threading
from pathlib import Path

from streamer.pipeline import Pipeline
from streamer.sinks.recorder import Recorder
from streamer.sources.file import FileSource
from streamer.sources.synthetic import SyntheticSource
from tests.fakes import FakeDetector


def held() -> tuple[float, int, int]:
    """MB of memory, threads, descriptors."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    files = len(list(Path("/proc/self/fd").iterdir()))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, threading.active_count(), files


def start(clip: Path, number: int) -> None:
    """A file into a recorder; every second one is stopped in the middle."""
    out = clip.with_name(f"{number}.mp4")
    detector = FakeDetector(on_detect=lambda seen: pipeline.stop() if seen == 5 and number % 2 else None)
    pipeline = Pipeline(FileSource(str(clip)), detector, [Recorder(out)])
    ledger = pipeline.run().ledger
    assert ledger.balanced
    assert ledger.recorded == ledger.produced >= 6
    out.unlink()


def main(folder: str, count: str) -> None:
    clip = Path(folder) / "in.mp4"
    Pipeline(SyntheticSource("size=320x240,frames=10,live=no"), FakeDetector(), [Recorder(clip, fps=30)]).run()
    for number in range(int(count) // 10):
        start(clip, number)
    before = held()
    for number in range(int(count)):
        start(clip, number)
    print(json.dumps([now - then for now, then in zip(held(), before, strict=True)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
