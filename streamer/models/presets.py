"""Cards of known families, and which of them a signature fits: by the shapes of all its outputs and its input's size.

Strict where it guesses: every output must have its part and every number must be right, so that what is no detector
fits none. Called by understanding.py and card_reading.py; the families themselves are in families/.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from pydantic import BaseModel, ValidationError

from streamer.errors import ConfigError, SignatureError
from streamer.models.card import AnchorHead, Anchors, Card, HeadCard, InputCard, YoloHead
from streamer.models.families import ALL, Output, Preset, Size
from streamer.models.heads.anchors import make_anchors
from streamer.models.signature import Signature, TensorSpec
from streamer.text import printable

PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in ALL}
"""By name."""

FEWEST_ROWS, MOST_ROWS = 10, 100_000
"""Of an output with a detection a row that may have any number of them."""

MOST_CLASSES = 10_000
"""No detector has more; Open Images has 601 with boxes."""

Shape = tuple[int | None, ...]

_FIRST_NUMBERS = {"4+C": 4, "5+C": 5}

_INTEGERS = ("uint8", "int8", "int16", "int32", "int64")


@dataclass(frozen=True, slots=True)
class _Fitted:
    """names: of outputs by role. classes: how many columns of scores there are. rows_known: the number of rows was held
    against that of this input.
    """

    names: dict[str, str]
    classes: int | None
    rows_known: bool


def matching(signature: Signature, *, input_size_px: Size | None) -> list[tuple[str, Card]]:
    """The presets that fit a signature, the likeliest first, with the names of its outputs filled in.

    input_size_px: (width, height) of the model's input; None where it takes any. Empty for what is no known detector.
    """
    found: list[tuple[str, Card]] = []
    for preset in (way for known in PRESETS.values() for way in _ways(known)):
        size_px = input_size_px or preset.card.input.size
        try:
            fitted = _fitted(preset, signature, size_px, strict=True)
        except (SignatureError, ConfigError):  # the second: more anchors than any detector has
            continue
        if _is_sure(preset, signature, size_px, fitted):
            found.append((preset.name, _card(preset, signature, size_px, fitted)))
    return found


def preset_card(name: str, signature: Signature, *, input_size_px: Size | None) -> Card:
    """The card of the preset `name` for this model, with the names of its outputs filled in.

    Raises ConfigError for a name that there is not, and SignatureError that says what of the model does not fit it.
    """
    preset = PRESETS.get(name)
    if preset is None:
        raise ConfigError(f"no preset is called {printable(name)!r}{nearest(name)}", where="preset")
    size_px = input_size_px or preset.card.input.size
    try:
        fitted = _fitted(preset, signature, size_px, strict=False)
    except SignatureError as error:
        if (turned := _turned(preset, signature, size_px)) is not None:
            return turned
        others = [other for other, _ in matching(signature, input_size_px=input_size_px)]
        hint = f"{' and '.join(others)} would fit" if others else error.hint
        raise SignatureError(f"the preset {name} does not fit this model: {error.what}", hint=hint) from error
    return _card(preset, signature, size_px, fitted)


def _ways(preset: Preset) -> Iterator[Preset]:
    """The family, and a YOLO whose rows and columns are the other way round."""
    yield preset
    head = preset.card.head
    if isinstance(head, YoloHead):
        outputs = tuple(Output(output.role, output.shape[::-1]) for output in preset.outputs)
        card = preset.card.model_copy(update={"head": head.model_copy(update={"transposed": not head.transposed})})
        doubtful = preset.doubtful | preset.doubtful_turned
        yield replace(preset, outputs=outputs, card=card, doubtful=doubtful)


def _turned(preset: Preset, signature: Signature, size_px: Size | None) -> Card | None:
    """The card for a YOLO whose rows and columns are the other way round than its family's; None if it is none."""
    for turned in list(_ways(preset))[1:]:
        try:
            return _card(turned, signature, size_px, _fitted(turned, signature, size_px, strict=False))
        except SignatureError:
            return None
    return None


def nearest(name: str) -> str:
    """`; did you mean blazeface?`, or a list of what there is."""
    close = difflib.get_close_matches(name[:64].casefold(), PRESETS, n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else f"; there are {', '.join(PRESETS)}"


def merged(base: Card, over: Card) -> Card:
    """One card of two; what stands in `over` wins, key by key. A head or anchors of another kind are replaced whole.

    Raises ConfigError where the two together make no sense.
    """
    try:
        return _merged(base, over)
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"the card does not go with its preset: {what}", where=over.preset) from error


def _merged(base: Card, over: Card) -> Card:
    said = _said(over)
    preset = PRESETS.get(over.preset or "")
    if preset is not None and (own := _anchors(over)) is not None and own == _anchors(preset.card):
        del said["head"]["anchors"]  # they are for the size that it was published for; `base` has this model's
    return Card.model_validate(_laid_over(_said(base), said))


def _anchors(card: Card) -> Anchors | None:
    return card.head.anchors if isinstance(card.head, AnchorHead) else None


def _said(part: BaseModel) -> dict[str, Any]:
    """What was written in a part of a card, with the kind that tells what part it is."""
    said: dict[str, Any] = {}
    for key in type(part).model_fields:
        value = getattr(part, key)
        if value is not None and (key in part.model_fields_set or key == "kind"):
            said[key] = _said(value) if isinstance(value, BaseModel) else value
    return said


def _laid_over(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    gone = {key for left, right in _RIVALS if right & over.keys() for key in left}
    laid = {key: value for key, value in base.items() if key not in gone}
    for key, value in over.items():
        below = laid.get(key)
        if key != "labels" and isinstance(value, dict) and isinstance(below, dict):
            laid[key] = _laid_over(below, value) if below.get("kind") == value.get("kind") else value
        else:
            laid[key] = value
    return laid


_RIVALS = (({"scale"}, {"mean", "std"}), ({"mean", "std"}, {"scale"}), ({"maps"}, {"strides"}), ({"strides"}, {"maps"}))
"""Keys of which the left ones go where one of the right ones is said over them."""


def _fitted(preset: Preset, signature: Signature, size_px: Size | None, *, strict: bool) -> _Fitted:
    """Which output plays which part. Raises SignatureError that says what is missing, or what has no part."""
    most = len(preset.outputs) + len(preset.optional)
    left = [spec for spec in signature.outputs if spec.rank != preset.unread_rank]
    if strict and not preset.others and not len(preset.outputs) <= len(left) <= most:
        raise _unfit(preset, signature, f"it gives {len(signature.outputs)} outputs")
    rows = None if size_px is None else _rows(preset, size_px)
    names: dict[str, str] = {}
    classes: int | None = None
    rows_known = True
    for output in (*preset.outputs, *preset.optional):
        fits = _fitting(left, output, rows, size_px, preset)
        spec, numbers = _chosen(preset, output, fits, signature)
        if spec is None:
            continue
        left.remove(spec)
        classes = numbers.get("C", classes)
        rows_known = rows_known and "N?" not in numbers
        if output.role:
            names[output.role] = spec.name
    if strict and left and not preset.others:
        raise _unfit(preset, signature, f"{' and '.join(map(str, left[:4]))} has no part in it")
    return _Fitted(names, classes, rows_known)


def _fitting(
    specs: list[TensorSpec], output: Output, rows: frozenset[int] | None, size_px: Size | None, preset: Preset
) -> list[tuple[TensorSpec, dict[str, int]]]:
    found: list[tuple[TensorSpec, dict[str, int]]] = []
    for spec in specs:
        if spec.shape is None and preset.others and _is_called(spec, output.names, exactly=True):
            found.append((spec, {"N?": 1}))
        elif (numbers := _numbers(spec, output, rows, size_px, batched=preset.batched)) is not None:
            found.append((spec, numbers))
    return found


def _chosen(
    preset: Preset, output: Output, fits: list[tuple[TensorSpec, dict[str, int]]], signature: Signature
) -> tuple[TensorSpec | None, dict[str, int]]:
    if output.names and (preset.others or len(fits) > 1):
        fits = [(spec, numbers) for spec, numbers in fits if _is_called(spec, output.names, exactly=preset.others)]
    if len(fits) == 1:
        return fits[0]
    if not fits and output in preset.optional:
        return None, {}
    shape = f"[1,{','.join(map(str, output.shape))}]".replace(",]", "]")
    if not fits:
        raise _unfit(preset, signature, f"no output is its {output.role or 'other one'}, {shape}")
    several = " and ".join(printable(spec.name) for spec, _ in fits[:4])
    raise _unfit(preset, signature, f"{several} could each be its {output.role or 'other one'}, {shape}")


def _is_called(spec: TensorSpec, names: tuple[str, ...], *, exactly: bool) -> bool:
    called = spec.name.casefold().removesuffix(":0")
    return called in names if exactly else any(name in called for name in names)


def _numbers(
    spec: TensorSpec, output: Output, rows: frozenset[int] | None, size_px: Size | None, *, batched: bool
) -> dict[str, int] | None:
    """What the letters of an output's shape stand for in `spec`, `N?` for rows not counted; None for no fit."""
    shapes = _readings(spec, output, batched=batched)
    found = (_held_against(output, shape, rows, size_px) for shape in shapes)
    return next((numbers for numbers in found if numbers is not None), None)


def _held_against(
    output: Output, shape: Shape, rows: frozenset[int] | None, size_px: Size | None
) -> dict[str, int] | None:
    numbers: dict[str, int] = {}
    if len(shape) != len(output.shape):
        return None
    for wanted, side in zip(output.shape, shape, strict=True):
        if wanted == "N" and (side is None or rows is None):
            numbers["N?"] = 1
        elif side is None:
            if wanted != "K":
                return None
        elif not _is_right(wanted, side, rows, size_px) and not (wanted == "K" and output.names and side > 0):
            return None
        elif isinstance(wanted, str) and "C" in wanted:
            numbers["C"] = side - _FIRST_NUMBERS.get(wanted, 0)
    return numbers


def _is_right(wanted: int | str, side: int, rows: frozenset[int] | None, size_px: Size | None) -> bool:
    match wanted:
        case int():
            return side == wanted
        case "N":
            return rows is not None and side in rows
        case "K":
            return FEWEST_ROWS <= side <= MOST_ROWS
        case "H" | "W":
            return size_px is not None and side == ceil(size_px[wanted == "H"] / 4)
        case _:
            return 1 <= side - _FIRST_NUMBERS.get(wanted, 0) <= MOST_CLASSES


def _readings(spec: TensorSpec, output: Output, *, batched: bool) -> Iterator[Shape]:
    """The shapes that a tensor may have without its batch, and raw heads without sides of 1, [1,N,1,4]."""
    shape, rank = spec.shape, len(output.shape)
    if shape is None:
        return
    if len(shape) > rank and shape[0] in {1, None}:
        inner = shape[1:]
        yield tuple(side for side in inner if side != 1) if len(inner) > rank and "N" in output.shape else inner
    elif len(shape) == rank and not batched:
        yield shape
    if output.shape[-1:] == (1,) and len(shape) == rank and shape[0] in {1, None}:
        yield (*shape[1:], 1)


def _rows(preset: Preset, size_px: Size) -> frozenset[int]:
    if preset.rows is not None:
        return frozenset(preset.rows(size_px))
    head = _sized(preset, size_px)
    return frozenset({len(make_anchors(head.anchors, input_size_px=size_px))} if isinstance(head, AnchorHead) else ())


def _is_sure(preset: Preset, signature: Signature, size_px: Size | None, fitted: _Fitted) -> bool:
    """Whether the shapes alone are enough to say that a model is of this family."""
    takes = signature.inputs[0].name.casefold().removesuffix(":0") if signature.inputs else ""
    return (
        preset.by_shape
        and (not preset.sizes_px or size_px in preset.sizes_px)
        and (fitted.rows_known or bool(preset.sizes_px))
        and fitted.classes not in preset.doubtful
        and (not preset.input_names or takes in preset.input_names)
    )


def _card(preset: Preset, signature: Signature, size_px: Size | None, fitted: _Fitted) -> Card:
    head = _sized(preset, size_px)
    if head is not None:
        head = head.model_copy(update={**fitted.names, **_as_named(head, fitted.names)})
    return preset.card.model_copy(update={"head": head, "input": _input(preset.card.input, signature, size_px)})


def _sized(preset: Preset, size_px: Size | None) -> HeadCard | None:
    """The head, with the maps of its grids for this input."""
    head = preset.card.head
    if not preset.strides or size_px is None or not isinstance(head, AnchorHead):
        return head
    maps = tuple((ceil(size_px[0] / stride), ceil(size_px[1] / stride)) for stride in preset.strides)
    return head.model_copy(update={"anchors": head.anchors.model_copy(update={"maps": maps})})


def _as_named(head: HeadCard, names: Mapping[str, str]) -> dict[str, str]:
    """The exporter of TFLite graphs has converted the scores already, as the name that it gives them tells."""
    if isinstance(head, AnchorHead) and "raw_outputs/class_predictions" in names.get("scores", ""):
        return {"activation": "none"}
    return {}


def _input(card: InputCard, signature: Signature, size_px: Size | None) -> InputCard:
    """The family's, for this size; integers say themselves what they stand for."""
    update: dict[str, Any] = {} if card.size is None else {"size": size_px}
    if signature.inputs and signature.inputs[0].dtype in _INTEGERS:
        update |= {"scale": None, "mean": None, "std": None}
    return card.model_copy(update=update)


def _unfit(preset: Preset, signature: Signature, what: str) -> SignatureError:
    there = "; ".join(map(str, signature.outputs[:12])) or "none"
    return SignatureError(what, where=preset.name, hint=f"its outputs: {there}")
