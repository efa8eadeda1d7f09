"""A frame goes into a model and its boxes come back to where they were, whatever the sizes and the fit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.models.options import Fit
from streamer.models.plan import RANGES, InputPlan
from streamer.models.preprocess import ImageInput, Placement
from streamer.models.signature import Quantization, TensorSpec

SIDE = st.integers(1, 4096)
SHARE = st.floats(0, 1)
FITS = st.sampled_from(("stretch", "letterbox", "crop"))


def _plan(
    size_px: tuple[int, int] = (64, 48), *, fit: Fit = "letterbox", scale: str = "0..255", dtype: str = "uint8"
) -> InputPlan:
    mean, std = RANGES[scale]
    return InputPlan(
        spec=TensorSpec("image", dtype, (1, size_px[1], size_px[0], 3)),
        size_px=size_px,
        batch=1,
        layout="nhwc",
        channel_order="rgb",
        mean=(mean,) * 3,
        std=(std,) * 3,
        fit=fit,
    )


def _to_input(placement: Placement, boxes: NDArray[Any]) -> NDArray[np.float64]:
    """The way there, of which `boxes_to_frame` is the way back."""
    x_scale, y_scale = placement.width / placement.frame_size_px[0], placement.height / placement.frame_size_px[1]
    there = np.asarray(boxes, np.float64) * [x_scale, y_scale, x_scale, y_scale]
    return np.asarray(there + [placement.left, placement.top] * 2, np.float64)


def _noise(width: int, height: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(frame=st.tuples(SIDE, SIDE), model=st.tuples(SIDE, SIDE), fit=FITS, corner=st.tuples(SHARE, SHARE, SHARE, SHARE))
def test_a_box_that_went_in_comes_back_to_a_thousandth_of_a_pixel(
    frame: tuple[int, int], model: tuple[int, int], fit: Fit, corner: tuple[float, float, float, float]
) -> None:
    placement = ImageInput(_plan(model, fit=fit)).place(frame)
    box_px = np.array([corner]) * [*frame, *frame]
    np.testing.assert_allclose(placement.boxes_to_frame(_to_input(placement, box_px)), box_px, atol=1e-3)


@given(frame=st.tuples(SIDE, SIDE), model=st.tuples(SIDE, SIDE), fit=FITS)
def test_every_fit_puts_the_middle_of_the_frame_near_the_middle_of_the_input(
    frame: tuple[int, int], model: tuple[int, int], fit: Fit
) -> None:
    placement = ImageInput(_plan(model, fit=fit)).place(frame)
    middle = np.array([[frame[0] / 2, frame[1] / 2] * 2])
    off = _to_input(placement, middle)[0, :2] - np.array(model) / 2
    a_pixel = max(1.0, placement.width / frame[0], placement.height / frame[1])
    assert (np.abs(off) <= a_pixel).all()


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("frame", [(200, 100), (100, 200), (128, 96), (37, 411)])
@pytest.mark.parametrize("model", [(128, 96), (96, 96), (50, 160)])
def test_the_pixels_go_where_the_boxes_do(fit: Fit, frame: tuple[int, int], model: tuple[int, int]) -> None:
    taken = ImageInput(_plan(model, fit=fit))
    image = np.zeros((frame[1], frame[0], 3), np.uint8)
    x1, y1, x2, y2 = (round(frame[0] * 0.4), round(frame[1] * 0.35), round(frame[0] * 0.6), round(frame[1] * 0.7))
    image[y1:y2, x1:x2] = 255
    seen = taken.to_tensor(image)[0, ..., 0] >= 128
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    expected = _to_input(taken.place(frame), np.array([[x1, y1, x2, y2]]))[0]
    expected = np.clip(expected, 0, [*model, *model])
    np.testing.assert_allclose(found, expected, atol=1.01)


@given(frame=st.tuples(SIDE, SIDE), size_px=st.tuples(SIDE, SIDE))
def test_a_letterboxed_frame_lies_inside_and_keeps_its_aspect(frame: tuple[int, int], size_px: tuple[int, int]) -> None:
    placement = ImageInput(_plan(size_px)).place(frame)
    width, height = size_px
    assert placement.left >= 0
    assert placement.top >= 0
    assert placement.left + placement.width <= width
    assert placement.top + placement.height <= height
    assert placement.width == width or placement.height == height
    scale = min(width / frame[0], height / frame[1])
    assert abs(placement.width - frame[0] * scale) <= 1
    assert abs(placement.height - frame[1] * scale) <= 1


@given(frame=st.tuples(SIDE, SIDE), size_px=st.tuples(SIDE, SIDE))
def test_a_cropped_frame_covers_the_whole_input(frame: tuple[int, int], size_px: tuple[int, int]) -> None:
    placement = ImageInput(_plan(size_px, fit="crop")).place(frame)
    assert placement.left <= 0
    assert placement.top <= 0
    assert placement.left + placement.width >= size_px[0] - 1e-6
    assert placement.top + placement.height >= size_px[1] - 1e-6


def test_a_frame_of_the_very_size_goes_in_untouched_but_for_its_channels() -> None:
    image = _noise(64, 48)
    tensor = ImageInput(_plan()).to_tensor(image)
    np.testing.assert_array_equal(tensor, image[np.newaxis, :, :, ::-1])
    assert tensor.dtype == np.uint8


def test_what_surrounds_a_letterboxed_frame_is_black() -> None:
    tensor = ImageInput(_plan()).to_tensor(np.full((100, 50, 3), 255, np.uint8))[0]
    columns = np.flatnonzero(tensor.any(axis=(0, 2)))
    assert (columns.min(), columns.max()) == (20, 43)
    assert (tensor[:, 20:44] == 255).all()


def test_what_is_cropped_is_the_middle() -> None:
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    assert (ImageInput(_plan((40, 40), fit="crop")).to_tensor(image) == 255).all()


@pytest.mark.parametrize(
    ("scale", "expected"), [("0..1", (0.0, 0.2, 1.0)), ("-1..1", (-1.0, -0.6, 1.0)), ("0..255", (0.0, 51.0, 255.0))]
)
def test_floats_are_scaled(scale: str, expected: tuple[float, float, float]) -> None:
    tensor = ImageInput(_plan((1, 1), scale=scale, dtype="float32")).to_tensor(np.array([[[255, 51, 0]]], np.uint8))
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor.ravel(), expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
def test_the_tensor_has_the_type_that_the_model_takes(dtype: str) -> None:
    image = _noise(64, 48)
    tensor = ImageInput(_plan(dtype=dtype)).to_tensor(image)
    assert tensor.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(tensor[0], image[..., ::-1])


def test_each_channel_has_a_mean_and_a_deviation_of_its_own() -> None:
    plan = replace(_plan((1, 1), dtype="float32"), channel_order="bgr", mean=(104.0, 177.0, 123.0), std=(1.0, 2.0, 4.0))
    tensor = ImageInput(plan).to_tensor(np.array([[[105, 179, 127]]], np.uint8))
    np.testing.assert_allclose(tensor.ravel(), (1, 1, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "scale", "quantization", "expected"),
    [
        ("int8", "-1..1", Quantization(1 / 127.5, -1), (-128, -1, 127)),
        ("int8", "0..1", Quantization(1 / 255, -128), (-128, 0, 127)),
        ("uint8", "0..1", Quantization(1 / 255, 0), (0, 128, 255)),
        ("int8", "0..255", Quantization(1.0, -128), (-128, 0, 127)),
        ("int16", "0..1", Quantization(1 / 32767, 0), (0, 16448, 32767)),
    ],
)
def test_integers_stand_for_what_their_quantisation_says(
    dtype: str, scale: str, quantization: Quantization, expected: tuple[int, int, int]
) -> None:
    plan = _plan((3, 1), scale=scale, dtype=dtype)
    plan = replace(plan, spec=replace(plan.spec, quantization=quantization))
    tensor = ImageInput(plan).to_tensor(np.array([[[0] * 3, [128] * 3, [255] * 3]], np.uint8))
    assert tensor.dtype == np.dtype(dtype)
    np.testing.assert_allclose(tensor[0, 0, :, 0], expected, atol=1)


def test_channels_first_where_the_model_has_them_first() -> None:
    image = _noise(64, 48)
    tensor = ImageInput(replace(_plan(), layout="nchw")).to_tensor(image)
    assert tensor.shape == (1, 3, 48, 64)
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor[0], image[..., ::-1].transpose(2, 0, 1))


def test_a_model_without_a_batch_dimension_gets_none() -> None:
    plan = replace(_plan((40, 30)), batch=None)
    assert ImageInput(plan).to_tensor(np.zeros((9, 9, 3), np.uint8)).shape == (30, 40, 3)


def test_a_batch_that_is_not_full_is_filled_up_with_nothing() -> None:
    image = _noise(64, 48)
    tensor = ImageInput(replace(_plan(), batch=4)).to_tensor(image, image)
    assert tensor.shape == (4, 48, 64, 3)
    np.testing.assert_array_equal(tensor[1], image[..., ::-1])
    assert not tensor[2:].any()
