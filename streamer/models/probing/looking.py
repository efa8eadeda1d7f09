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
from streamer.models.probing.evidence import LIGHTS, LOWEST_SCORE, Seen, figure, strongest
from streamer.models.probing.ways import Way

MOST_PROMISING = 4
"""How many ways of feeding the model are followed from the first of LIGHTS into the others. On the photographs that
these were chosen on, following more was no better."""

_GREY = 127
"""A picture on which nothing is to be seen, in whatever range or order."""

_FIRST_LIGHT, *_DARKER = LIGHTS

_ID_COUNTS_FROM = 0.1
"""The lowest score with which a class id counts as seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one way showed.

    figures: for each picture, in each of LIGHTS; 0 in those into which a way was not followed. soundness, detections:
    for each picture. class_ids: all that were seen.
    """

    way: Way
    figures: tuple[tuple[float, ...], ...]
    soundness: tuple[float, ...]
    class_ids: frozenset[int]
    detections: tuple[Detections, ...]


def look_at(graph: Graph, ways: Sequence[Way], pictures: Sequence[Image], *, conf: float) -> tuple[list[Look], int]:
    """What each way shows, and how often the graph was run: ways that feed it alike share the runs.

    ways: those that feed it alike beside each other. conf: the lowest score of the detections that are given.

    Raises ModelError when the model fails.
    """
    groups = [list(group) for _, group in groupby(ways, key=lambda way: way.plan.input)]
    runner = _Runner(graph, pictures, conf)
    glances = [runner.glance(group) for group in groups]
    ranked = sorted(range(len(groups)), key=lambda n: -max(glance.promise for glance in glances[n]))
    followed = set(ranked[:MOST_PROMISING])
    looks = [
        look
        for n, seen in enumerate(glances)
        for look in (runner.follow(seen) if n in followed else map(_not_followed, seen))
    ]
    return looks, runner.runs


@dataclass(frozen=True, slots=True, eq=False)
class _Glance:
    """What one way showed in full light, on grey, and how much of it is found again in the first of LIGHTS.

    seen, detections, figures: for each picture.
    """

    way: Way
    seen: tuple[Seen, ...]
    plain: Seen
    detections: tuple[Detections, ...]
    figures: tuple[float, ...]

    @property
    def promise(self) -> float:
        return sum(found * one.soundness for found, one in zip(self.figures, self.seen, strict=True))

    def look(self, darker: Sequence[Sequence[float]]) -> Look:
        """darker: for each picture, the figures in the other LIGHTS."""
        ids = (n for one in self.seen for n in one.class_ids[one.scores >= _ID_COUNTS_FROM].tolist())
        return Look(
            self.way,
            tuple((first, *others) for first, others in zip(self.figures, darker, strict=True)),
            tuple(one.soundness for one in self.seen),
            frozenset(int(n) for n in ids),
            self.detections,
        )


class _Runner:
    """A graph and what it is shown, with a count of its runs."""

    def __init__(self, graph: Graph, pictures: Sequence[Image], conf: float) -> None:
        self.runs = 0
        self._graph = graph
        self._pictures = pictures
        self._conf = conf

    def glance(self, ways: Sequence[Way]) -> list[_Glance]:
        """Each picture, plain grey, and each picture mirrored in the first light; the ways feed the graph alike."""
        plan = ways[0].plan.input
        outputs = [self._run(plan, picture) for picture in self._pictures]
        width, height = plan.size_px
        grey = self._run(plan, np.full((height, width, 3), _GREY, np.uint8))
        dim = [self._run(plan, _mirrored(picture, _FIRST_LIGHT)) for picture in self._pictures]
        return [self._glance(way, outputs, grey, dim) for way in ways]

    def follow(self, glances: Sequence[_Glance]) -> list[Look]:
        """Each picture mirrored in less and less light, for ways that feed the graph alike."""
        plan = glances[0].way.plan.input
        dark = [[self._run(plan, _mirrored(picture, light)) for light in _DARKER] for picture in self._pictures]
        return [
            glance.look(
                [
                    [figure(seen, mirrored=_seen(glance.way.plan, found), plain=glance.plain) for found in each]
                    for seen, each in zip(glance.seen, dark, strict=True)
                ]
            )
            for glance in glances
        ]

    def _glance(self, way: Way, outputs: Sequence[Outputs], grey: Outputs, dim: Sequence[Outputs]) -> _Glance:
        plan = way.plan
        seen, plain = tuple(_seen(plan, found) for found in outputs), _seen(plan, grey)
        again = [_seen(plan, found) for found in dim]
        shown = zip(outputs, self._pictures, strict=True)
        return _Glance(
            way,
            seen,
            plain,
            tuple(_detections(plan, found, picture, conf=self._conf) for found, picture in shown),
            tuple(figure(one, mirrored=other, plain=plain) for one, other in zip(seen, again, strict=True)),
        )

    def _run(self, plan: InputPlan, picture: Image) -> Outputs:
        self.runs += 1
        image_input = ImageInput(plan)
        return _first(self._graph.run(image_input.to_tensor(picture)), batch=image_input.batch)


def _not_followed(glance: _Glance) -> Look:
    return glance.look([[0.0] * len(_DARKER)] * len(glance.seen))


def _mirrored(picture: Image, light: float) -> Image:
    """The picture from right to left, as in less light."""
    return np.ascontiguousarray(picture[:, ::-1] * light, np.uint8)


def _first(outputs: Mapping[str, NDArray[Any]], *, batch: int) -> Outputs:
    """The outputs of the first image of a batch."""
    if batch == 1:
        return outputs
    return {name: found[:1] if np.ndim(found) and len(found) == batch else found for name, found in outputs.items()}


def _seen(plan: Plan, outputs: Outputs) -> Seen:
    size_px = plan.input.size_px
    raw = plan.head.read(outputs, input_size_px=size_px, conf=LOWEST_SCORE, max_det=MAX_DETECTIONS)
    return strongest(raw, size_px=size_px)


def _detections(plan: Plan, outputs: Outputs, picture: Image, *, conf: float) -> Detections:
    size_px = (picture.shape[1], picture.shape[0])
    raw = plan.head.read(outputs, input_size_px=plan.input.size_px, conf=conf, max_det=MAX_DETECTIONS)
    boxes = ImageInput(plan.input).place(size_px).boxes_to_frame(raw.boxes)
    return Detections.from_raw(boxes, raw.scores, raw.class_ids, size_px=size_px, conf=conf)
