#!/usr/bin/env python3
"""Draws the pictures of the manual: the test pattern with boxes on it, as the window and a recording show them.

python scripts/pictures.py [FOLDER], by default docs/pictures. What scripts.jpg shows of languages, the fonts here have
(Debian: fonts-noto-ui-core is all that it takes beside OpenCV 5).
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from streamer.frame import Detections, Frame, Image, Ledger, Result, Status
from streamer.interfaces import BoxTiming, SinkRole
from streamer.labels import Labels
from streamer.overlay import annotate, draw, draw_view
from streamer.pipeline import Pipeline
from streamer.sinks.pictures import save_picture
from streamer.sources import open_source
from streamer.style import BoxStyle, Style, ThemeName

LABELS = Labels({1: "person", 2: "bicycle", 3: "car", 17: "cat", 18: "dog", 44: "bottle", 62: "chair"})
BOXES = (
    # x1, y1, x2, y2 as parts of the frame; score; class
    (0.10, 0.20, 0.27, 0.85, 0.94, 1),
    (0.20, 0.24, 0.36, 0.84, 0.88, 1),
    (0.33, 0.45, 0.62, 0.78, 0.91, 3),
    (0.50, 0.58, 0.68, 0.90, 0.67, 18),
    (0.66, 0.12, 0.79, 0.62, 0.81, 1),
    (0.80, 0.62, 0.97, 0.95, 0.58, 62),
    (0.86, 0.30, 0.91, 0.47, 0.72, 44),
    (0.72, 0.66, 0.83, 0.88, 0.63, 99),
)
WORDS = (
    *("Fußgänger", "пешеход", "άνθρωπος", "行人", "歩行者", "보행자", "người đi bộ"),
    *("شخص", "עובר אורח", "व्यक्ति", "คนเดินเท้า", "நபர்", "person"),
)
"""Someone on foot, in many languages."""

STATUS = Status(
    state="running",
    live=True,
    capture_fps=30.0,
    detect_fps=14.8,
    view_fps=30.0,
    latency_p95_ms=24.0,
    age_ms=66.0,
    conf=0.5,
    runtime="TensorFlow 2.21 CPU",
    decoder="OpenCV",
    recording=True,
    ledger=Ledger(produced=5400, inferred=2664, carried=2736, shown=5400, recorded=5400),
)

BALL = Labels({1: "ball"})
BALL_BGR = (0, 96, 255)


class BallDetector:
    """Sees the ball of the test pattern, by its colour."""

    labels, batch, concurrency, runtime, conf = BALL, 1, 1, "colour", 0.5

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """The ball of each image."""
        found = []
        for image in images:
            rows, columns = np.nonzero((image == BALL_BGR).all(axis=2))
            box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            found.append(Detections.from_raw([box], [0.9], [1], size_px=(image.shape[1], image.shape[0])))
        return found

    def close(self) -> None:
        """There is nothing to let go."""


class Album:
    """A recording in memory."""

    name, needs_image, written = "album", True, 0
    role: SinkRole = "record"

    def __init__(self) -> None:
        self.images: list[Image] = []

    def write(self, result: Result) -> None:
        """Keep the picture."""
        assert result.image is not None
        self.images.append(result.image)

    def close(self) -> None:
        """There is nothing to finish."""


def recorded(timing: BoxTiming) -> list[Image]:
    """Four frames of a recording under a detector that looks at every sixth: one of those, and three between."""
    album = Album()
    source = open_source("test:size=640x480,frames=13,seed=4,live=no")
    style = partial(annotate, labels=BALL, style=Style())
    Pipeline(source, BallDetector(), [album], draw=style, detect_every=6, box_timing=timing).run()
    return [image[40:360, 160:480] for image in album.images[6:12:2] + album.images[11:12]]


def pattern(size_px: tuple[int, int]) -> Image:
    """One frame of the test pattern."""
    width, height = size_px
    source = open_source(f"test:size={width}x{height},frames=40,live=no")
    try:
        return list(source.frames())[-1].image
    finally:
        source.close()


def found(size_px: tuple[int, int]) -> Detections:
    """The boxes on the pattern."""
    width, height = size_px
    rows = np.array(BOXES)
    boxes = rows[:, :4] * (width, height, width, height)
    return Detections.from_raw(boxes, rows[:, 4], rows[:, 5], size_px=size_px)


def drawn(size_px: tuple[int, int]) -> Image:
    """The pattern with boxes on it."""
    return draw(pattern(size_px), found(size_px), LABELS)


def styles(size_px: tuple[int, int]) -> Image:
    """A theme in each column, whole boxes above their corners; below with numbers of tracks, time and name."""
    frame = Frame(pattern(size_px), index=147, captured_ns=0, pts_s=4.9, source="harbour.mp4")
    detections = found(size_px)
    tracked = replace(detections, track_ids=np.arange(3, 3 + len(detections)))
    rows = []
    for box_style in get_args(BoxStyle):
        whole = box_style == "full"
        looks = [
            Style(theme=theme, box_style=box_style, timestamp=not whole, source_name=not whole)
            for theme in get_args(ThemeName)
        ]
        seen = detections if whole else tracked
        rows.append(np.hstack([annotate(frame, seen, labels=LABELS, style=look) for look in looks]))
    return np.vstack(rows)


def scripts(size_px: tuple[int, int]) -> Image:
    """A box with a label in each of many scripts."""
    width, height = size_px
    columns = 5
    high = height // -(-len(WORDS) // columns)
    spots = [(n % columns * width // columns, n // columns * high) for n in range(len(WORDS))]
    boxes = [(x + 12, y + high // 3, x + width // columns - 12, y + high - 12) for x, y in spots]
    detections = Detections.from_raw(boxes, np.linspace(0.99, 0.51, len(WORDS)), range(len(WORDS)), size_px=size_px)
    return draw(pattern(size_px), detections, Labels(dict(enumerate(WORDS))))


def main() -> None:
    """Write them all."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    folder.mkdir(parents=True, exist_ok=True)
    save_picture(folder / "help.png", draw_view(drawn((640, 480)), STATUS, keys=True), force=True)
    small = draw_view(drawn((176, 144)), STATUS)
    enlarged = cv2.resize(small, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    save_picture(folder / "176x144.png", np.asarray(enlarged, np.uint8), force=True)
    large = draw_view(drawn((3840, 2160)), STATUS)
    shrunk = cv2.resize(large, (1920, 1080), interpolation=cv2.INTER_AREA)
    save_picture(folder / "4k.jpg", np.asarray(shrunk, np.uint8), force=True)
    timing = np.vstack([np.hstack(recorded("now")), np.hstack(recorded("smooth"))])
    save_picture(folder / "timing.jpg", np.ascontiguousarray(timing), force=True)
    save_picture(folder / "styles.jpg", styles((480, 360)), force=True)
    save_picture(folder / "scripts.jpg", scripts((960, 320)), force=True)


if __name__ == "__main__":
    main()
