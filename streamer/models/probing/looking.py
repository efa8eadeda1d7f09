"""Running a model on pictures in every way that is asked for, and what each way shows of them. Called by probe.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.frame import MAX_DETECTIONS, Detections, Image
from streamer.models.heads import Outputs
from streamer.models.loaded import Graph
from streamer.models.plan import InputPlan, Plan
from streamer.models.preprocess import ImageInput
from streamer.models.probing.evidence import LOWEST_SCORE, Seen, figure, strongest
from streamer.models.probing.ways import Way

_DIMMED = 0.6
"""How bright the mirrored picture is: a network that is fed in its own range bears that best."""

_GREY = 127
"""A picture on which nothing is to be seen, in whatever range or order."""

_ID_COUNTS_FROM = 0.1
"""The lowest score with which a class id counts as seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one way showed. figures, soundness, detections: for each picture. class_ids: all that were seen."""

    way: Way
    figures: tuple[float, ...]
    soundness: tuple[float, ...]
    class_ids: frozenset[int]
    detections: tuple[Detections, ...]


def look_at(graph: Graph, ways: Sequence[Way], pictures: Sequence[Image], *, conf: float) -> tuple[list[Look], int]:
    """What each way shows, and how often the graph was run: ways that feed it alike share the runs.

    ways: those that feed it alike beside each other. conf: the lowest score of the detections that are given.

    Raises ModelError when the model fails.
    """
    looks: list[Look] = []
    runs = 0
    for plan, group in groupby(ways, key=lambda way: way.plan.input):
        outputs = _Outputs.of(graph, plan, pictures)
        looks += [_look(way, outputs, pictures, conf=conf) for way in group]
        runs += 2 * len(pictures) + 1
    return looks, runs


@dataclass(frozen=True, slots=True, eq=False)
class _Outputs:
    """Of the graph: for each picture, for each one mirrored and dimmed, and for plain grey."""

    straight: tuple[Outputs, ...]
    mirrored: tuple[Outputs, ...]
    plain: Outputs

    @classmethod
    def of(cls, graph: Graph, plan: InputPlan, pictures: Sequence[Image]) -> "_Outputs":
        image_input = ImageInput(plan)

        def run(picture: Image) -> Outputs:
            return _first(graph.run(image_input.to_tensor(picture)), batch=image_input.batch)

        width, height = plan.size_px
        return cls(
            tuple(run(picture) for picture in pictures),
            tuple(run(_mirrored(picture)) for picture in pictures),
            run(np.full((height, width, 3), _GREY, np.uint8)),
        )


def _mirrored(picture: Image) -> Image:
    """The picture from right to left, as in less light."""
    return np.ascontiguousarray(picture[:, ::-1] * _DIMMED, np.uint8)


def _first(outputs: Mapping[str, NDArray[Any]], *, batch: int) -> Outputs:
    """The outputs of the first image of a batch."""
    if batch == 1:
        return outputs
    return {name: found[:1] if np.ndim(found) and len(found) == batch else found for name, found in outputs.items()}


def _look(way: Way, outputs: _Outputs, pictures: Sequence[Image], *, conf: float) -> Look:
    plain = _seen(way.plan, outputs.plain)
    seen, mirrored = ([_seen(way.plan, found) for found in each] for each in (outputs.straight, outputs.mirrored))
    return Look(
        way,
        tuple(figure(one, mirrored=other, plain=plain) for one, other in zip(seen, mirrored, strict=True)),
        tuple(one.soundness for one in seen),
        frozenset(int(n) for one in seen for n in one.class_ids[one.scores >= _ID_COUNTS_FROM].tolist()),
        tuple(
            _detections(way.plan, found, picture, conf=conf)
            for found, picture in zip(outputs.straight, pictures, strict=True)
        ),
    )


def _seen(plan: Plan, outputs: Outputs) -> Seen:
    size_px = plan.input.size_px
    raw = plan.head.read(outputs, input_size_px=size_px, conf=LOWEST_SCORE, max_det=MAX_DETECTIONS)
    return strongest(raw, size_px=size_px)


def _detections(plan: Plan, outputs: Outputs, picture: Image, *, conf: float) -> Detections:
    size_px = (picture.shape[1], picture.shape[0])
    raw = plan.head.read(outputs, input_size_px=plan.input.size_px, conf=conf, max_det=MAX_DETECTIONS)
    boxes = ImageInput(plan.input).place(size_px).boxes_to_frame(raw.boxes)
    return Detections.from_raw(boxes, raw.scores, raw.class_ids, size_px=size_px, conf=conf)
