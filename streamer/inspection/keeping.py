"""What was decided of a model as a card, so that it holds for every run. Called by the verb inspect.

What is still open is left out: a card says what is so, not what was taken for want of something better. So is what
stands in the model's own file, the meaning of its integers and its size.
"""

from pathlib import Path
from typing import Any

from streamer.inspection.findings import Inspection
from streamer.models.card import Card, InputCard
from streamer.models.card_files import card_path, write_card
from streamer.models.inputs import FLOATS
from streamer.models.naming import Naming
from streamer.models.plan import RANGES, Choice, Plan

_KEYS = {
    "layout": ("input.layout",),
    "channel order": ("input.channel_order",),
    "scale": ("input.scale", "input.mean"),
    "fit": ("input.fit",),
    "box order": ("head.order",),
    "box unit": ("head.unit",),
    "first class id": ("first_class_id",),
}
"""Where in a card the decisions stand."""


def keep_card(inspection: Inspection, *, path: Path | None = None, force: bool = False) -> Path:
    """Write the card of a model that was understood, and say where: at `path`, else where a run looks for it.

    Raises SinkOpenError for a card that is there, unless `force`, and for a place that cannot be written.
    """
    where = path or card_path(inspection.path)
    card, comments = card_of(inspection)
    write_card(where, card, comments=comments, force=force)
    return where


def card_of(inspection: Inspection) -> tuple[Card, dict[str, str]]:
    """All that was decided and is not open, over what the model's card said already; and remarks by key."""
    plan, own = inspection.plan, inspection.card or Card()
    assert plan is not None
    decided = {choice.what: choice for choice in plan.choices if not choice.is_open}
    said: dict[str, Any] = {
        "preset": own.preset or _preset(plan),
        "input": _input(plan, own.input, decided),
        "head": plan.head_card,
    }
    if "first class id" in decided:
        said["first_class_id"] = plan.first_class_id
    if (names := _names(inspection.naming)) is not None:
        said["labels"] = names
    card = own.model_copy(update={key: value for key, value in said.items() if value is not None})
    return card, _comments(inspection, plan)


def _preset(plan: Plan) -> str | None:
    parts = (part for part in plan.card.split(", ") if part.startswith("preset "))
    return next((part.removeprefix("preset ") for part in parts), None)


def _input(plan: Plan, own: InputCard, decided: dict[str, Choice]) -> InputCard:
    said: dict[str, Any] = {}
    if "layout" in decided:
        said["layout"] = plan.input.layout
    if "channel order" in decided:
        said["channel_order"] = plan.input.channel_order
    if "fit" in decided:
        said["fit"] = plan.input.fit
    if "scale" in decided and (plan.input.spec.dtype in FLOATS or decided["scale"].why == "--scale"):
        named = plan.input.scale in RANGES
        said |= {"scale": plan.input.scale} if named else {"mean": plan.input.mean, "std": plan.input.std}
        said |= {"mean": None, "std": None} if named else {"scale": None}
    return own.model_copy(update=said)


def _names(naming: Naming | None) -> dict[int, str] | None:
    if naming is None or not len(naming.labels):
        return None
    return {class_id: naming.labels.name(class_id) for class_id in sorted(naming.labels.known_ids)}


def _comments(inspection: Inspection, plan: Plan) -> dict[str, str]:
    remarks = {key: choice.why for choice in plan.choices for key in _KEYS.get(choice.what, ())}
    top = ["Written by streamer inspect --write-card; docs/cards.md says what may stand here."]
    top += [f"Still open: {choice.what}; taken is {choice.value}, {choice.why}." for choice in plan.open_choices()]
    named = "" if inspection.naming is None else inspection.naming.origin
    return {**remarks, "": "\n".join(top), "head": plan.card or "as its outputs tell", "labels": named}
