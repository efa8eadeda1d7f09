"""Boxes between two detections: which of them are one object, and where it was meanwhile. Pure; for smoothing.py."""

import numpy as np
from numpy.typing import NDArray

from streamer.frame import Detections

LEAST_LIKENESS = -0.3
"""Boxes that are less alike than this are two objects: squares whose centres are 1.45 sides apart, people on foot
two widths. At a walking pace a face moves so far in a fifth of a second, a whole person in most of one."""

MOST_GROWTH = 2.0
"""Boxes of which one is longer than so many times the other, by the root of its area, are two objects: one far away and
one near."""


class Between:
    """What lies between the detections `before` and `after`, which were made on two frames of one epoch.

    A box and its partner are one object: it goes from one to the other in a straight line, and its score with it. One
    without a partner came or went at a moment that nobody knows: it stands where it was seen, on its side of half way,
    which is wrong for the shortest time at worst.
    """

    def __init__(self, before: Detections, after: Detections) -> None:
        self._before, self._after = before, after
        self._rows = partners(before, after)
        self._gone = np.setdiff1d(np.arange(len(before)), self._rows[:, 0])
        self._new = np.setdiff1d(np.arange(len(after)), self._rows[:, 1])

    def at(self, share: float) -> Detections:
        """The detections at this share of the way: 0 is the time of `before`, 1 that of `after`."""
        before, after = self._before[self._rows[:, 0]], self._after[self._rows[:, 1]]
        boxes = _mixed(before.boxes, after.boxes, share)
        scores = _mixed(before.scores, after.scores, share)
        lone = self._before[self._gone] if share < 0.5 else self._after[self._new]
        scores = np.concatenate((scores, lone.scores))
        order = np.argsort(-scores, kind="stable")
        return Detections(
            np.concatenate((boxes, lone.boxes))[order].astype(np.float32),
            scores[order].astype(np.float32),
            np.concatenate((before.class_ids, lone.class_ids))[order],
            track_ids=self._track_ids(before, lone, order),
        )

    def _track_ids(self, paired: Detections, lone: Detections, order: NDArray[np.intp]) -> NDArray[np.int64] | None:
        if not _tracked(self._before, self._after):
            return None
        ids = [part.track_ids for part in (paired, lone) if part.track_ids is not None]
        return np.concatenate((*ids, np.empty(0, np.int64)))[order]


def partners(before: Detections, after: Detections) -> NDArray[np.int64]:
    """(M, 2) rows of `before` and of `after` that are one object; each row is in one pair at most.

    They have the same class. Where objects are tracked, those with the same track id; else those that are most alike
    first, as long as they are alike at all.
    """
    alike = likeness(before.boxes, after.boxes)
    candidates = before.class_ids[:, None] == after.class_ids[None, :]
    if before.track_ids is not None and after.track_ids is not None:
        candidates &= before.track_ids[:, None] == after.track_ids[None, :]
    else:
        candidates &= (alike >= LEAST_LIKENESS) & (_growth(before.boxes, after.boxes) <= MOST_GROWTH)
    rows, columns = np.nonzero(candidates)
    best_first = np.argsort(-alike[rows, columns], kind="stable")
    pairs: list[tuple[int, int]] = []
    taken: tuple[set[int], set[int]] = set(), set()
    for row, column in zip(rows[best_first].tolist(), columns[best_first].tolist(), strict=True):
        if row not in taken[0] and column not in taken[1]:
            pairs.append((row, column))
            taken[0].add(row)
            taken[1].add(column)
    return np.array(pairs, np.int64).reshape(-1, 2)


def likeness(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, M) how alike boxes (N, 4) and others (M, 4) are, above -1 to 1: their overlap over their union, less the
    square of the distance of their centres over that of the diagonal around both. So boxes that no longer overlap are
    still told apart by their distance, whatever their size (DIoU: Zheng et al., Distance-IoU Loss, 2020).
    """
    one, other = boxes.astype(np.float64)[:, None, :], others.astype(np.float64)[None, :, :]
    shared = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    overlap = np.clip(shared, 0, None).prod(axis=-1)
    union = _area(one) + _area(other) - overlap
    around = np.maximum(one[..., 2:], other[..., 2:]) - np.minimum(one[..., :2], other[..., :2])
    apart = (one[..., :2] + one[..., 2:] - other[..., :2] - other[..., 2:]) / 2
    return np.asarray(overlap / union - (apart**2).sum(axis=-1) / (around**2).sum(axis=-1), np.float64)


def _mixed(before: NDArray[np.float32], after: NDArray[np.float32], share: float) -> NDArray[np.float64]:
    """In float64, so that nothing is rounded out of the frame."""
    return before.astype(np.float64) * (1 - share) + after.astype(np.float64) * share


def _growth(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    ratio = np.sqrt(_area(boxes.astype(np.float64))[:, None] / _area(others.astype(np.float64))[None, :])
    return np.maximum(ratio, 1 / ratio)


def _area(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).prod(axis=-1), np.float64)


def _tracked(*both: Detections) -> bool:
    """Whether all that is there has a track; of nothing, nobody asks."""
    return any(one.track_ids is not None for one in both) and all(
        one.track_ids is not None or len(one) == 0 for one in both
    )
