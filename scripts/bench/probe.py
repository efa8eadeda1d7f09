#!/usr/bin/env python3
"""How often looking at pictures finds out how a model is fed and read.

    python scripts/bench/probe.py MODEL[=CARD]... --pictures PICTURE... [--sets 5] [--per-set 1 2 4] [--seed 1]

Every model is opened with its card, or the one given, which is the truth. Then it is wrapped as if it took floats in
each range and either order of colours, and as if it gave its boxes in each order and unit; and what the probe believes,
with nothing told, is held against the truth. Pictures should show what the models were made to find. Prints how often
each answer is right, and how often those are right that the probe is sure of.
"""

import argparse
import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.models.card import DecodedHead
from streamer.models.heads.decoded import DecodedBoxes
from streamer.models.loaded import Graph
from streamer.models.opening import OpenedModel, open_model
from streamer.models.options import ModelOptions
from streamer.models.plan import FIRST_CLASS_ID, Choice, InputPlan, Plan
from streamer.models.probe import SURE_ENOUGH, probe
from streamer.models.probing.ways import IMAGENET, QUESTIONS, varied

INPUT_SIZE_PX = (640, 480)
SCALES = ("0..1", "-1..1", "0..255", IMAGENET)
CHANNEL_ORDERS = ("rgb", "bgr")
BOX_ORDERS = ("yxyx", "xyxy", "cxcywh", "xywh")
UNITS = ("fraction", "px")
Memory = dict[bytes, Mapping[str, NDArray[Any]]]
"""Outputs by what went in, of one model: the ways of feeding it overlap."""

USUAL = {"channel order": "rgb", "scale": "0..1", "box order": "yxyx", "box unit": "fraction", FIRST_CLASS_ID: "1"}


@dataclass(frozen=True)
class Answer:
    """What the probe believed of one question, and whether it is so."""

    model: str
    pictures: int
    what: str
    truth: str
    is_right: bool
    sureness: float


class FedOtherwise:
    """A graph as if it took floats as `told` says, where it takes what `true` says. What was run once is remembered."""

    def __init__(self, graph: Graph, true: InputPlan, told: InputPlan, memory: Memory) -> None:
        self._graph = graph
        self._true = true
        self._told = told
        self._memory = memory

    @property
    def runtime(self) -> str:
        """That of the graph."""
        return self._graph.runtime

    def run(self, images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Outputs by name."""
        axis = -3 if self._told.layout == "nchw" else -1
        pixels = np.moveaxis(images.astype(np.float64), axis, -1) * self._told.std + self._told.mean
        if self._told.channel_order != self._true.channel_order:
            pixels = pixels[..., ::-1]
        key = hashlib.sha256(np.rint(pixels * 16).astype(np.int32).tobytes()).digest()
        if key not in self._memory:
            self._memory[key] = self._graph.run(np.ascontiguousarray(np.moveaxis(self._fed(pixels), -1, axis)))
        return self._memory[key]

    def close(self) -> None:
        """It is closed by whoever opened it."""

    def _fed(self, pixels: NDArray[np.float64]) -> NDArray[Any]:
        values, dtype = (pixels - self._true.mean) / self._true.std, np.dtype(self._true.spec.dtype)
        if dtype.kind == "f":
            return values.astype(dtype)
        quantization = self._true.spec.quantization
        if quantization is not None:
            values = values / quantization.scale + quantization.zero_point
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)


class SpeaksOtherwise:
    """A graph as if it gave its boxes, y1 x1 y2 x2 as fractions of the input, in another order and unit."""

    def __init__(self, graph: Graph, plan: Plan, order: str, unit: str) -> None:
        self._graph = graph
        self._name = plan.head.reads["boxes"]
        self._size = plan.input.size_px if unit == "px" else (1, 1)
        self._order = order

    @property
    def runtime(self) -> str:
        """That of the graph."""
        return self._graph.runtime

    def run(self, images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Outputs by name."""
        outputs = dict(self._graph.run(images))
        y1, x1, y2, x2 = np.moveaxis(np.asarray(outputs[self._name], np.float64), -1, 0)
        width, height = self._size
        x1, x2, y1, y2 = x1 * width, x2 * width, y1 * height, y2 * height
        orders = {
            "yxyx": (y1, x1, y2, x2),
            "xyxy": (x1, y1, x2, y2),
            "cxcywh": ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
            "xywh": (x1, y1, x2 - x1, y2 - y1),
        }
        outputs[self._name] = np.stack(orders[self._order], axis=-1)
        return outputs

    def close(self) -> None:
        """It is closed by whoever opened it."""


def untold(plan: Plan, questions: Sequence[str]) -> Plan:
    """The plan with nothing known of these questions: the usual, and open."""
    others = tuple(choice for choice in plan.choices if choice.what not in questions)
    opened = tuple(Choice(what, USUAL[what], "usual", is_open=True) for what in questions)
    usual = varied(plan, {what: USUAL[what] for what in questions if what in QUESTIONS})
    return replace(usual, choices=others + opened)


def answers(
    name: str, graph: Graph, plan: Plan, truth: Mapping[str, str], pictures: Sequence[Image]
) -> Iterator[Answer]:
    """What the probe believes of the questions that `truth` answers."""
    verdict = probe(graph, untold(plan, tuple(truth)), pictures)
    believed = {**verdict.candidates[0].answers}
    if FIRST_CLASS_ID in truth:
        believed[FIRST_CLASS_ID] = str(verdict.plan.first_class_id)
    for what, value in truth.items():
        yield Answer(name, len(pictures), what, value, believed[what] == value, verdict.sureness[what])


def of_input(name: str, opened: OpenedModel, pictures: Sequence[Image], memory: Memory) -> Iterator[Answer]:
    """In every range and order."""
    true = opened.plan.input
    floats = replace(true, spec=replace(true.spec, dtype="float32", quantization=None))
    for scale, order in itertools.product(SCALES, CHANNEL_ORDERS):
        truth = {"channel order": order, "scale": scale}
        plan = varied(replace(opened.plan, input=floats), truth)
        graph = FedOtherwise(opened.loaded.graph, true, plan.input, memory)
        yield from answers(name, graph, plan, truth, pictures)


def of_outputs(name: str, opened: OpenedModel, pictures: Sequence[Image], memory: Memory) -> Iterator[Answer]:
    """In every order and unit of boxes; and the first class id, where only the model says it."""
    plan = opened.plan
    graph = FedOtherwise(opened.loaded.graph, plan.input, plan.input, memory)
    if "classes" in plan.head.reads:
        yield from answers(name, graph, plan, {FIRST_CLASS_ID: str(plan.first_class_id)}, pictures)
    card = plan.head_card
    if not isinstance(plan.head, DecodedBoxes) or not isinstance(card, DecodedHead):
        return
    if (card.order or "yxyx", card.unit or "fraction") == ("yxyx", "fraction"):
        for order, unit in itertools.product(BOX_ORDERS, UNITS):
            truth = {"box order": order, "box unit": unit}
            yield from answers(name, SpeaksOtherwise(graph, plan, order, unit), plan, truth, pictures)


def print_table(found: Sequence[Answer]) -> None:
    """How often each answer is right, by model and by how many pictures were looked at."""
    questions = [what for what in (*QUESTIONS, FIRST_CLASS_ID) if any(answer.what == what for answer in found)]
    print(f"{'right of tried':<38}{'pictures':>9}" + "".join(f"{what:>16}" for what in questions))
    names = list(dict.fromkeys(answer.model for answer in found))
    for name in [*names, "all"]:
        for count in sorted({answer.pictures for answer in found}):
            cells = (
                right_of([a for a in found if (name in {a.model, "all"}) and (a.pictures, a.what) == (count, what)])
                for what in questions
            )
            print(f"{name[:37]:<38}{count:>9}" + "".join(f"{cell:>16}" for cell in cells))


def print_confusion(found: Sequence[Answer]) -> None:
    """By what was true, and by how sure the probe was."""
    for what in dict.fromkeys(answer.what for answer in found):
        of_this = [answer for answer in found if answer.what == what]
        parts = (f"{truth} {right_of([a for a in of_this if a.truth == truth])}" for truth in truths_of(of_this))
        print(f"{what}: " + ", ".join(parts))
        for least, below in ((0.0, 0.5), (0.5, SURE_ENOUGH), (SURE_ENOUGH, 0.95), (0.95, 1.01)):
            print(f"    sureness {least:.2f} and more: {right_of([a for a in of_this if least <= a.sureness < below])}")


def truths_of(found: Sequence[Answer]) -> list[str]:
    """In the order in which they were tried."""
    return list(dict.fromkeys(answer.truth for answer in found))


def right_of(found: Sequence[Answer]) -> str:
    """`34/40 .85`."""
    if not found:
        return "-"
    right = sum(answer.is_right for answer in found)
    return f"{right}/{len(found)} {right / len(found):.2f}"


def read_picture(path: Path) -> Image:
    """Raises ValueError for what is no picture."""
    image = cv2.imread(str(path))
    if image is None:
        raise ValueError(f"{path} is no picture")
    return image.astype(np.uint8, copy=False)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL[=CARD]")
    parser.add_argument("--pictures", nargs="+", type=Path, required=True)
    parser.add_argument("--sets", type=int, default=5, help="how many draws of pictures")
    parser.add_argument("--per-set", nargs="+", type=int, default=[1, 2, 4])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    pictures = [read_picture(path) for path in arguments.pictures]
    found: list[Answer] = []
    for model in arguments.models:
        path, _, card = model.partition("=")
        options = ModelOptions(card=Path(card) if card else None)
        opened = open_model(Path(path), options, input_size_px=INPUT_SIZE_PX)
        random = np.random.default_rng(arguments.seed)
        for count, _ in itertools.product(arguments.per_set, range(arguments.sets)):
            chosen = [pictures[n] for n in random.choice(len(pictures), count, replace=False)]
            memory: Memory = {}
            found += of_input(Path(path).name, opened, chosen, memory)
            found += of_outputs(Path(path).name, opened, chosen, memory)
        opened.close()
    print_table(found)
    print_confusion(found)


if __name__ == "__main__":
    main()
