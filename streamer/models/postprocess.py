"""From what a model gave to Detections in pixels of the frame. Everything goes through `Detections.from_raw`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.frame import MAX_DETECTIONS, Detections
from streamer.models.preprocess import Placement
from streamer.models.signature import Roles, TensorSpec

ONLY_CLASS = 1
"""The id of what a model without classes sees; the ids of the Object Detection API begin with it."""

_PADDING = float(np.finfo(np.float32).tiny)
"""A row with a lower score is padding; exports fill up to a fixed number of rows with zeros."""


def read_detections(
    outputs: Mapping[str, NDArray[Any]],
    roles: Roles,
    *,
    placement: Placement,
    conf: float,
    max_det: int,
    classes: frozenset[int] | None,
) -> Detections:
    """The detections of one image.

    outputs: by name, for a single image, with or without a batch dimension.
    conf, max_det, classes: as `Detections.from_raw` takes them.

    Raises ModelError when the outputs are not what the signature promised.
    """
    boxes, scores = _rows(outputs, roles.boxes, width=4), _rows(outputs, roles.scores)
    class_ids = np.full(len(scores), ONLY_CLASS) if roles.classes is None else _rows(outputs, roles.classes)
    if not len(boxes) == len(scores) == len(class_ids):
        raise ModelError(f"the model gave {len(boxes)} boxes, {len(scores)} scores and {len(class_ids)} classes")
    count = _count(outputs, roles.count, rows=len(scores))
    return Detections.from_raw(
        placement.boxes_to_frame(boxes[:count]),
        scores[:count],
        class_ids[:count],
        size_px=placement.frame_size_px,
        conf=max(conf, _PADDING),
        max_det=min(max_det, MAX_DETECTIONS),
        classes=classes,
    )


def _rows(outputs: Mapping[str, NDArray[Any]], spec: TensorSpec, *, width: int | None = None) -> NDArray[Any]:
    """An output without its batch dimension: (N,), or (N, width)."""
    found = np.asarray(outputs[spec.name])
    rank = 1 if width is None else 2
    rows = found[0] if found.ndim == rank + 1 and len(found) == 1 else found
    if rows.ndim != rank or (width is not None and rows.shape[-1] != width):
        raise ModelError(f"the model gave {spec.name} of shape {found.shape}")
    return rows


def _count(outputs: Mapping[str, NDArray[Any]], spec: TensorSpec | None, *, rows: int) -> int:
    """How many rows count; all of them where the model's own number makes no sense."""
    if spec is None:
        return rows
    values = np.asarray(outputs[spec.name], np.float64).ravel()
    return round(float(values[0])) if len(values) == 1 and 0 <= values[0] <= rows else rows
