"""The ways of feeding and reading a model that its open choices leave, and how likely each is before anybody looks.

Plans are varied here; nothing is run. Called by probe.py.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from streamer.models.card import DecodedHead
from streamer.models.heads.decoded import DecodedBoxes
from streamer.models.options import Order, Unit
from streamer.models.plan import RANGES, InputPlan, Plan

IMAGENET = "ImageNet mean and std"

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
"""Of the red, green and blue of ImageNet's pixels, 0..255, as torchvision and the EfficientDets have them."""

QUESTIONS = ("channel order", "scale", "box order", "box unit")
"""What boxes that are seen can tell, in the order in which a plan is varied: ImageNet's mean goes by the channels."""

_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "channel order": {"rgb": 0.62, "bgr": 0.38},
    "scale": {"0..1": 0.35, "-1..1": 0.35, "0..255": 0.24, IMAGENET: 0.06},
    "box order": {"yxyx": 0.45, "xyxy": 0.35, "cxcywh": 0.12, "xywh": 0.08},
    "box unit": {"fraction": 0.65, "px": 0.35},
}
"""How common each is among detectors that do not say it: an estimate, not a count."""

_USUAL_IS_LIKELIER = 1.5
"""What the plan took as usual it took for a reason: the form of the model, or its family."""

_TOO_BRIGHT = 0.18
"""What boxes seen at 0..255 are worth: a network made for a smaller range is saturated by it, and sees things that
last. Fitted by conditional logistic regression to eight networks re-wrapped to four ranges."""


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way: its plan, what it answers to each question, and how likely it is before looking, in any unit."""

    plan: Plan
    answers: Mapping[str, str]
    weight: float

    def __str__(self) -> str:
        return ", ".join(f"{what} {value}" for what, value in self.answers.items()) or "as planned"


def ways_of(plan: Plan, questions: Sequence[str]) -> list[Way]:
    """Every combination of the answers to `questions`; the plan alone where there are none.

    A question that the plan's head cannot be asked is left out.
    """
    asked = [what for what in QUESTIONS if what in questions and _can_be_asked(plan, what)]
    combinations = itertools.product(*(_WEIGHTS[what] for what in asked))
    return [_way(plan, dict(zip(asked, values, strict=True))) for values in combinations]


def varied(plan: Plan, answers: Mapping[str, str]) -> Plan:
    """The plan with other answers to some of the QUESTIONS; its choices stay as they are."""
    for what in QUESTIONS:
        if what in answers:
            plan = _VARY[what](plan, answers[what])
    return plan


def _way(plan: Plan, answers: Mapping[str, str]) -> Way:
    weight = _TOO_BRIGHT if answers.get("scale") == "0..255" else 1.0
    for what, value in answers.items():
        weight *= _WEIGHTS[what][value] * (_USUAL_IS_LIKELIER if plan.choice(what).value == value else 1.0)
    return Way(varied(plan, answers), MappingProxyType(dict(answers)), weight)


def _can_be_asked(plan: Plan, what: str) -> bool:
    return not what.startswith("box ") or (
        isinstance(plan.head, DecodedBoxes) and isinstance(plan.head_card, DecodedHead)
    )


def _with_channel_order(plan: Plan, value: str) -> Plan:
    return replace(plan, input=replace(plan.input, channel_order="bgr" if value == "bgr" else "rgb"))


def _with_scale(plan: Plan, value: str) -> Plan:
    return replace(plan, input=_scaled(plan.input, value))


def _scaled(plan: InputPlan, value: str) -> InputPlan:
    if value != IMAGENET:
        mean, std = RANGES[value]
        return replace(plan, mean=(mean,) * 3, std=(std,) * 3)
    (red, green, blue), (red_std, green_std, blue_std) = IMAGENET_MEAN, IMAGENET_STD
    if plan.channel_order == "rgb":
        return replace(plan, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    return replace(plan, mean=(blue, green, red), std=(blue_std, green_std, red_std))


def _with_box_order(plan: Plan, value: str) -> Plan:
    return _with_boxes(plan, order=value)


def _with_box_unit(plan: Plan, value: str) -> Plan:
    return _with_boxes(plan, unit=value)


def _with_boxes(plan: Plan, **changes: Order | Unit | str) -> Plan:
    if not isinstance(plan.head, DecodedBoxes):  # _can_be_asked has looked
        raise TypeError(type(plan.head).__name__)
    card = plan.head.card.model_copy(update=changes)
    return replace(plan, head=replace(plan.head, card=card), head_card=card)


_VARY: Mapping[str, Callable[[Plan, str], Plan]] = {
    "channel order": _with_channel_order,
    "scale": _with_scale,
    "box order": _with_box_order,
    "box unit": _with_box_unit,
}
