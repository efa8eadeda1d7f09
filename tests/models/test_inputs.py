"""How a picture is put into a model is decided by flags, card, file and kind, in this order, and the reason is told."""

from typing import Any

import pytest

from streamer.errors import ConfigError, SignatureError
from streamer.models.card import InputCard
from streamer.models.inputs import Known, image_spec, plan_input
from streamer.models.loaded import Hints
from streamer.models.options import ModelOptions
from streamer.models.plan import Choice, InputPlan
from streamer.models.signature import Quantization, Signature, TensorSpec

Shape = tuple[int | None, ...] | None
ANY: Shape = (1, None, None, 3)


def _planned(
    shape: Shape = ANY,
    dtype: str = "float32",
    *,
    quantization: Quantization | None = None,
    card: InputCard | None = None,
    hints: Hints | None = None,
    frame_size_px: tuple[int, int] | None = None,
    usual_scale: tuple[str, str] | None = None,
    **options: Any,
) -> tuple[InputPlan, dict[str, Choice]]:
    card = card or InputCard()
    known = Known(
        card=card,
        own=card,
        told=card,
        origin="model.yaml",
        preset="",
        options=ModelOptions(**options),
        hints=hints or Hints(),
        frame_size_px=frame_size_px,
        usual_scale=usual_scale,
    )
    plan, choices = plan_input(TensorSpec("image", dtype, shape, quantization), known)
    return plan, {choice.what: choice for choice in choices}


def _signature(*inputs: TensorSpec) -> Signature:
    return Signature("serving_default", inputs, ())


@pytest.mark.parametrize(
    ("frame_size_px", "used"),
    [
        (None, (640, 480)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((320, 240), (320, 240)),
        ((9000, 1), (1280, 1)),
    ],
)
def test_one_size_is_chosen_and_large_ones_are_bounded(
    frame_size_px: tuple[int, int] | None, used: tuple[int, int]
) -> None:
    plan, _ = _planned(frame_size_px=frame_size_px)
    assert plan.size_px == used
    assert plan.fit == "letterbox"


def test_a_size_that_is_half_fixed_keeps_that_half() -> None:
    assert _planned((1, 320, None, 3), frame_size_px=(640, 480))[0].size_px == (640, 320)


def test_a_fixed_size_is_stretched_to_and_wins_over_the_card() -> None:
    plan, choices = _planned((1, 30, 40, 3), card=InputCard(size=(9, 9)), frame_size_px=(640, 480))
    assert (plan.size_px, plan.fit) == ((40, 30), "stretch")
    assert choices["size"].why == "its shape"


def test_the_card_gives_a_model_of_any_size_one() -> None:
    plan, choices = _planned(card=InputCard(size=(512, 256)), frame_size_px=(640, 480))
    assert (plan.size_px, plan.fit) == ((512, 256), "stretch")
    assert choices["size"].why == "model.yaml"


def test_sides_are_rounded_up_to_what_the_card_says() -> None:
    plan, _ = _planned(card=InputCard(multiple_of=128), frame_size_px=(640, 360))
    assert (plan.size_px, plan.fit) == ((640, 384), "letterbox")


@pytest.mark.parametrize(
    ("shape", "layout", "size_px", "batch"),
    [
        ((1, 30, 40, 3), "nhwc", (40, 30), 1),
        ((None, 30, 40, 3), "nhwc", (40, 30), 1),
        ((8, 30, 40, 3), "nhwc", (40, 30), 8),
        ((30, 40, 3), "nhwc", (40, 30), None),
        ((1, 3, 30, 40), "nchw", (40, 30), 1),
        ((3, 30, 40), "nchw", (40, 30), None),
        ((1, 3, None, 3), "nhwc", (640, 3), 1),
        (None, "nhwc", (640, 480), 1),
        ((1, None, None, None), "nhwc", (640, 480), 1),
    ],
)
def test_the_layout_is_read_from_the_shape(
    shape: Shape, layout: str, size_px: tuple[int, int], batch: int | None
) -> None:
    plan, _ = _planned(shape)
    assert (plan.layout, plan.size_px, plan.batch) == (layout, size_px, batch)


def test_flags_win_over_the_card_and_the_card_over_what_is_usual() -> None:
    card = InputCard(channel_order="bgr", scale="-1..1", fit="crop")
    plan, choices = _planned(card=card)
    assert (plan.channel_order, plan.scale, plan.fit) == ("bgr", "-1..1", "crop")
    assert {choices[what].why for what in ("channel order", "scale", "fit")} == {"model.yaml"}
    plan, choices = _planned(card=card, channel_order="rgb", scale="0..255", fit="stretch")
    assert (plan.channel_order, plan.scale, plan.fit) == ("rgb", "0..255", "stretch")
    assert [choices[what].why for what in ("channel order", "scale", "fit")] == ["--channel-order", "--scale", "--fit"]


def test_what_nothing_says_is_open() -> None:
    plan, choices = _planned()
    assert (plan.scale, plan.channel_order) == ("0..1", "rgb")
    assert [what for what, choice in choices.items() if choice.is_open] == ["channel order", "scale"]


def test_what_the_kind_says_is_usual_and_still_open() -> None:
    plan, choices = _planned(usual_scale=("0..255", "exports"))
    assert plan.scale == "0..255"
    assert choices["scale"].is_open
    assert choices["scale"].why == "usual for exports"


@pytest.mark.parametrize(
    ("dtype", "quantization", "scale"),
    [
        ("uint8", None, "0..255"),
        ("uint8", Quantization(1 / 127.5, 128), "0..255"),
        ("int8", Quantization(0.0078125, -1), "-1..1"),
        ("int8", Quantization(0.003921568859368563, -128), "0..1"),
        ("int8", Quantization(1.0, -128), "0..255"),
        ("int8", None, "0..255"),
        ("int32", None, "0..255"),
        ("int16", Quantization(1 / 32768, 0), "-1..1"),
    ],
)
def test_integers_leave_nothing_open(dtype: str, quantization: Quantization | None, scale: str) -> None:
    plan, choices = _planned(dtype=dtype, quantization=quantization)
    assert plan.scale == scale
    assert not choices["scale"].is_open


def test_a_quantisation_of_its_own_kind_is_followed() -> None:
    plan, choices = _planned(dtype="int8", quantization=Quantization(1 / 64, 0))
    assert choices["scale"].value == "-2..1.984"
    values = [(pixel - plan.mean[0]) / plan.std[0] for pixel in (0, 255)]
    assert values == pytest.approx([-2.0, 127 / 64])


def test_uint8_that_is_told_to_take_pixels_takes_them_as_they_are() -> None:
    plan, _ = _planned(dtype="uint8", quantization=Quantization(1 / 255, 0), scale="0..255")
    assert plan.spec.quantization is None
    plan, _ = _planned(dtype="int8", quantization=Quantization(1.0, -128), scale="0..255")
    assert plan.spec.quantization == Quantization(1.0, -128)


def test_the_metadata_of_a_file_are_followed() -> None:
    plan, choices = _planned(hints=Hints(normalization=((127.0,), (128.0,))))
    assert (plan.mean, plan.std) == ((127.0,) * 3, (128.0,) * 3)
    assert choices["scale"].why == "the metadata in its file"


def test_the_first_steps_of_the_graph_win_over_the_family_and_not_over_the_card_and_flags() -> None:
    hints = Hints(value_range="0..255")
    plan, choices = _planned(hints=hints, usual_scale=("0..1", "its kind"))
    assert (plan.scale, choices["scale"].why) == ("0..255", "the first steps of its graph")
    assert not choices["scale"].is_open
    assert _planned(hints=hints, card=InputCard(scale="-1..1"))[0].scale == "-1..1"
    assert _planned(hints=hints, scale="0..1")[0].scale == "0..1"


@pytest.mark.parametrize("scale", ["0..1", "-1..1"])
def test_whole_numbers_cannot_hold_a_fraction(scale: str) -> None:
    with pytest.raises(ConfigError, match=r"--scale.*uint8"):
        _planned(dtype="uint8", scale=scale)
    with pytest.raises(ConfigError, match=r"model.yaml: input.scale.*uint8"):
        _planned(dtype="uint8", card=InputCard.model_validate({"scale": scale}))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((), "takes 0 inputs"),
        ((TensorSpec("a", "uint8", ANY), TensorSpec("b", "float32", ())), "takes 2 inputs"),
        ((TensorSpec("a", "string", (None,)),), "takes string, as encoded pictures"),
        ((TensorSpec("a", "float32", (1, 224)),), "no image"),
        ((TensorSpec("a", "float32", (1, 28, 28, 1)),), "no image.*but one channel"),
        ((TensorSpec("a", "float32", (1, 16, 112, 112, 3)),), "no image"),
    ],
)
def test_an_input_that_is_no_image_is_named(inputs: tuple[TensorSpec, ...], message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        image_spec(_signature(*inputs))


def test_other_signatures_are_offered_where_this_one_takes_no_image() -> None:
    with pytest.raises(SignatureError, match="for --signature: serving_tensor, other"):
        image_spec(_signature(TensorSpec("a", "string", (None,))), others=["serving_tensor", "other"])
