"""From a score for every class of every row to the few rows that are worth decoding. Called by the heads.

Thresholds come before everything else: the highest raw number of a row is compared with what the threshold would be
before its activation, and only rows that may pass it are looked at further.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import Activation, Background
from streamer.models.heads.suppression import MAX_CANDIDATES, strongest

PADDING = float(np.finfo(np.float32).tiny)
"""A row with a lower score is padding; exports fill up to a fixed number of rows with zeros."""

_MARGIN = 1e-4
"""How far below the threshold raw numbers may lie and still be looked at: more than rounding can do."""

_SURE = 30.0
"""The sigmoid of more is 1 to a float32."""


class Candidates(NamedTuple):
    """Rows whose score may be high enough: their indices, class ids and scores."""

    rows: NDArray[np.intp]
    class_ids: NDArray[np.float64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scoring:
    """How the scores of all classes are read: what makes them probabilities, and where the background stands."""

    activation: Activation = "none"
    background: Background = "none"

    @property
    def first_class_id(self) -> int:
        """A class's id is its column."""
        return 1 if self.background == "first" else 0

    def classes_of(self, columns: int) -> int:
        """How many classes that many columns tell apart; 0 or less for too few."""
        return columns - (self.background != "none")

    def candidates(self, raw: NDArray[Any], *, conf: float, several: bool) -> Candidates:
        """What of (N, C) raw scores may reach `conf`; scores that are not numbers are among it.

        several: a row counts once for every class that reaches it, else for its best one alone. Of a flood, those with
        the highest scores are given.
        """
        conf = max(conf, PADDING)
        raw = raw if raw.dtype in {np.dtype(np.float32), np.dtype(np.float64)} else raw.astype(np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            rows = self._promising(raw, conf)
            scores = self._classes(self._activated(np.asarray(raw[rows], np.float64)))
            best = scores.argmax(axis=1) if len(rows) else np.empty(0, np.intp)
            which, columns = np.arange(len(rows)), best
            if several:
                broken = np.flatnonzero(np.isnan(scores[which, best]))
                which, columns = np.nonzero(scores >= conf)
                which, columns = np.concatenate([which, broken]), np.concatenate([columns, best[broken]])
            chosen = scores[which, columns]
            passing = np.flatnonzero(~(chosen < conf))
        if len(passing) > MAX_CANDIDATES:
            passing = passing[strongest(chosen[passing], limit=MAX_CANDIDATES)]
        ids = (columns[passing] + self.first_class_id).astype(np.float64)
        return Candidates(rows[which[passing]], ids, chosen[passing])

    def _classes(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Without the background's column."""
        return scores[:, slice(self.first_class_id, -1 if self.background == "last" else None)]

    def _promising(self, raw: NDArray[Any], conf: float) -> NDArray[np.intp]:
        """Rows that the threshold does not rule out."""
        lowest: float | NDArray[Any] = conf * (1 - _MARGIN)
        if self.activation == "sigmoid":
            lowest = min(math.log(conf) - math.log1p(-conf), _SURE) - _MARGIN if conf < 1 else _SURE
        elif self.activation == "softmax":  # a score is at most e**(its number - the highest of its row)
            lowest = raw.max(axis=1, keepdims=True) + raw.dtype.type(math.log(conf) - _MARGIN)
        passing = ~(raw < lowest)
        if self.background != "none":
            passing[:, 0 if self.background == "first" else -1] = False
        rows = np.flatnonzero(passing) // raw.shape[1]
        return np.asarray(rows[np.flatnonzero(np.diff(rows, prepend=-1))])

    def _activated(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.activation == "sigmoid":
            return sigmoid(raw)
        if self.activation == "softmax":
            powers = np.exp(raw - raw.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))
        return raw


def sigmoid(raw: NDArray[Any]) -> NDArray[np.float64]:
    """1 / (1 + e**-raw)."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-np.asarray(raw, np.float64))))
