"""The head of one output with a detection a row, in columns. Made by building.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import BOX_COLUMNS, Column, RowsHead
from streamer.models.heads import Outputs, RawDetections
from streamer.models.heads.coding import corners, unit_of
from streamer.models.heads.decoded import ONLY_CLASS
from streamer.models.heads.reading import output, remaining, suppression_text, wrong_shape
from streamer.models.heads.scoring import PADDING


@dataclass(frozen=True, slots=True)
class DetectionRows:
    """Rows of finished detections. Rows of padding, which have a score of 0 or less, are left out."""

    card: RowsHead
    rows: str
    class_count: int | None = None

    @property
    def reads(self) -> Mapping[str, str]:
        return {"rows": self.rows}

    @property
    def first_class_id(self) -> int | None:
        return None if "class" in self.card.columns else ONLY_CLASS

    def describe(self) -> str:
        text = f"finished rows: {' '.join(self.card.columns)}"
        return text if self.card.nms == "none" else f"{text}, {suppression_text(self.card.nms, self.card.iou)}"

    def read(self, outputs: Outputs, *, input_size_px: tuple[int, int], conf: float, max_det: int) -> RawDetections:
        found = self._table(outputs)
        scores = self._column(found, "score")
        with np.errstate(invalid="ignore"):
            found = found[~(scores < max(conf, PADDING))]
        scores = np.asarray(self._column(found, "score"), np.float64)
        has_class = "class" in self.card.columns
        ids = self._column(found, "class") if has_class else np.full(len(found), ONLY_CLASS)
        order, columns = next(
            (kind, names) for kind, names in BOX_COLUMNS.items() if set(names) <= set(self.card.columns)
        )
        numbers = np.stack([self._column(found, name) for name in columns], axis=1)
        boxes = corners(numbers, order=order, unit=self.card.unit or unit_of(numbers), input_size_px=input_size_px)
        ids = np.asarray(ids, np.float64)
        return remaining(boxes, scores, ids, nms=self.card.nms, iou=self.card.iou, max_det=max_det)

    def _table(self, outputs: Outputs) -> NDArray[Any]:
        found, width = output(outputs, self.rows), len(self.card.columns)
        if found.ndim < 2 or found.shape[-1] < width:
            raise wrong_shape(self.rows, found.shape, f"{width} numbers a row")
        return found.reshape(-1, found.shape[-1])

    def _column(self, table: NDArray[Any], name: Column) -> NDArray[Any]:
        return table[:, self.card.columns.index(name)]
