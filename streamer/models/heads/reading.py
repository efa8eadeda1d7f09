"""What the heads have in common: taking an output out of what a graph gave, and handing on what is left at the end."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.models.card import Suppression
from streamer.models.heads import Outputs, RawDetections
from streamer.models.heads.suppression import suppress
from streamer.text import printable


def output(outputs: Outputs, name: str) -> NDArray[Any]:
    """One output as it came. Raises ModelError where it did not."""
    if name not in outputs:
        raise ModelError(f"the model gave no {printable(name)}")
    return np.asarray(outputs[name])


def rows(outputs: Outputs, name: str, *, count: int) -> NDArray[Any]:
    """An output of any shape as (count, numbers a row). `[.., numbers, count]` is transposed. Raises ModelError."""
    found = output(outputs, name)
    if found.ndim >= 2 and found.shape[-1] == count != found.shape[-2] and found.size == count * found.shape[-2]:
        return found.reshape(-1, count).T
    if found.size == 0 or found.size % count:
        raise wrong_shape(name, found.shape, f"{count} rows")
    return found.reshape(count, -1)


def wrong_shape(name: str, shape: Sequence[int], wanted: str) -> ModelError:
    """For an output of another shape than it should have."""
    dimensions = ",".join(map(str, shape))
    return ModelError(f"the model gave {printable(name)} of shape [{dimensions}], where {wanted} are wanted")


def remaining(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    class_ids: NDArray[np.float64],
    *,
    nms: Suppression,
    iou: float,
    max_det: int,
) -> RawDetections:
    """What suppression leaves, and behind it the rows that are not finite, so that they are counted."""
    if nms == "none":
        return RawDetections(boxes, scores, class_ids)
    kept = suppress(boxes, scores, class_ids, iou=iou, per_class=nms == "per_class", max_det=max_det)
    broken = np.flatnonzero(~(np.isfinite(scores) & np.isfinite(boxes).all(axis=1)))
    chosen = np.concatenate([kept, broken])
    return RawDetections(boxes[chosen], scores[chosen], class_ids[chosen])


def suppression_text(nms: Suppression, iou: float) -> str:
    """For people: `NMS per class at IoU 0.6`."""
    kinds = {"per_class": "NMS per class", "agnostic": "NMS over all classes", "none": "no NMS"}
    return kinds[nms] if nms == "none" else f"{kinds[nms]} at IoU {iou:g}"
