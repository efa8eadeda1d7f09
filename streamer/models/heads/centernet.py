"""The head of raw CenterNet outputs: a heat map for each class, sizes and offsets. Made by building.py.

Zhou and others, Objects as Points, 2019: a cell that is the highest of its 3x3 neighbours is a detection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import CenterNetHead
from streamer.models.heads import Outputs, RawDetections
from streamer.models.heads.reading import output, remaining, suppression_text, wrong_shape
from streamer.models.heads.scoring import Scoring

_NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


@dataclass(frozen=True, slots=True)
class CenterPoints:
    """Peaks of heat maps, [H,W,C]; sizes and offsets, [H,W,2], at the peak."""

    card: CenterNetHead
    heatmap: str
    sizes: str
    offsets: str | None = None
    class_count: int | None = None

    @property
    def reads(self) -> Mapping[str, str]:
        names = {"heatmap": self.heatmap, "sizes": self.sizes, "offsets": self.offsets}
        return {part: name for part, name in names.items() if name is not None}

    @property
    def first_class_id(self) -> int:
        return 0

    def describe(self) -> str:
        return f"peaks of heat maps, {suppression_text(self.card.nms, self.card.iou)}"

    def read(self, outputs: Outputs, *, input_size_px: tuple[int, int], conf: float, max_det: int) -> RawDetections:
        heat = _map(outputs, self.heatmap)
        height, width, _ = heat.shape
        found = Scoring(self.card.activation).candidates(heat.reshape(height * width, -1), conf=conf, several=True)
        at_peak = _peaks(heat, found.rows, found.class_ids.astype(np.intp))
        rows, scores, ids = found.rows[at_peak], found.scores[at_peak], found.class_ids[at_peak]
        cell_px = np.asarray(input_size_px, np.float64) / (width, height)
        middles = np.stack([rows % width, rows // width], axis=1) + self._pairs(outputs, self.offsets, rows, heat)
        sides = self._pairs(outputs, self.sizes, rows, heat) * (cell_px if self.card.unit == "cells" else 1)
        with np.errstate(over="ignore", invalid="ignore"):
            boxes = np.concatenate([middles * cell_px - sides / 2, middles * cell_px + sides / 2], axis=1)
        return remaining(boxes, scores, ids, nms=self.card.nms, iou=self.card.iou, max_det=max_det)

    def _pairs(
        self, outputs: Outputs, name: str | None, rows: NDArray[np.intp], heat: NDArray[Any]
    ) -> NDArray[np.float64]:
        """(N, 2) x y of a map at some cells; nothing where there is no such map."""
        if name is None:
            return np.zeros((len(rows), 2))
        found = _map(outputs, name)
        if found.shape != (*heat.shape[:2], 2):
            raise wrong_shape(name, found.shape, f"{heat.shape[0]}x{heat.shape[1]} pairs")
        pairs = np.asarray(found.reshape(-1, 2)[rows], np.float64)
        return pairs[:, ::-1] if self.card.order == "hw" else pairs


def _map(outputs: Outputs, name: str) -> NDArray[Any]:
    found = output(outputs, name)
    laid = found[0] if found.ndim == 4 and len(found) == 1 else found
    if laid.ndim != 3 or laid.size == 0:
        raise wrong_shape(name, found.shape, "maps, [1,height,width,channels],")
    return laid


def _peaks(heat: NDArray[Any], rows: NDArray[np.intp], channels: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which cells have no higher neighbour."""
    height, width, _ = heat.shape
    y, x = rows // width, rows % width
    own = heat[y, x, channels]
    highest = np.ones(len(rows), np.bool_)
    for down, right in _NEIGHBOURS:
        other_y, other_x = y + down, x + right
        inside = (other_y >= 0) & (other_y < height) & (other_x >= 0) & (other_x < width)
        other = heat[np.clip(other_y, 0, height - 1), np.clip(other_x, 0, width - 1), channels]
        with np.errstate(invalid="ignore"):
            highest &= ~(inside & (other > own))
    return highest
