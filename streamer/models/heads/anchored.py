"""The head of raw SSD outputs: offsets from anchors, and scores of every class for each. Made by building.py."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import AnchorHead
from streamer.models.heads import Outputs, RawDetections
from streamer.models.heads.coding import decode
from streamer.models.heads.reading import remaining, rows, suppression_text, wrong_shape
from streamer.models.heads.scoring import Scoring


@dataclass(frozen=True, slots=True, eq=False)
class AnchoredBoxes:
    """Boxes that lie around `anchors`, (N, 4) cx cy w h as fractions of the input.

    A row counts for every class that reaches the threshold where suppression goes class by class, as the Object
    Detection API and TFLite_Detection_PostProcess have it; else for its best one.
    """

    card: AnchorHead
    boxes: str
    scores: str
    anchors: NDArray[np.float64]
    class_count: int | None = None

    @property
    def reads(self) -> Mapping[str, str]:
        return {"boxes": self.boxes, "scores": self.scores}

    @property
    def first_class_id(self) -> int:
        return self._scoring.first_class_id

    def describe(self) -> str:
        parts = [f"{len(self.anchors)} anchors", self.card.coding]
        if self.card.activation != "none":
            parts.append(self.card.activation)
        return ", ".join([*parts, suppression_text(self.card.nms, self.card.iou)])

    def read(self, outputs: Outputs, *, input_size_px: tuple[int, int], conf: float, max_det: int) -> RawDetections:
        card, count = self.card, len(self.anchors)
        scores = rows(outputs, self.scores, count=count)
        if self._scoring.classes_of(scores.shape[1]) < 1:
            raise wrong_shape(self.scores, scores.shape, "scores of a class beside the background")
        numbers = rows(outputs, self.boxes, count=count)
        if numbers.shape[1] < 4:
            raise wrong_shape(self.boxes, numbers.shape, "4 numbers a row")
        found = self._scoring.candidates(scores, conf=conf, several=card.nms == "per_class")
        boxes = decode(
            numbers[found.rows, :4],
            self.anchors[found.rows],
            coding=card.coding,
            order=card.order,
            variances=card.variances,
            input_size_px=input_size_px,
        )
        return remaining(boxes, found.scores, found.class_ids, nms=card.nms, iou=card.iou, max_det=max_det)

    @property
    def _scoring(self) -> Scoring:
        return Scoring(self.card.activation, self.card.background)
