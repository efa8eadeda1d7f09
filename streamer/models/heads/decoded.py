"""The head of finished outputs: boxes, scores and classes of their own, a detection a row. Made by building.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.models.card import DecodedHead
from streamer.models.heads import Outputs, RawDetections
from streamer.models.heads.coding import corners, unit_of
from streamer.models.heads.reading import output, remaining, suppression_text, wrong_shape
from streamer.models.heads.scoring import PADDING, Candidates, Scoring

ONLY_CLASS = 1
"""The id of what a model without classes sees; the ids of the Object Detection API begin with it."""


@dataclass(frozen=True, slots=True)
class DecodedBoxes:
    """Finished boxes, [N,4]; or [N,1,4], or boxes of their own for each class, [N,C,4], as tf.image takes them.

    scores: [N], or [N,C]; by_class: whether they are the latter even where C is 1. either: the names of two outputs of
    which one is the scores and one the classes; then the numbers tell, and `scores` and `classes` are not read.
    """

    card: DecodedHead
    boxes: str
    scores: str
    classes: str | None = None
    count: str | None = None
    either: tuple[str, str] | None = None
    by_class: bool = False
    first_class_id: int | None = None
    class_count: int | None = None

    @property
    def reads(self) -> Mapping[str, str]:
        scores, classes = self.either or (self.scores, self.classes)
        parts = {"boxes": self.boxes, "scores": scores, "classes": classes, "count": self.count}
        return {part: name for part, name in parts.items() if name is not None}

    def describe(self) -> str:
        unit = {"fraction": "fractions", "px": "px", None: "fractions or px"}[self.card.unit]
        parts = [f"finished boxes, {self.card.order or 'yxyx'} as {unit}"]
        if self.either is not None:
            parts.append("scores and classes told apart by their numbers")
        if self.card.nms != "none":
            parts.append(suppression_text(self.card.nms, self.card.iou))
        return ", ".join(parts)

    def read(self, outputs: Outputs, *, input_size_px: tuple[int, int], conf: float, max_det: int) -> RawDetections:
        boxes = _boxes(output(outputs, self.boxes), self.boxes)
        found, choices = self._found(outputs, boxes, conf)
        chosen = boxes[found.rows, choices]
        unit = self.card.unit or unit_of(chosen)
        xyxy = corners(chosen, order=self.card.order or "yxyx", unit=unit, input_size_px=input_size_px)
        return remaining(xyxy, found.scores, found.class_ids, nms=self.card.nms, iou=self.card.iou, max_det=max_det)

    def _found(self, outputs: Outputs, boxes: NDArray[Any], conf: float) -> tuple[Candidates, NDArray[np.intp] | int]:
        """The rows that count, and which of a row's boxes is theirs."""
        total, own = boxes.shape[:2]
        scores, classes = self._scores_and_classes(outputs, total)
        limit = _count(None if self.count is None else output(outputs, self.count), rows=total)
        if scores.ndim == 1:
            if own > 1:
                raise wrong_shape(self.scores, scores.shape, f"scores of {own} classes a row")
            with np.errstate(invalid="ignore"):
                rows = np.flatnonzero(~(scores[:limit] < max(conf, PADDING)))
            ids = np.full(len(rows), float(ONLY_CLASS)) if classes is None else classes[rows]
            return Candidates(rows, np.asarray(ids, np.float64), np.asarray(scores[rows], np.float64)), 0
        several = self.card.nms == "per_class" and classes is None
        found = self._scoring.candidates(scores[:limit], conf=conf, several=several)
        columns = scores.shape[1]
        if own not in {1, columns, self._scoring.classes_of(columns)}:
            raise wrong_shape(self.boxes, boxes.shape, f"boxes for each of {columns} classes")
        choices = found.class_ids.astype(np.intp) - (0 if own == columns else self._scoring.first_class_id)
        if classes is not None:
            found = found._replace(class_ids=np.asarray(classes[found.rows], np.float64))
        return found, choices if own > 1 else 0

    def _scores_and_classes(self, outputs: Outputs, total: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
        if self.either is not None:
            first, second = (_vector(output(outputs, name), name, total) for name in self.either)
            return (second, first) if _looks_like_classes(first, second) else (first, second)
        classes = None if self.classes is None else _vector(output(outputs, self.classes), self.classes, total)
        scores = output(outputs, self.scores)
        if not self.by_class and scores.size == total:
            return scores.reshape(total), classes
        if total == 0:
            return np.empty((total, 2)), classes
        if scores.size == 0 or scores.size % total or self._scoring.classes_of(scores.size // total) < 1:
            raise wrong_shape(self.scores, scores.shape, f"{total} rows")
        return scores.reshape(total, -1), classes

    @property
    def _scoring(self) -> Scoring:
        return Scoring(self.card.activation, self.card.background)


def _boxes(found: NDArray[Any], name: str) -> NDArray[Any]:
    """(N, boxes of a row, 4)."""
    if found.ndim >= 3 and len(found) == 1:
        found = found[0]
    if found.ndim not in {2, 3} or found.shape[-1] != 4:
        raise wrong_shape(name, found.shape, "4 numbers a row")
    return found[:, np.newaxis] if found.ndim == 2 else found


def _vector(found: NDArray[Any], name: str, total: int) -> NDArray[Any]:
    if found.size != total:
        raise ModelError(f"the model gave {total} boxes and {found.size} of {name}")
    return found.reshape(total)


def _looks_like_classes(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether the first of the two is the classes: it has numbers above 1, or whole ones where the second has none."""
    above, other_above = (bool((values > 1.001).any()) for values in (first, second))
    if above != other_above:
        return above
    whole, other_whole = (bool((values == np.rint(values)).all()) for values in (first, second))
    return whole and not other_whole


def _count(values: NDArray[Any] | None, *, rows: int) -> int:
    """How many rows count; all of them where the model's own number makes no sense."""
    if values is None or values.size != 1:
        return rows
    number = float(values.reshape(())[()])
    return round(number) if 0 <= number <= rows else rows
