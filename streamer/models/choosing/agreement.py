"""Whether two ways of running a model see the same: boxes matched one by one, and how far they are apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.frame import Detections

LEAST_IOU = 0.99
MOST_SCORE = 0.01
"""As far apart may the boxes and the scores of one detection be, and still be the same."""

FEW = 0.01
"""Of the boxes that may find no match: of two that nearly tie, suppression may keep either."""

_PAIR_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Agreement:
    """boxes: how many were to be matched, on how many pictures. matched: those that were, within the limits.
    paired: those that both have at all, overlapping by half or more.

    worst_iou, worst_score: of the pairs that are the same thing, the lowest overlap and the largest difference.
    """

    pictures: int
    boxes: int
    matched: int
    paired: int
    worst_iou: float
    worst_score: float

    @property
    def is_equal(self) -> bool:
        """Whether there was something to see, and both saw it."""
        return self.boxes > 0 and self.boxes - self.matched <= FEW * self.boxes

    def __str__(self) -> str:
        if self.boxes == 0:
            return "nothing was seen"
        worst = f"IoU >= {self.worst_iou:.4f}, scores within {self.worst_score:.4f}"
        seen = "" if self.is_equal else f", {self.paired} seen by both"
        return f"{self.matched} of {self.boxes} boxes{seen}, {worst}"


def agreement(ours: Sequence[Detections], theirs: Sequence[Detections], *, conf: float) -> Agreement:
    """How far two lists of detections, a picture each, are the same at and above `conf`.

    Both are given from MOST_SCORE below it on: what one of them has just above it, the other may have just below.
    """
    boxes = matched = paired = 0
    ious: list[float] = [1.0]
    scores: list[float] = [0.0]
    for one, other in zip(ours, theirs, strict=True):
        pairs = _pairs(one, other)
        ious += [iou for _, _, iou in pairs]
        scores += [abs(float(one.scores[row] - other.scores[column])) for row, column, _ in pairs]
        for row, column, iou in pairs:
            if max(one.scores[row], other.scores[column]) >= conf:
                boxes += 1
                paired += 1
                apart = abs(float(one.scores[row] - other.scores[column]))
                matched += int(iou >= LEAST_IOU and apart <= MOST_SCORE)
        boxes += _alone(one, [row for row, _, _ in pairs], conf) + _alone(other, [row for _, row, _ in pairs], conf)
    return Agreement(len(ours), boxes, matched, paired, min(ious), max(scores))


def _alone(detections: Detections, paired: Sequence[int], conf: float) -> int:
    """How many that the other ought to have had are without a pair."""
    left = np.ones(len(detections), np.bool_)
    left[list(paired)] = False
    return int(np.count_nonzero(left & (detections.scores >= conf + MOST_SCORE)))


def _pairs(one: Detections, other: Detections) -> list[tuple[int, int, float]]:
    """(row, row, overlap) of what is the same thing in both, the best overlaps first, each row once."""
    if not len(one) or not len(other):
        return []
    overlaps = _ious(one.boxes, other.boxes)
    overlaps[one.class_ids[:, np.newaxis] != other.class_ids[np.newaxis]] = 0
    pairs: list[tuple[int, int, float]] = []
    while (best := float(overlaps.max())) >= _PAIR_IOU:
        row, column = (int(place) for place in np.unravel_index(overlaps.argmax(), overlaps.shape))
        pairs.append((row, column, best))
        overlaps[row], overlaps[:, column] = 0, 0
    return pairs


def _ious(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    a, b = one[:, np.newaxis].astype(np.float64), other[np.newaxis].astype(np.float64)
    sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    shared = sides.prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    return np.asarray(shared / np.maximum(areas - shared, 1e-12))
