"""FAULTS 30, 31 and 33 for raw heads, which streamer decodes itself: whatever they hold costs a moment and is counted.

What each head makes of sound numbers is shown in tests/models/heads.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.frame import Detections, Image
from streamer.models import ModelOptions, load_detector
from streamer.models.detector import ModelDetector
from streamer.overlay import draw
from tests.faults.figures import report
from tests.frozen_graphs import save_graph

ROWS = 100_000
SIDE = 320
CLASSES = 8
IMAGE: Image = np.full((480, 640, 3), 90, np.uint8)
Outputs = dict[str, NDArray[np.float32]]

HEADS: Mapping[str, tuple[str, Mapping[str, tuple[int, ...]]]] = {
    "anchors": (
        "{kind: anchors, anchors: {kind: file, file: a.npy}}",
        {"boxes": (1, ROWS, 4), "scores": (1, ROWS, CLASSES)},
    ),
    "anchors, softmax": (
        "{kind: anchors, nms: agnostic, activation: softmax, background: first, anchors: {kind: file, file: a.npy}}",
        {"boxes": (1, ROWS, 4), "scores": (1, ROWS, CLASSES)},
    ),
    "yolo": ("{kind: yolo, rows: rows}", {"rows": (1, 4 + CLASSES, ROWS)}),
    "rows": ("{kind: rows, rows: rows, nms: per_class}", {"rows": (1, ROWS, 6)}),
    "centernet": (
        "{kind: centernet, heatmap: heat, sizes: sizes, offsets: offsets}",
        {"heat": (1, SIDE, SIDE, CLASSES), "sizes": (1, SIDE, SIDE, 2), "offsets": (1, SIDE, SIDE, 2)},
    ),
}
"""The card's head, and the shapes of the outputs."""


def wild(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Up to 1e30, and here and there not finite."""
    chance = np.random.default_rng(7)
    values = chance.uniform(-1, 1, shape) * 10.0 ** chance.integers(-1, 31, shape)
    values.flat[::7], values.flat[1::11], values.flat[2::13] = np.nan, np.inf, -np.inf
    return values


def above(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Every row is a detection; of eight classes the first that is not the background."""
    values = np.random.default_rng(8).uniform(0.6, 1, shape)
    if shape[-1] == CLASSES:
        values[..., 1] += 9
    return values


FILLS: Mapping[str, Callable[[tuple[int, ...]], NDArray[np.float64]]] = {
    "not a number": lambda shape: np.full(shape, np.nan),
    "infinite": lambda shape: np.full(shape, np.inf),
    "1e20": lambda shape: np.full(shape, 1e20),
    "wild": wild,
    "all above the threshold": above,
    "all alike": lambda shape: np.full(shape, 100.0),
}


def load(folder: Path, head: str) -> ModelDetector:
    """A detector with that head, whose graph gives zeros."""
    card, shapes = HEADS[head]

    def build(v1: Any) -> None:
        image = v1.placeholder(v1.float32, [1, SIDE, SIDE, 3], name="image")
        for name, shape in shapes.items():
            v1.add(v1.zeros(shape), 0.0 * v1.reduce_mean(image), name=name)

    chance = np.random.default_rng(9)
    np.save(folder / "a.npy", np.hstack([chance.uniform(0, 1, (ROWS, 2)), chance.uniform(0.01, 0.3, (ROWS, 2))]))
    (folder / "m.model.yaml").write_text(f"input: {{scale: 0..1, channel_order: rgb, fit: stretch}}\nhead: {card}\n")
    return load_detector(save_graph(folder / "m.pb", build), ModelOptions(max_det=300), input_size_px=(640, 480))


@pytest.mark.parametrize("head", HEADS)
def test_rows_30_31_33_whatever_a_raw_head_holds(head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load(tmp_path, head)
    run = detector._loaded.graph.run
    held: Outputs = {output: np.full(shape, -9, np.float32) for output, shape in HEADS[head][1].items()}

    def given(images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        return {**run(images), **held}

    def frame() -> tuple[Detections, float]:
        began_ns = time.process_time_ns()
        (found,) = detector.detect([IMAGE])
        draw(IMAGE, found, detector.labels)
        return found, (time.process_time_ns() - began_ns) / 1e6

    monkeypatch.setattr(detector._loaded.graph, "run", given)
    normal_ms = min(frame()[1] for _ in range(3))
    inside = True
    for name, fill in FILLS.items():
        held |= {output: fill(shape).astype(np.float32) for output, shape in HEADS[head][1].items()}
        found, took_ms = frame()
        print(f"{head}, {name}: {took_ms:.0f} ms of a CPU, normal {normal_ms:.0f}; {len(found)} of {ROWS} kept")
        x1, y1, x2, y2 = found.boxes.T
        inside &= bool(((x1 >= 0) & (y1 >= 0) & (x1 < x2) & (y1 < y2) & (x2 <= 640) & (y2 <= 480)).all())
        assert inside
        assert np.isfinite(found.scores).all()
        assert len(found) <= 300
        assert found.rejected > 0 or name not in {"not a number", "infinite", "wild"}
        assert took_ms < 2000
    detector.close()
    report(30, "raw heads, all NaN or infinite: left out and counted", line="dropped and counted", passed=True)
    report(31, "raw heads, 1e20 and up to 1e30: all inside", line="100 % inside", passed=inside)
