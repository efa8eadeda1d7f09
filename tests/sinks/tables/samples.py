"""What the tests of tables write."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from streamer.frame import Detections, Result
from streamer.interfaces import Sink
from streamer.labels import Labels
from streamer.sinks.tables import Coco, CommaSeparated, JsonLines, Mot
from tests.sinks.scenes import grey, result

LABELS = Labels({1: "Gänse", 2: 'a "b"'})


def seen(*, tracks: bool = False) -> Detections:
    """Two detections on a frame of 160x120: one of a class with a name, one of a class without."""
    boxes = [[10.004, 20.0, 80.0, 60.126], [0.0, 0.0, 160.0, 120.0]]
    detections = Detections.from_raw(boxes, [0.912345, 0.5], [1, 17], size_px=(160, 120))
    return replace(detections, track_ids=np.array([3, 4])) if tracks else detections


def full(index: int = 0, *, tracks: bool = False, pts_s: float | None = None, source: str = "clip.avi") -> Result:
    """A result with these two, found on its own frame."""
    one = result(grey(0), index, pts_s=pts_s, source=source)
    return replace(one, detections=seen(tracks=tracks), detected=True)


TABLES: dict[str, Callable[[Path], Sink]] = {
    "jsonl": lambda path: JsonLines(path, labels=LABELS),
    "csv": lambda path: CommaSeparated(path, labels=LABELS),
    "coco": lambda path: Coco(path, labels=LABELS),
    "mot": lambda path: Mot(path, labels=LABELS),
}
