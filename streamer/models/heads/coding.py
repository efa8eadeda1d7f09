"""Box codings: from what a raw head says of its anchors, and from the usual orders of four numbers, to corners in px.

Called by the heads, with the few rows that are worth decoding.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamer.models.options import Order, Unit

Coding = Literal["centre", "linear", "distance"]
RawOrder = Literal["cycxhw", "cxcywh"]
Boxes = NDArray[np.float64]
Size = tuple[int, int]

_LARGEST_FRACTION = 2.0
"""Boxes reach over the edge of the picture, but not by a whole picture."""


def decode(
    numbers: NDArray[np.generic],
    anchors: Boxes,
    *,
    coding: Coding,
    order: RawOrder,
    variances: tuple[float, float, float, float],
    input_size_px: Size,
) -> Boxes:
    """(N, 4) numbers of a raw head and their (N, 4) anchors -> (N, 4) x1 y1 x2 y2 in px of the input.

    anchors: cx cy w h as fractions of the input. `centre`: faster_rcnn_box_coder.py of the Object Detection API, whose
    scale factors are one over the variances. `linear`: tflite_tensors_to_detections_calculator.cc of MediaPipe, whose
    scales are the size of the input. `distance`: Tian and others, FCOS, 2019.
    """
    values = np.asarray(numbers, np.float64)
    if coding != "linear":
        values = values * variances
    if order == "cycxhw":
        values = values[:, [1, 0, 3, 2]]
    size = np.asarray(input_size_px, np.float64)
    middles, sides = anchors[:, :2] * size, anchors[:, 2:] * size
    with np.errstate(over="ignore", invalid="ignore"):
        if coding == "distance":
            return np.concatenate([middles - values[:, :2] * sides, middles + values[:, 2:] * sides], axis=1)
        if coding == "linear":
            scale = anchors[:, 2:]
            return _cornered(middles + values[:, :2] * scale, values[:, 2:] * scale)
        return _cornered(middles + values[:, :2] * sides, np.exp(values[:, 2:]) * sides)


def corners(boxes: NDArray[np.generic], *, order: Order, unit: Unit, input_size_px: Size) -> Boxes:
    """(N, 4) boxes in one of the usual orders -> (N, 4) x1 y1 x2 y2 in px of the input."""
    values = np.asarray(boxes, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        if order == "yxyx":
            values = values[:, [1, 0, 3, 2]]
        elif order == "cxcywh":
            values = _cornered(values[:, :2], values[:, 2:])
        elif order == "xywh":
            values = np.concatenate([values[:, :2], values[:, :2] + values[:, 2:]], axis=1)
        return values * (*input_size_px, *input_size_px) if unit == "fraction" else values


def unit_of(boxes: NDArray[np.generic]) -> Unit:
    """What the numbers of boxes, (N, 4), show of their unit: fractions where most boxes are of small ones.

    One network is exported with either. A box in px that is not larger than this is none that anybody looks for.
    """
    values = np.abs(np.asarray(boxes, np.float64))
    largest = np.where(np.isfinite(values), values, 0.0).max(axis=1, initial=0.0)
    small = np.count_nonzero(largest <= _LARGEST_FRACTION)
    return "fraction" if 0 < small >= len(largest) / 2 else "px"


def _cornered(middles: Boxes, sides: Boxes) -> Boxes:
    return np.concatenate([middles - sides / 2, middles + sides / 2], axis=1)
