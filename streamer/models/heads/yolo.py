"""The head of a YOLO without suppression: box and scores of every class in one output. Made by building.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import YoloHead
from streamer.models.heads import Outputs, RawDetections
from streamer.models.heads.coding import corners, unit_of
from streamer.models.heads.reading import output, remaining, suppression_text, wrong_shape
from streamer.models.heads.scoring import Candidates, Scoring, sigmoid


@dataclass(frozen=True, slots=True)
class YoloRows:
    """Rows of four numbers of the box, perhaps a score of there being an object, and a score for each class."""

    card: YoloHead
    rows: str
    class_count: int | None = None

    @property
    def reads(self) -> Mapping[str, str]:
        return {"rows": self.rows}

    @property
    def first_class_id(self) -> int:
        return 0

    def describe(self) -> str:
        objects = ", with objectness" if self.card.objectness else ""
        return f"YOLO{objects}, {suppression_text(self.card.nms, self.card.iou)}"

    def read(self, outputs: Outputs, *, input_size_px: tuple[int, int], conf: float, max_det: int) -> RawDetections:
        table = self._table(outputs)
        found = self._found(table, conf)
        numbers = np.asarray(table[found.rows, :4], np.float64)
        boxes = corners(
            numbers, order=self.card.order, unit=self.card.unit or unit_of(numbers), input_size_px=input_size_px
        )
        return remaining(boxes, found.scores, found.class_ids, nms=self.card.nms, iou=self.card.iou, max_det=max_det)

    def _table(self, outputs: Outputs) -> NDArray[Any]:
        """(N, numbers a row)."""
        found = output(outputs, self.rows)
        table = found[0] if found.ndim == 3 and len(found) == 1 else found
        if table.ndim == 2 and self.card.transposed:
            table = table.T
        if table.ndim != 2 or table.shape[1] < 5 + self.card.objectness:
            raise wrong_shape(self.rows, found.shape, "rows of a box and its scores")
        return table

    def _found(self, table: NDArray[Any], conf: float) -> Candidates:
        scoring = Scoring(self.card.activation)
        if not self.card.objectness:
            return scoring.candidates(table[:, 4:], conf=conf, several=False)
        objects = Scoring(self.card.activation).candidates(table[:, 4:5], conf=conf, several=False)
        found = scoring.candidates(table[objects.rows, 5:], conf=conf, several=False)
        rows = objects.rows[found.rows]
        raw = np.asarray(table[rows, 4], np.float64)
        scores = found.scores * (sigmoid(raw) if self.card.activation == "sigmoid" else raw)
        with np.errstate(invalid="ignore"):
            passing = ~(scores < conf)
        return Candidates(rows[passing], found.class_ids[passing], scores[passing])
