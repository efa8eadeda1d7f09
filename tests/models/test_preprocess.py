"""A frame goes into a model and its boxes come back to where they were, whatever the sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.models.options import Scale
from streamer.models.preprocess import ImageInput
from streamer.models.signature import TensorSpec

SIDE = st.integers(1, 4096)
SHARE = st.floats(0, 1)


def _spec(*shape: int | None, dtype: str = "uint8") -> TensorSpec:
    return TensorSpec("image", dtype, shape)


def _input(*shape: int | None, size_px: tuple[int, int] | None = None, dtype: str = "uint8") -> ImageInput:
    return ImageInput(_spec(*shape, dtype=dtype), input_size_px=size_px)


@given(
    frame=st.tuples(SIDE, SIDE),
    model=st.tuples(SIDE, SIDE),
    fixed=st.booleans(),
    corner=st.tuples(SHARE, SHARE, SHARE, SHARE),
)
def test_a_box_that_went_in_comes_back_to_a_thousandth_of_a_pixel(
    frame: tuple[int, int], model: tuple[int, int], *, fixed: bool, corner: tuple[float, float, float, float]
) -> None:
    taken = _input(1, model[1], model[0], 3) if fixed else _input(1, None, None, 3, size_px=model)
    placement = taken.place(frame)
    box_px = np.array([corner]) * [*frame, *frame]
    input_width, input_height = taken.size_px
    shrink = [placement.width / frame[0], placement.height / frame[1]] * 2
    x1, y1, x2, y2 = (box_px * shrink)[0] + [placement.left, placement.top] * 2
    normalised = np.array([[y1 / input_height, x1 / input_width, y2 / input_height, x2 / input_width]])
    np.testing.assert_allclose(placement.boxes_to_frame(normalised), box_px, atol=1e-3)


@given(frame=st.tuples(SIDE, SIDE), size_px=st.tuples(SIDE, SIDE))
def test_a_letterboxed_frame_lies_inside_and_keeps_its_aspect(frame: tuple[int, int], size_px: tuple[int, int]) -> None:
    taken = _input(1, None, None, 3, size_px=size_px)
    placement = taken.place(frame)
    width, height = taken.size_px
    assert placement.left >= 0
    assert placement.top >= 0
    assert placement.left + placement.width <= width
    assert placement.top + placement.height <= height
    assert placement.width == width or placement.height == height
    scale = min(width / frame[0], height / frame[1])
    assert abs(placement.width - frame[0] * scale) <= 1
    assert abs(placement.height - frame[1] * scale) <= 1


def test_a_frame_of_the_very_size_goes_in_untouched_but_for_its_channels() -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    tensor = _input(1, None, None, 3, size_px=(64, 48)).to_tensor(image)
    np.testing.assert_array_equal(tensor, image[np.newaxis, :, :, ::-1])
    assert tensor.dtype == np.uint8


def test_what_surrounds_a_letterboxed_frame_is_black() -> None:
    image = np.full((100, 50, 3), 255, np.uint8)
    tensor = _input(1, None, None, 3, size_px=(64, 48)).to_tensor(image)[0]
    columns = np.flatnonzero(tensor.any(axis=(0, 2)))
    assert (columns.min(), columns.max()) == (20, 43)
    assert (tensor[:, 20:44] == 255).all()


def test_a_fixed_size_is_stretched_to() -> None:
    taken = _input(1, 30, 40, 3, size_px=(640, 480))
    assert taken.size_px == (40, 30)
    assert (taken.to_tensor(np.full((100, 50, 3), 255, np.uint8)) == 255).all()


def test_a_size_that_is_half_fixed_keeps_that_half() -> None:
    assert _input(1, 320, None, 3, size_px=(640, 480)).size_px == (640, 320)


@pytest.mark.parametrize(
    ("asked", "used"),
    [
        (None, (640, 480)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((320, 240), (320, 240)),
        ((9000, 1), (1280, 1)),
    ],
)
def test_one_size_is_chosen_and_large_ones_are_bounded(asked: tuple[int, int] | None, used: tuple[int, int]) -> None:
    assert _input(1, None, None, 3, size_px=asked).size_px == used


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("auto", (0.0, 0.2, 1.0)),
        ("0..1", (0.0, 0.2, 1.0)),
        ("-1..1", (-1.0, -0.6, 1.0)),
        ("0..255", (0.0, 51.0, 255.0)),
    ],
)
def test_floats_are_scaled_as_told(scale: Scale, expected: tuple[float, float, float]) -> None:
    taken = ImageInput(_spec(1, 1, 1, 3, dtype="float32"), scale=scale)
    tensor = taken.to_tensor(np.array([[[255, 51, 0]]], np.uint8))
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor.ravel(), expected, atol=1e-6)


@pytest.mark.parametrize("scale", ["0..1", "-1..1"])
def test_whole_numbers_cannot_hold_a_fraction(scale: Scale) -> None:
    with pytest.raises(ConfigError, match=r"--scale.*uint8"):
        ImageInput(_spec(1, None, None, 3), scale=scale)


def test_a_model_without_a_batch_dimension_gets_none() -> None:
    assert _input(30, 40, 3).to_tensor(np.zeros((9, 9, 3), np.uint8)).shape == (30, 40, 3)
