"""Heads: from what a model gives to boxes in pixels of its input. One module a kind; all are pure numpy.

`Head` is what they have in common. `build_head` in building.py makes one from a card.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Outputs = Mapping[str, NDArray[Any]]
"""What the graph gave for one image, by name; a batch dimension of one may be there or not."""


@dataclass(frozen=True, slots=True, eq=False)
class RawDetections:
    """What a head read. Not yet checked: `Detections.from_raw` drops and counts what is no detection.

    boxes: (N, 4) float64 x1 y1 x2 y2 in pixels of the model's input. scores: (N,). class_ids: (N,), the model's own.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    class_ids: NDArray[np.float64]


class Head(Protocol):
    """How one model's outputs are read."""

    @property
    def reads(self) -> Mapping[str, str]:
        """The outputs that it reads, by the part they play: `{"boxes": "raw_boxes", "scores": "raw_scores"}`."""

    @property
    def first_class_id(self) -> int | None:
        """The id of the first class that is no background; None where only the model knows."""

    @property
    def class_count(self) -> int | None:
        """How many classes there are, background not counted; None where the outputs do not tell."""

    def describe(self) -> str:
        """A few words for people: `12804 anchors, sigmoid, NMS per class at IoU 0.6`."""

    def read(self, outputs: Outputs, *, input_size_px: tuple[int, int], conf: float, max_det: int) -> RawDetections:
        """The detections of one image with a score of `conf` or more (rows below may be left in: they are cut later).

        input_size_px: (width, height) of what the model was given. max_det: the most that are wanted.
        Not finite numbers are passed on, not repaired. Raises ModelError for outputs that are not what was promised.
        """
