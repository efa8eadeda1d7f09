"""How a loaded model is to be fed and read: every decision, and why. Nothing is run here.

What decides, in this order: flags, the model's card, the form and the names of its outputs, the shapes of a known
family, the shapes alone. What none of them says is marked as open; probing looks at pictures for that. Called by
opening.py.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from streamer.errors import ConfigError
from streamer.models.card import AnchorHead, Card, DecodedHead, HeadCard
from streamer.models.heads import Head
from streamer.models.heads.building import build_head, decoded_card
from streamer.models.heads.roles import plain
from streamer.models.inputs import MAX_SIDE_PX, Known, image_spec, plan_input, static_size_px
from streamer.models.loaded import Loaded
from streamer.models.options import ModelOptions
from streamer.models.plan import FIRST_CLASS_ID, Choice, Plan
from streamer.models.presets import matching, merged, preset_card
from streamer.models.signature import TensorSpec

API = "the Object Detection API"
_TFLITE = "SSDs as TFLite"

_API_NAMES = ("detection_boxes", "raw_detection_boxes")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardInUse:
    """A card and where it is from: origin is its name for people, folder what its file names are relative to."""

    card: Card = field(default_factory=Card)
    origin: str = ""
    folder: Path | None = None


def understand(
    loaded: Loaded,
    *,
    card: CardInUse | None = None,
    options: ModelOptions | None = None,
    input_size_px: tuple[int, int] | None = None,
    max_side_px: int = MAX_SIDE_PX,
) -> Plan:
    """The plan for a model.

    card: what is known of it besides; options: the flags. input_size_px: (width, height) of the frames, where it is
    known: the size that a model of any size is given. max_side_px: the longer side of that at most.

    Raises SignatureError for a model that is no detector, or not the one that its card describes, and ConfigError for
    flags and cards that do not fit it.
    """
    card, options = card or CardInUse(), options or ModelOptions()
    others = [name for name in loaded.signatures if name != loaded.signature.name]
    spec = image_spec(loaded.signature, others=others)
    card = replace(card, card=_with_input_flags(card.card, options))
    whole, preset = _whole_card(loaded, spec, card.card)
    head_card = _with_head_flags(whole, options)
    known = _known(loaded, card, whole, head_card, preset=preset, options=options, frame_size_px=input_size_px)
    known = replace(known, max_side_px=max_side_px)
    input_plan, choices = plan_input(spec, known)
    head = build_head(
        head_card,
        loaded.signature,
        input_size_px=input_plan.size_px,
        folder=card.folder,
        roles=loaded.hints.roles,
    )
    first_class, first_class_id = _first_class(whole, head, loaded, card, api=_is_of_api(head_card))
    guessed = preset and card.card.preset is None
    return Plan(
        input=input_plan,
        head=head,
        head_card=head_card,
        choices=(*choices, *_box_choices(head_card, card, preset, options), first_class),
        card=", ".join(part for part in (card.origin, f"preset {preset}" if preset else "") if part),
        first_class_id=first_class_id,
        class_count=head.class_count or loaded.hints.class_count,
        labels=card.card.labels if guessed else whole.labels,
        family=preset,
        family_labels=whole.labels if guessed else None,
    )


def _known(
    loaded: Loaded,
    card: CardInUse,
    whole: Card,
    head: HeadCard,
    *,
    preset: str,
    options: ModelOptions,
    frame_size_px: tuple[int, int] | None,
) -> Known:
    """What is known of the input. whole: the card with its preset, or the one that fits."""
    api = _is_of_api(head)
    kind = API if api else _TFLITE if _has_post_process(loaded) else ""
    return Known(
        card=whole.input,
        own=card.card.input,
        told=card.card.input if card.card.preset is None else whole.input,
        origin=card.origin,
        preset=preset,
        options=options,
        hints=loaded.hints,
        frame_size_px=frame_size_px,
        usual_scale=_usual_scale(loaded, api=api),
        usual_rgb=kind,
    )


def _whole_card(loaded: Loaded, spec: TensorSpec, own: Card) -> tuple[Card, str]:
    """The card with a head for sure, and the name of the preset in it, if there is one."""
    signature, hints = loaded.signature, loaded.hints
    width, height = static_size_px(spec, own.input, hints)
    size_px = None if width is None or height is None else (width, height)
    if own.preset is not None:
        return merged(preset_card(own.preset, signature, input_size_px=size_px), own), own.preset
    if isinstance(own.head, DecodedHead) and own.head.boxes is None:
        return merged(Card(head=decoded_card(signature, hints.roles)), own), ""
    if own.head is not None:
        return own, ""
    if hints.roles or _has_api_names(loaded):
        return merged(Card(head=decoded_card(signature, hints.roles)), own), ""
    families = matching(signature, input_size_px=size_px)
    if families:
        preset, card = families[0]
        return merged(card, own), preset
    head = hints.head or decoded_card(signature)
    return merged(Card(head=head), own), ""


def _with_input_flags(card: Card, options: ModelOptions) -> Card:
    """The card, with what flags say of the input in its place."""
    flags = {"layout": options.layout, "size": options.input_size_px}
    said = {key: value for key, value in flags.items() if value is not None}
    return card.model_copy(update={"input": card.input.model_copy(update=said)}) if said else card


def _with_head_flags(card: Card, options: ModelOptions) -> HeadCard:
    """The head of a whole card, with what flags say of it. Raises ConfigError for one that it cannot take."""
    if card.head is None:
        raise AssertionError("a whole card has a head")
    flags = {"iou": options.iou, "order": options.box_order, "unit": options.box_unit}
    said = {key: value for key, value in flags.items() if value is not None}
    for key in ("order", "unit"):
        if key in said and not (isinstance(card.head, DecodedHead) or (key == "unit" and hasattr(card.head, "unit"))):
            raise ConfigError(
                f"the model's outputs are read as {card.head.kind}, not as finished boxes",
                where=f"--box-{key}",
                hint="streamer inspect MODEL tells how, and a card may say it otherwise",
            )
    return card.head.model_copy(update=said)


def _has_api_names(loaded: Loaded) -> bool:
    return any(plain(spec.name) == _API_NAMES[0] for spec in loaded.signature.outputs)


def _is_of_api(head: HeadCard) -> bool:
    return isinstance(head, (DecodedHead, AnchorHead)) and plain(head.boxes or "") in _API_NAMES


def _has_post_process(loaded: Loaded) -> bool:
    """Whether a TFLite file says itself what its outputs are: by TFLite_Detection_PostProcess, or by its metadata."""
    return loaded.form == "TFLite" and bool(loaded.hints.roles)


def _usual_scale(loaded: Loaded, *, api: bool) -> tuple[str, str] | None:
    """The range that a model of this kind takes as floats.

    The API's exporter of float images (input_type float_image_tensor) has the normalisation in the graph and takes
    0..255; its exporter to TFLite (export_tflite_graph_tf2.py) leaves it out, and the SSDs that it takes were trained
    on -1..1.
    """
    if _has_post_process(loaded):
        return "-1..1", _TFLITE
    return ("0..255", API) if api else None


def _box_choices(head: HeadCard, card: CardInUse, preset: str, options: ModelOptions) -> list[Choice]:
    if not isinstance(head, DecodedHead):
        return []
    own = card.card.head if isinstance(card.card.head, DecodedHead) else DecodedHead()
    known = f"preset {preset}" if preset else "the form of its outputs"
    return [
        _box_choice("box order", head.order, "yxyx", flag=options.box_order, own=own.order, card=card, known=known),
        _box_choice("box unit", head.unit, "fraction", flag=options.box_unit, own=own.unit, card=card, known=known)
        if head.unit or not _is_of_api(head)
        else Choice("box unit", "fraction", f"usual for {API}; px where the numbers are large", is_usual=True),
    ]


def _box_choice(
    what: str, value: str | None, usual: str, *, flag: str | None, own: str | None, card: CardInUse, known: str
) -> Choice:
    """value: what holds, None where only the usual is left. flag, own: what the flag says, and the card itself."""
    if value is None:
        told = "; px where the numbers are large" if usual == "fraction" else ""
        return Choice(what, usual, f"usual{told}", is_open=True)
    return Choice(what, value, f"--{what.replace(' ', '-')}" if flag else card.origin if own else known)


def _first_class(card: Card, head: Head, loaded: Loaded, own: CardInUse, *, api: bool) -> tuple[Choice, int]:
    what = FIRST_CLASS_ID
    if card.first_class_id is not None:
        first, why = card.first_class_id, own.origin if own.card.first_class_id is not None else "its preset"
    elif head.first_class_id is not None:
        first, why = head.first_class_id, "its scores"
    elif loaded.hints.first_class_id is not None:
        first, why = loaded.hints.first_class_id, "its file"
    elif api or "classes" not in head.reads:
        return Choice(what, "1", f"usual for {API}" if api else "it has one class", is_usual=True), 1
    else:
        return Choice(what, "1", "usual", is_open=True), 1
    return Choice(what, str(first), why), first
