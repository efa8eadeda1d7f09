"""How a frame is to be put into a model: layout, size, fit, colour order and range of values, each with its reason.

Flags win over the card, the card over what the file says, that over what is usual for its kind. Called by
understanding.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamer.errors import ConfigError, SignatureError
from streamer.models.card import InputCard, Triple
from streamer.models.loaded import Hints
from streamer.models.options import ChannelOrder, Fit, Layout, ModelOptions
from streamer.models.plan import RANGES, Choice, InputPlan
from streamer.models.signature import Quantization, Signature, TensorSpec
from streamer.text import printable

DEFAULT_SIZE_PX = (640, 480)
"""The input size of a model that takes any, where nobody knows how large the frames will be."""

MAX_SIDE_PX = 1280
"""The longer side of such an input at most: detectors shrink it to a few hundred pixels anyway."""

SIZED_BY_FRAMES = ("that of the frames", "any size is taken")
"""The reasons for a size that another run may not have."""

ANY_SIDE_PX = 1 << 16
"""Where it costs nothing: what shrinks the picture reads only what it needs."""

FLOATS = ("float32", "float16", "float64")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")

_Scaling = tuple[Triple, Triple]
"""Mean and std of each channel."""


_FLAGS = {"layout": ("layout", "--layout"), "size": ("input_size_px", "--input-size")}
"""What of a card a flag may say instead: the option, and what it is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of an input before its signature is looked at.

    own: what the model's card itself says; told: the same with the preset that it names; card: with the preset that
    fits, where it names none. origin, preset: what card and preset are called. options: the flags. hints: what the file
    says.
    frame_size_px: (width, height) of the frames, where it is known. max_side_px: of an input of any size, at most.
    usual_scale: the range of floats in models of this kind, and what kind that is; None where nobody can know.
    usual_rgb: whether models of this kind take RGB for certain, and what kind that is; empty where nobody can know.
    """

    card: InputCard
    own: InputCard
    told: InputCard
    origin: str
    preset: str
    options: ModelOptions
    hints: Hints
    frame_size_px: tuple[int, int] | None
    max_side_px: int = MAX_SIDE_PX
    usual_scale: tuple[str, str] | None = None
    usual_rgb: str = ""

    def source(self, key: str) -> str:
        """Where the card's `key` is from; flags stand in it for what the card said."""
        if key in _FLAGS and getattr(self.options, _FLAGS[key][0]) is not None:
            return _FLAGS[key][1]
        return self.origin if getattr(self.own, key) is not None else f"preset {self.preset}"


def image_spec(signature: Signature, *, others: Sequence[str] = ()) -> TensorSpec:
    """The one input of a detector. Raises SignatureError that says what else there is.

    others: the names of the model's other signatures.
    """
    if len(signature.inputs) != 1:
        what = f"it takes {len(signature.inputs)} inputs, where one image is wanted"
        raise _no_image(signature, what, others=others)
    spec = signature.inputs[0]
    if spec.dtype not in FLOATS + INTEGERS:
        encoded = ", as encoded pictures and text are" if spec.dtype == "string" else ""
        what = f"it takes {spec.dtype}{encoded}, where uint8 or float32 pixels are wanted"
        raise _no_image(signature, what, others=others)
    shape = spec.shape
    if shape is None:
        return spec
    if len(shape) not in {3, 4} or (shape[-1] not in {3, None} and shape[-3] != 3):
        grey = ", but one channel, where streamer gives three" if len(shape) == 4 and shape[-1] == 1 else ""
        raise _no_image(signature, f"its input is no image, [1,height,width,3]{grey}", others=others)
    return spec


def static_size_px(spec: TensorSpec, card: InputCard, hints: Hints) -> tuple[int | None, int | None]:
    """(width, height) as far as the model itself or its card fixes them."""
    asked = card.size or hints.input_size_px or (None, None)
    if spec.shape is None:
        return asked
    layout = _layout(spec, card)[0]
    height, width = spec.shape[-2:] if layout == "nchw" else spec.shape[-3:-1]
    return width or asked[0], height or asked[1]


def plan_input(spec: TensorSpec, known: Known) -> tuple[InputPlan, tuple[Choice, ...]]:
    """The plan of the input, and every decision in it. Raises ConfigError for a flag or card that does not fit it."""
    layout, layout_why = _layout(spec, known.card)
    layout_why = known.source("layout") if known.card.layout else layout_why
    size_px, size = _size(spec, known)
    fit, fitting = _fit(spec, known)
    order, ordering = _order(known)
    (mean, std), scaling, quantization = _scale(spec, known)
    plan = InputPlan(
        spec=replace(spec, quantization=quantization),
        size_px=size_px,
        batch=None if spec.shape is not None and len(spec.shape) == 3 else (spec.shape or (1,))[0] or 1,
        layout=layout,
        channel_order=order,
        mean=mean,
        std=std,
        fit=fit,
    )
    return plan, (Choice("layout", layout, layout_why), size, fitting, ordering, scaling)


def _layout(spec: TensorSpec, card: InputCard) -> tuple[Layout, str]:
    if card.layout is not None:
        return card.layout, "the card"
    if spec.shape is None:
        return "nhwc", "usual"
    if spec.shape[-1] == 3:
        return "nhwc", "its shape"
    return ("nchw", "its shape") if spec.shape[-3] == 3 else ("nhwc", "usual")


def _size(spec: TensorSpec, known: Known) -> tuple[tuple[int, int], Choice]:
    width, height = static_size_px(spec, known.card, known.hints)
    if width is not None and height is not None:
        fixed = _is_fixed(spec, known.card)
        why = "its shape" if fixed else known.source("size") if known.card.size else "its file"
        return (width, height), Choice("size", f"{width}x{height}", why)
    free_width, free_height = _capped(known.frame_size_px or DEFAULT_SIZE_PX, known.max_side_px)
    step = known.card.multiple_of or 1
    size_px = (width or _rounded_up(free_width, step), height or _rounded_up(free_height, step))
    why = SIZED_BY_FRAMES[0 if known.frame_size_px else 1]
    return size_px, Choice("size", f"{size_px[0]}x{size_px[1]}", why)


def _is_fixed(spec: TensorSpec, card: InputCard) -> bool:
    if spec.shape is None:
        return False
    sides = spec.shape[-2:] if _layout(spec, card)[0] == "nchw" else spec.shape[-3:-1]
    return None not in sides


def _fit(spec: TensorSpec, known: Known) -> tuple[Fit, Choice]:
    if known.options.fit is not None:
        return known.options.fit, Choice("fit", known.options.fit, "--fit")
    if known.card.fit is not None:
        is_usual = known.told.fit is None
        return known.card.fit, Choice("fit", known.card.fit, known.source("fit"), is_usual=is_usual)
    if None not in static_size_px(spec, known.card, known.hints):
        return "stretch", Choice("fit", "stretch", "usual for one size", is_usual=True)
    return "letterbox", Choice("fit", "letterbox", "usual for any size", is_usual=True)


def _order(known: Known) -> tuple[ChannelOrder, Choice]:
    what = "channel order"
    if known.options.channel_order is not None:
        return known.options.channel_order, Choice(what, known.options.channel_order, "--channel-order")
    if known.told.channel_order is not None:
        return known.told.channel_order, Choice(what, known.told.channel_order, known.source("channel_order"))
    if known.hints.channel_order is not None:
        return known.hints.channel_order, Choice(what, known.hints.channel_order, "its file")
    if known.card.channel_order is not None:
        order = known.card.channel_order
        return order, Choice(what, order, known.source("channel_order"), is_usual=True)
    if known.usual_rgb:
        return "rgb", Choice(what, "rgb", f"usual for {known.usual_rgb}", is_usual=True)
    return "rgb", Choice(what, "rgb", "usual", is_open=True)


def _scale(spec: TensorSpec, known: Known) -> tuple[_Scaling, Choice, Quantization | None]:
    """(mean, std), the decision, and the quantisation that is left to be done."""
    told = _told_scale(spec, known)
    if told is not None:
        as_they_are = spec.dtype == "uint8" and told[1].value == "0..255"
        return *told, None if as_they_are else spec.quantization
    if spec.dtype == "uint8":
        return _range("0..255"), Choice("scale", "0..255", "uint8 takes pixels as they are"), None
    if known.hints.normalization is not None:
        mean, std = (_triple(values) for values in known.hints.normalization)
        return (mean, std), Choice("scale", "mean and std", known.hints.normalization_from), spec.quantization
    if spec.dtype in INTEGERS:
        return _of_integers(spec)
    if known.hints.value_range is not None:
        scale = known.hints.value_range
        return _range(scale), Choice("scale", scale, "the first steps of its graph"), None
    return *_usual_scale(spec, known), None


def _told_scale(spec: TensorSpec, known: Known) -> tuple[_Scaling, Choice] | None:
    """What the flag, the model's card or the preset that it names says; None where none does."""
    flag, card = None if known.options.scale == "auto" else known.options.scale, known.told
    scale, why = flag or card.scale, "--scale" if flag else known.source("scale" if card.scale else "mean")
    of_preset = flag is None and known.own.scale is None and known.own.mean is None
    if (scale is None and card.mean is None) or (of_preset and spec.dtype == "uint8"):
        return None
    if spec.dtype in INTEGERS and spec.quantization is None and scale != "0..255":
        where = why if flag else f"{why}: input.{'scale' if scale else 'mean'}"
        what = f"the model takes {spec.dtype}, which cannot hold {scale or 'what mean and std make of pixels'}"
        raise ConfigError(what, where=where, hint="auto or 0..255")
    return _scaling(scale, card), Choice("scale", scale or "mean and std", why)


def _usual_scale(spec: TensorSpec, known: Known) -> tuple[_Scaling, Choice]:
    """What floats are, as far as the kind of model tells."""
    card = known.card
    if card.scale is not None or card.mean is not None:
        choice = Choice("scale", card.scale or "mean and std", f"preset {known.preset}", is_usual=True)
        return _scaling(card.scale, card), choice
    scale, kind = known.usual_scale or ("0..1", spec.dtype)
    return _range(scale), Choice("scale", scale, f"usual for {kind}", is_open=True)


def _scaling(scale: str | None, card: InputCard) -> _Scaling:
    if scale is not None:
        return _range(scale)
    if card.mean is None or card.std is None:
        raise AssertionError("a card has both mean and std, or neither")
    return card.mean, card.std


def _of_integers(spec: TensorSpec) -> tuple[_Scaling, Choice, Quantization | None]:
    """Integers stand for what their quantisation says; without one they are pixels."""
    quantization = spec.quantization
    if quantization is None or quantization.scale <= 0:
        return _range("0..255"), Choice("scale", "0..255", f"{spec.dtype} holds pixels"), None
    limits = np.iinfo(spec.dtype)
    lowest, highest = ((end - quantization.zero_point) * quantization.scale for end in (limits.min, limits.max))
    for name, (low, high) in {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255)}.items():
        if abs(lowest - low) < 0.02 * (high - low) and abs(highest - high) < 0.02 * (high - low):
            return _range(name), Choice("scale", name, "its quantisation"), quantization
    std = 255 / (highest - lowest)
    mean = -lowest * std
    choice = Choice("scale", f"{lowest:.4g}..{highest:.4g}", "its quantisation")
    return (_triple((mean,)), _triple((std,))), choice, quantization


def _range(name: str) -> _Scaling:
    mean, std = RANGES[name]
    return (mean,) * 3, (std,) * 3


def _triple(values: tuple[float, ...]) -> Triple:
    first, *others = values
    return (first, *others) if len(others) == 2 else (first, first, first)  # type: ignore[return-value]


def _capped(size_px: tuple[int, int], max_side_px: int) -> tuple[int, int]:
    width, height = size_px
    shrink = min(1.0, max_side_px / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _rounded_up(side_px: int, step: int) -> int:
    return -(-side_px // step) * step


def _no_image(signature: Signature, what: str, *, others: Sequence[str]) -> SignatureError:
    there = "; ".join(map(str, signature.inputs[:12])) or "none"
    more = f"; it has other signatures, for --signature: {', '.join(map(printable, others[:12]))}" if others else ""
    return SignatureError(
        f"the signature {printable(signature.name)!r} is not a detector's: {what}", hint=f"its inputs: {there}{more}"
    )
