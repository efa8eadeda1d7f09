"""Where a graph can be cut before its suppression: the boxes and scores of all rows, and how they are read then.

Candidates are tensors of fitting shapes, the nearest to the suppression first, and outputs that exporters call raw.
Each pair is tried on pictures: what CutHead makes of its numbers has to be what the graph itself makes of them. Called
by choosing.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.models.card import Background, Suppression
from streamer.models.heads.raw import RawHeads
from streamer.models.heads.roles import plain
from streamer.models.lowering.flat import FlatGraph, Node, after, source
from streamer.models.runtimes.tensorflow import import_tensorflow

logger = logging.getLogger(__name__)

SUPPRESSIONS = frozenset(
    {f"NonMaxSuppressionV{n}" for n in (2, 3, 4, 5)} | {"NonMaxSuppression", "CombinedNonMaxSuppression"}
)
_RAW_NAMES = ("raw_detection_boxes", "raw_detection_scores")
_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative", "_FusedConv2D", "MatMul"})
_LEAST_ROWS = 16
_MOST_CLASSES = 1203
"""LVIS has that many."""
_USUAL_IOUS = (0.6, 0.5, 0.45, 0.7)
_MOST_PAIRS = 36
_TENSORS = 8
"""So many of each kind are tried."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Two tensors, and how they are read."""

    boxes: str
    scores: str
    heads: RawHeads


@dataclass(frozen=True, slots=True)
class _Suppression:
    """What the graph's own suppression says of itself. iou: None where it is given from outside a loop."""

    iou: float | None
    least_score: float
    most_per_class: int | None
    most: int | None
    """In all."""


Judge = Callable[[RawHeads, Sequence[tuple[NDArray[Any], NDArray[Any]]]], RawHeads | None]
"""Holds what a way of reading makes of boxes and scores, a pair a picture, against what the graph made of the pictures;
the way with the ids of the classes put right, or None."""


def suppressions(flat: FlatGraph) -> list[Node]:
    """The nodes that suppress, in the graph itself and in the bodies of its loops."""
    return [node for nodes in _bodies(flat) for node in nodes if node.op in SUPPRESSIONS]


def _bodies(flat: FlatGraph) -> list[Sequence[Node]]:
    return [flat.definition.node, *(function.node_def for function in flat.definition.library.function)]


def find_cut(flat: FlatGraph, pictures: Sequence[NDArray[Any]], judge: Judge, *, most: int) -> Cut | None:
    """The cut that gives what the graph gives; None where there is none.

    pictures: what the signature takes, a batch each. most: how many detections the graph gives at most.
    """
    pairs = list(islice(_pairs(flat), _MOST_PAIRS))
    known = _known(flat) if pairs else []
    if not known:
        return None
    tensors = list(dict.fromkeys(tensor for pair in pairs for tensor in pair))
    try:
        fetch = flat.caller(tensors)
        values = [dict(zip(tensors, fetch(picture), strict=True)) for picture in pictures]
    except ModelError as error:
        logger.debug("no cut before suppression: %s", error)
        return None
    classes = len(suppressions(flat))
    for boxes, scores in pairs:
        seen = [(found[boxes], found[scores]) for found in values]
        is_raw = scores in _raw(flat).values()
        for suppression in known:
            for heads in _ways(suppression, *seen[0], most=most, classes=classes, is_raw=is_raw):
                fitting = judge(heads, seen)
                if fitting is not None:
                    return Cut(boxes, scores, fitting)
    return None


def _known(flat: FlatGraph) -> list[_Suppression]:
    """What all suppressing nodes have in common, each way that it may be; none where they differ, or score softly."""
    found = set()
    for body in _bodies(flat):
        nodes = {node.name: node for node in body}
        found |= {_read(nodes, node) for node in body if node.op in SUPPRESSIONS}
    if len(found) != 1:
        return []
    (common,) = found
    if common is None:
        return []
    return [common] if common.iou is not None else [replace(common, iou=iou) for iou in _USUAL_IOUS]


def _read(nodes: Mapping[str, Node], node: Node) -> _Suppression | None:
    combined = node.op == "CombinedNonMaxSuppression"
    places = (4, 5) if combined else (3, 4)
    if node.op == "NonMaxSuppression":
        return _Suppression(float(node.attr["iou_threshold"].f), 0.0, None, None)
    iou = _constant(nodes, node, places[0])
    least = _constant(nodes, node, places[1]) if node.op != "NonMaxSuppressionV2" else 0.0
    sigma = _constant(nodes, node, 5) if node.op == "NonMaxSuppressionV5" else 0.0
    if sigma != 0:
        return None
    lowest = max(0.0, least if least is not None and math.isfinite(least) else 0.0)
    most, in_all = (_limit(_constant(nodes, node, place)) for place in (2, 3 if combined else 2))
    return _Suppression(iou, lowest, most, in_all)


def _limit(number: float | None) -> int | None:
    return None if number is None or number < 1 else int(number)


def _constant(nodes: Mapping[str, Node], node: Node, place: int) -> float | None:
    values = [name for name in node.input if not name.startswith("^")]
    if place >= len(values):
        return None
    constant = nodes.get(source(values[place]))
    while constant is not None and constant.op in {"Identity", "Enter"}:
        constant = nodes.get(source(constant.input[0]))
    if constant is None or constant.op != "Const":
        return None
    value = np.asarray(import_tensorflow().make_ndarray(constant.attr["value"].tensor))
    return float(value.reshape(-1)[0]) if value.size == 1 else None


def _pairs(flat: FlatGraph) -> Iterator[tuple[str, str]]:
    """Boxes and scores that have as many rows, the likeliest first."""
    raw = _raw(flat)
    if all(name in raw for name in _RAW_NAMES):
        yield raw[_RAW_NAMES[0]], raw[_RAW_NAMES[1]]
    tensors, classes = _numbers_between(flat), len(suppressions(flat))
    boxes = [tensor for tensor in tensors if _rows_of_boxes(flat.shape(tensor)) >= _LEAST_ROWS][:_TENSORS]
    for box in boxes:
        rows = _rows_of_boxes(flat.shape(box))
        fitting = [tensor for tensor in tensors if tensor != box and _fits(flat.shape(tensor), rows, classes=classes)]
        yield from product([box], fitting[:_TENSORS])


def _raw(flat: FlatGraph) -> dict[str, str]:
    """The outputs that exporters of the Object Detection API call raw."""
    named = {plain(name): tensor for name, tensor in flat.outputs.items()}
    return {name: named[name] for name in _RAW_NAMES if name in named}


def _numbers_between(flat: FlatGraph) -> list[str]:
    """Tensors of known shape between the last convolutions and suppression, the nearest to suppression first."""
    nodes = flat.nodes()
    starts = [node.name for node in nodes.values() if node.op in _CONVOLUTIONS]
    computed = after((node for node in nodes.values() if node.op != "NextIteration"), starts)
    ends = [node.name for node in nodes.values() if node.op in SUPPRESSIONS]
    depth = _depths(nodes, ends)
    floats = {1, 2, 19}
    found = [
        name
        for name in sorted(depth, key=depth.__getitem__)
        if name in computed and nodes[name].op not in _CONVOLUTIONS and nodes[name].op not in SUPPRESSIONS
    ]
    return [name for name in found if _is_numbers(flat, name, floats)]


def _is_numbers(flat: FlatGraph, name: str, dtypes: set[int]) -> bool:
    try:
        return flat.dtype(name) in dtypes and flat.shape(name) is not None
    except (KeyError, ValueError, IndexError):
        return False


def _depths(nodes: Mapping[str, Node], ends: Sequence[str]) -> dict[str, int]:
    """How many steps before the nearest of `ends` a node stands."""
    depth = dict.fromkeys(ends, 0)
    waiting = list(ends)
    for name in waiting:
        for tensor in nodes[name].input:
            earlier = source(tensor)
            if not tensor.startswith("^") and earlier in nodes and earlier not in depth:
                depth[earlier] = depth[name] + 1
                waiting.append(earlier)
    return depth


def _known_size(shape: tuple[int | None, ...] | None) -> int:
    """How many numbers there are for one picture; 0 where that is open."""
    if not shape:
        return 0
    sides = [side for side in ((1, *shape[1:]) if shape[0] is None else shape) if side is not None]
    return math.prod(sides) if len(sides) == len(shape) else 0


def _rows_of_boxes(shape: tuple[int | None, ...] | None) -> int:
    size = _known_size(shape)
    return size // 4 if shape and shape[-1] == 4 and size % 4 == 0 else 0


def _fits(shape: tuple[int | None, ...] | None, rows: int, *, classes: int) -> bool:
    """Whether it may be the scores of so many rows; classes: how many of them are suppressed one by one."""
    size = _known_size(shape)
    if shape is None or size < rows or size % rows:
        return False
    columns = size // rows
    if columns == 1:
        return classes == 1
    return classes <= columns <= _MOST_CLASSES and shape[-1] == columns


def _ways(
    known: _Suppression, boxes: NDArray[Any], scores: NDArray[Any], *, most: int, classes: int, is_raw: bool
) -> Iterator[RawHeads]:
    """Ways of reading the two that their shapes allow.

    classes: how many nodes suppress; where there are several, one does it for each class, and what is left of the
    columns is the background. is_raw: the API's raw scores, which have the background first.
    """
    if not (np.isfinite(scores).all() and scores.min() >= -1e-3 and scores.max() <= 1 + 1e-3):
        return
    rows = boxes.size // 4
    columns = scores.size // rows
    own = boxes.shape[-2] if boxes.ndim >= 3 else 1
    kinds: Sequence[Suppression] = ("per_class", "agnostic") if columns > 1 else ("per_class",)
    common: dict[str, Any] = {
        "iou": known.iou,
        "least_score": known.least_score,
        "most": min(most, known.most or most) if classes == 1 else most,
        "most_per_class": known.most_per_class,
    }
    for background, nms in product(_backgrounds(columns, classes=classes, is_raw=is_raw), kinds):
        limit = None if nms == "agnostic" else known.most_per_class
        yield RawHeads(
            background=background,
            classes=columns - (background != "none"),
            nms=nms,
            **{**common, "most_per_class": limit},
        )
    if columns == 1 and own > 1 and scores.shape[-1] == own:
        for nms in ("per_class", "agnostic"):
            yield RawHeads(rows="anchors and classes", classes=own, nms=nms, **common)


def _backgrounds(columns: int, *, classes: int, is_raw: bool) -> Sequence[Background]:
    if columns == 1:
        return ("none",)
    if classes > 1:
        if columns == classes:
            return ("none",)
        return ("first", "last") if columns == classes + 1 else ()
    return ("first",) if is_raw else ("none", "first", "last")
