"""How much of what a model saw is due to the picture: the figures by which ways of feeding and reading it are compared.

A detection counts by its score where it is found again, at the mirrored place, on the mirrored picture in less and less
light, and is not there on plain grey. A network that is fed in its own range and order bears darkness best; and x1 of
the mirrored picture is the width less x2 of the picture for one reading of four numbers as a box only. Pure numpy;
called by looking.py and probe.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.frame import SCORE_TOLERANCE
from streamer.models.heads import RawDetections

Boxes = NDArray[np.float64]
Scores = NDArray[np.float64]

LOWEST_SCORE = 0.03
"""Lower scores are not looked at."""

MOST = 20
"""How many detections of a picture count, the strongest first: a flood of weak ones says nothing."""

_LOST_BELOW, _KEPT_FROM = 0.3, 0.7
"""The IoU below which a detection was not found again, and from which it wholly was; in between, in part."""

_SMALLEST_PX = 1.5
"""A narrower box is none that anybody looks for."""

_MOSTLY_INSIDE = 0.3
"""The share of a box that lies in the picture, at least; those at the edges reach over it."""

_UNSOUND = 0.05
"""What a way is still worth, squared, of whose boxes none can be one: numbers in px read as fractions."""

_NOTHING = 0.01
"""The figure of a way that shows nothing; a detection with a score of .1 is worth as much."""

LIGHTS = {0.6: 0.73, 0.4: 0.58, 0.15: 0.58}
"""How bright the mirrored pictures are, and how much evidence the logarithm of a figure is in that light. On faint
objects the first decides, on plain ones the last. Chosen on 30 photographs and five networks whose ranges and orders
were known, so that the shares are about as often right as they say."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The strongest detections of a picture.

    boxes: (N, 4) x1 y1 x2 y2, fractions of the input. scores: descending. soundness: how much of what the head read can
    be detections at all, by the squares of their scores, 0 to 1; 1 where it read nothing.
    """

    boxes: Boxes
    scores: Scores
    class_ids: Scores
    soundness: float


def strongest(raw: RawDetections, *, size_px: tuple[int, int]) -> Seen:
    """What counts of what a head read: boxes that can be some with real scores, cut off at the edges of the input."""
    scores, class_ids = np.asarray(raw.scores, np.float64), np.asarray(raw.class_ids, np.float64)
    with np.errstate(invalid="ignore"):
        scored = np.flatnonzero((scores >= LOWEST_SCORE) & (scores <= 1 + SCORE_TOLERANCE) & np.isfinite(class_ids))
    scored = scored[np.argsort(-scores[scored], kind="stable")]
    boxes, sound = _cut_off(np.asarray(raw.boxes, np.float64)[scored], size_px)
    squares = scores[scored[:MOST]] ** 2
    soundness = float(squares[sound[:MOST]].sum() / squares.sum()) if len(scored) else 1.0
    rows = np.flatnonzero(sound)[:MOST]
    kept = scored[rows]
    return Seen(boxes[rows], scores[kept], np.rint(class_ids[kept]), soundness)


def figure(seen: Seen, *, mirrored: Seen, plain: Seen) -> float:
    """The sum of squares of the scores that the picture accounts for; 0 or more.

    mirrored: what was seen on the mirrored picture; plain: on a picture of nothing.
    """
    lasting = _lasting(seen, _mirror_image(mirrored))
    return float((np.maximum(lasting - _anyway(seen, plain), 0.0) ** 2).sum())


def shares(
    figures: NDArray[np.float64], soundness: NDArray[np.float64], weights: Sequence[float]
) -> NDArray[np.float64]:
    """How likely each way is, 0 to 1 and 1 together.

    figures: (ways, pictures, LIGHTS). soundness: (ways, pictures). weights: how likely each way was before. Evidence
    grows with the square root of the number of pictures: what misleads a model on one often does on the next.
    """
    seen = np.log(figures.mean(axis=1) + _NOTHING) @ np.array(list(LIGHTS.values()))
    each = seen + 2 * np.log(soundness.mean(axis=1) + _UNSOUND)
    evidence = math.sqrt(figures.shape[1]) * each + np.log(weights)
    likelihoods = np.exp(evidence - evidence.max())
    return np.asarray(likelihoods / likelihoods.sum(), np.float64)


def overlaps(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """(N, M) intersections over unions."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas, other_areas = ((found[:, 2:] - found[:, :2]).prod(axis=1) for found in (boxes, others))
    return np.asarray(shared / np.maximum(areas[:, None] + other_areas[None] - shared, 1e-12), np.float64)


def _cut_off(boxes: Boxes, size_px: tuple[int, int]) -> tuple[Boxes, NDArray[np.bool_]]:
    """(N, 4) boxes in px as fractions of the input, inside it, and which of them can be boxes of something."""
    with np.errstate(invalid="ignore", over="ignore"):
        inside = np.clip(boxes, 0.0, size_px * 2)
        sides, left = boxes[:, 2:] - boxes[:, :2], inside[:, 2:] - inside[:, :2]
        sound = np.isfinite(boxes).all(axis=1) & (left >= _SMALLEST_PX).all(axis=1)
        sound &= left.prod(axis=1) >= _MOSTLY_INSIDE * np.abs(sides).prod(axis=1)
    return inside / (size_px * 2), sound


def _mirror_image(seen: Seen) -> Seen:
    left, top, right, bottom = seen.boxes.T
    return replace(seen, boxes=np.stack([1 - right, top, 1 - left, bottom], axis=1))


def _lasting(seen: Seen, again: Seen) -> Scores:
    """The score with which each detection was found again, one for one, weighed by how well it fits."""
    found = overlaps(seen.boxes, again.boxes) * (seen.class_ids[:, None] == again.class_ids[None])
    lasting = np.zeros(len(seen.scores))
    for row in range(len(lasting) if len(again.scores) else 0):
        other = int(found[row].argmax())
        fit = (found[row, other] - _LOST_BELOW) / (_KEPT_FROM - _LOST_BELOW)
        lasting[row] = min(seen.scores[row], again.scores[other]) * min(max(fit, 0.0), 1.0)
        found[:, other] = 0.0
    return lasting


def _anyway(seen: Seen, plain: Seen) -> Scores:
    """The score with which something is seen at the place of each detection where there is nothing; 0 for none."""
    there = overlaps(seen.boxes, plain.boxes) > _LOST_BELOW
    return np.asarray((there * plain.scores[None]).max(axis=1, initial=0.0), np.float64)
