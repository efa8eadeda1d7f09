"""Greedy non-maximum suppression, as tf.image has it. Called by the heads that give several boxes for one thing."""

import numpy as np
from numpy.typing import NDArray

MAX_CANDIDATES = 10_000
"""Of a flood, only so many of the highest scores are looked at: a frame carries 300 detections at most, and a detector
that gives more boxes than this over less than that many things is broken."""

_BLOCK = 256
"""How many boxes are compared with one another at once."""

_Indices = NDArray[np.intp]
_Float32 = NDArray[np.float32]


def suppress(
    boxes: NDArray[np.floating],
    scores: NDArray[np.floating],
    class_ids: NDArray[np.generic],
    *,
    iou: float,
    per_class: bool,
    max_det: int,
) -> _Indices:
    """Indices of the boxes that stay, at most `max_det`: highest score first, equal scores in the order they came in.

    boxes: (N, 4) x1 y1 x2 y2, of any unit, corners in any order. A box goes where one that stays has a higher score,
    the same class if `per_class`, and an intersection over union above `iou`; boxes without area touch nothing. Rows
    that are not finite are left out. Computed in float32, so that the rows are those of tf.image.non_max_suppression
    and combined_non_max_suppression.
    """
    with np.errstate(over="ignore"):
        boxes32, scores32 = np.asarray(boxes, np.float32), np.asarray(scores, np.float32)
    finite = np.flatnonzero(np.isfinite(scores32) & np.isfinite(boxes32).all(axis=1))
    order = finite[strongest(scores32[finite], limit=MAX_CANDIDATES)]
    ordered, classes = _ordered_corners(boxes32[order]), np.asarray(class_ids)[order] if per_class else None
    kept = np.empty(0, np.intp)
    for start in range(0, len(order), _BLOCK):
        block = np.arange(start, min(start + _BLOCK, len(order)))
        block = block[~_one_thing(ordered, classes, block, kept, iou).any(axis=1)]
        kept = np.concatenate([kept, block[_greedy(_one_thing(ordered, classes, block, block, iou))]])
        if len(kept) >= max_det:
            break
    return order[kept[:max_det]]


def strongest(scores: NDArray[np.floating], *, limit: int) -> _Indices:
    """Indices of the highest scores, highest first, equal ones in their order; what is not finite comes last."""
    if len(scores) <= limit:
        return np.argsort(-scores, kind="stable")
    known = np.where(np.isnan(scores), -np.inf, scores)
    rows = np.flatnonzero(known >= np.partition(known, -limit)[-limit])
    return rows[np.argsort(-known[rows], kind="stable")[:limit]]


def _ordered_corners(boxes: _Float32) -> _Float32:
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)


def _one_thing(
    boxes: _Float32, classes: NDArray[np.generic] | None, rows: _Indices, others: _Indices, iou: float
) -> NDArray[np.bool_]:
    """(len(rows), len(others)): whether the two overlap too much to be two."""
    one, other = boxes[rows][:, np.newaxis], boxes[others][np.newaxis]
    area, other_area = _area(one), _area(other)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
        shared = np.maximum(sides[..., 0], 0) * np.maximum(sides[..., 1], 0)
        over: NDArray[np.bool_] = shared / (area + other_area - shared) > np.float32(iou)
    over &= (area > 0) & (other_area > 0)
    if classes is not None:
        over &= classes[rows][:, np.newaxis] == classes[others][np.newaxis]
    return over


def _area(boxes: _Float32) -> _Float32:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]), np.float32)


def _greedy(over: NDArray[np.bool_]) -> _Indices:
    """Which rows of a block stay; the first one does."""
    alive = np.ones(len(over), np.bool_)
    for row in np.flatnonzero(np.triu(over, 1).any(axis=1)):
        if alive[row]:
            alive[row + 1 :] &= ~over[row, row + 1 :]
    return np.flatnonzero(alive)
