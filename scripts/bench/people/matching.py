"""Which detections are right: COCO's greedy matching at one overlap, and the average precision that follows from it.

As pycocotools does it, which evaluate.py uses; here each detection keeps its verdict, for tables and for pictures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from bench.people.split import Floats, Found, Integers, Truth

OVERLAP = 0.5
DETECTIONS = 100
ALL_SIDES_PX = (0.0, float("inf"))
RIGHT, FALSE, IGNORED = 1, 0, -1


@dataclass(frozen=True)
class Verdict:
    """What the detections of one class on one picture are worth.

    rows: (N,) of the picture's detections. verdicts: (N,) RIGHT, FALSE or IGNORED. scores: (N,), descending.
    truths: (M,) rows of the truth that are asked for. hit_scores: (M,) score of what found each, 0 for a miss.
    """

    rows: Integers
    verdicts: Integers
    scores: Floats
    truths: Integers
    hit_scores: Floats


def judge(
    truth: Truth, found: Found, *, class_id: int, sides_px: tuple[float, float] = ALL_SIDES_PX, overlap: float = OVERLAP
) -> Verdict:
    """Match one class on one picture; what has a shorter side outside `sides_px` is neither asked for nor punished."""
    truths = np.flatnonzero(truth.classes == class_id)
    rows = np.flatnonzero(found.classes == class_id)[:DETECTIONS]
    unasked = truth.ignored[truths] | ~within(truth.boxes[truths], sides_px)
    truths, unasked = truths[np.argsort(unasked, kind="stable")], np.sort(unasked)
    crowd = truth.ignored[truths]
    overlaps = overlap_of(found.boxes[rows], truth.boxes[truths], crowd)
    taken = np.zeros(len(truths), np.bool_)
    hit_scores = np.zeros(len(truths), np.float32)
    verdicts = np.where(within(found.boxes[rows], sides_px), FALSE, IGNORED)
    for row, own in enumerate(overlaps):
        match = _best(own, taken & ~crowd, unasked, overlap)
        if match is not None:
            taken[match] = True
            hit_scores[match] = max(hit_scores[match], found.scores[rows[row]])
            verdicts[row] = IGNORED if unasked[match] else RIGHT
    asked = ~unasked
    return Verdict(rows, verdicts, found.scores[rows], truths[asked], hit_scores[asked])


def _best(overlaps: Floats, closed: npt.NDArray[np.bool_], unasked: npt.NDArray[np.bool_], least: float) -> int | None:
    """The truth that overlaps most; one that is not asked for only where none that is asked for overlaps enough."""
    for group in (~unasked, unasked):
        open_overlaps = np.where(group & ~closed, overlaps, -1.0)
        if len(open_overlaps) and open_overlaps.max() >= least:
            return int(open_overlaps.argmax())
    return None


def within(boxes: Floats, sides_px: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """(N,) whether the shorter side lies in the range, both ends included."""
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf)
    return np.asarray((sides >= sides_px[0]) & (sides <= sides_px[1]), np.bool_)


def overlap_of(boxes: Floats, others: Floats, crowd: npt.NDArray[np.bool_]) -> Floats:
    """(N, M) intersection over union; over the area of the box alone where the other is a crowd."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None]
    other_areas = (others[:, 2:] - others[:, :2]).prod(axis=1)[None]
    union = np.where(crowd[None], areas, areas + other_areas - shared)
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


@dataclass(frozen=True)
class Tally:
    """All verdicts on one class over many pictures.

    right, false: scores of the right and of the false detections. hits: the score of what found each truth, 0 for none.
    """

    right: Floats
    false: Floats
    hits: Floats

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> "Tally":
        kept = list(verdicts)
        none = np.empty(0, np.float32)
        return cls(
            np.concatenate([none, *(one.scores[one.verdicts == RIGHT] for one in kept)]),
            np.concatenate([none, *(one.scores[one.verdicts == FALSE] for one in kept)]),
            np.concatenate([none, *(one.hit_scores for one in kept)]),
        )

    def recall(self, conf: float) -> float:
        """The part of the truths that are found at this score."""
        return float((self.right >= conf).sum() / max(len(self.hits), 1))

    def precision(self, conf: float) -> float:
        """The part of the detections at this score that are right; 1 where there are none."""
        right, false = (self.right >= conf).sum(), (self.false >= conf).sum()
        return float(right / (right + false)) if right + false else 1.0

    def harmonic_mean(self, conf: float) -> float:
        """Of precision and recall at this score: F1."""
        precision, recall = self.precision(conf), self.recall(conf)
        return 2 * precision * recall / max(precision + recall, 1e-9)

    def average_precision(self) -> float:
        """COCO's, of 101 points of recall."""
        precision, recall, _ = self._curve()
        places = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
        return float(np.append(precision, 0.0)[np.minimum(places, len(precision))].mean())

    def recall_at(self, precision: float) -> tuple[float, float]:
        """The highest recall at which precision is still this, and its score."""
        precisions, recalls, scores = self._curve()
        good = np.flatnonzero(precisions >= precision)
        return (float(recalls[good[-1]]), float(scores[good[-1]])) if len(good) else (0.0, 1.0)

    def _curve(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Floats]:
        scores = np.concatenate([self.right, self.false])
        order = np.argsort(-scores, kind="stable")
        right = (order < len(self.right)).cumsum()
        precision = right / np.arange(1, len(order) + 1)
        return np.maximum.accumulate(precision[::-1])[::-1], right / max(len(self.hits), 1), scores[order]


def tally(
    pairs: Sequence[tuple[Truth, Found]], *, class_id: int, sides_px: tuple[float, float] = ALL_SIDES_PX
) -> Tally:
    """Judge many pictures."""
    return Tally.of(judge(truth, found, class_id=class_id, sides_px=sides_px) for truth, found in pairs)
