"""The head of a network that was cut before its suppression: every row's box and scores, and the rest is done here.

Made by choosing from what lowering/raw_heads.py found; it reads as the graph's own suppression would have.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import Background, DecodedHead, Suppression
from streamer.models.heads import Outputs, RawDetections
from streamer.models.heads.decoded import DecodedBoxes
from streamer.models.options import Order, Unit

BOXES = "streamer_boxes"
SCORES = "streamer_scores"
"""What the two outputs of a cut network are called."""

Rows = Literal["anchors", "anchors and classes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawHeads:
    """How the two are read.

    rows: what a row of boxes stands for; with `anchors and classes`, each class of an anchor has a box of its own, and
    there are `classes` of them. background: where among the scores of a row it stands. first_class_id: what the model
    calls the first class that is no background. nms, iou: of the suppression that was cut off. least_score: below it
    the graph gave nothing. most: how many detections the graph gave;
    most_per_class: of one class, where it had such a limit.
    """

    rows: Rows = "anchors"
    background: Background = "none"
    classes: int = 1
    first_class_id: int = 1
    nms: Suppression = "per_class"
    iou: float = 0.6
    least_score: float = 0.0
    most: int = 100
    most_per_class: int | None = None


class CutHead:
    """Reads what RawHeads describe. order, unit: of the boxes, as the uncut model's are."""

    def __init__(self, raw: RawHeads, *, order: Order | None, unit: Unit | None) -> None:
        self._raw = raw
        card = DecodedHead(
            boxes=BOXES, scores=SCORES, order=order, unit=unit, background=raw.background, nms=raw.nms, iou=raw.iou
        )
        self._head = DecodedBoxes(card, boxes=BOXES, scores=SCORES, by_class=True, class_count=raw.classes)

    @property
    def reads(self) -> Mapping[str, str]:
        return self._head.reads

    @property
    def first_class_id(self) -> int:
        return self._raw.first_class_id

    @property
    def class_count(self) -> int:
        return self._raw.classes

    def describe(self) -> str:
        return self._head.describe()

    def read(self, outputs: Outputs, *, input_size_px: tuple[int, int], conf: float, max_det: int) -> RawDetections:
        raw = self._raw
        boxes, scores = np.asarray(outputs[BOXES]), np.asarray(outputs[SCORES])
        columns = raw.classes + (raw.background != "none")
        own = (raw.classes, 4) if raw.rows == "anchors and classes" else (4,)
        shaped = {SCORES: scores.reshape(-1, columns), BOXES: boxes.reshape(-1, *own)}
        read = partial(self._head.read, shaped, input_size_px=input_size_px, conf=max(conf, raw.least_score))
        found = _best(read, most=min(max_det, raw.most), of_class=raw.most_per_class)
        first_column = 1 if raw.background == "first" else 0
        return replace(found, class_ids=found.class_ids + (raw.first_class_id - first_column))


def _best(read: Callable[..., RawDetections], *, most: int, of_class: int | None) -> RawDetections:
    """The `most` best with no more than `of_class` of a class, without suppressing more than that takes.

    Of a flood of rows, those that are kept come long before the last.
    """
    asked = most
    while True:
        found = read(max_det=asked)
        limited = _at_most(found, of_class)
        if len(limited.scores) >= most or len(found.scores) < asked:
            return _first_rows(limited, most)
        asked *= 4


def _at_most(found: RawDetections, count: int | None) -> RawDetections:
    """The best of each class: rows come with the highest score first."""
    if count is None or len(found.scores) <= count:
        return found
    kept = np.zeros(len(found.scores), np.bool_)
    for class_id in np.unique(found.class_ids):
        kept[np.flatnonzero(found.class_ids == class_id)[:count]] = True
    return _rows(found, kept)


def _first_rows(found: RawDetections, count: int) -> RawDetections:
    return found if len(found.scores) <= count else _rows(found, slice(count))


def _rows(found: RawDetections, rows: NDArray[np.bool_] | slice) -> RawDetections:
    return RawDetections(found.boxes[rows], found.scores[rows], found.class_ids[rows])
