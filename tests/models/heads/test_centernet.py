"""Peaks of heat maps: what was put into the maps is found, as TensorFlow's maximum pooling finds it."""

from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.models.card import CenterNetHead
from streamer.models.heads import RawDetections
from streamer.models.heads.centernet import CenterPoints

SIZE_PX = (128, 64)
SHAPE = (16, 32)
"""(height, width) of the maps: cells of 4 px."""

MAPS = {
    "heat": np.full((*SHAPE, 3), -9.0, np.float32),
    "size": np.zeros((*SHAPE, 2), np.float32),
    "offset": np.zeros((*SHAPE, 2), np.float32),
}


def _read(card: CenterNetHead, outputs: dict[str, NDArray[Any]], *, conf: float = 0.3) -> RawDetections:
    offsets = "offset" if "offset" in outputs else None
    head = CenterPoints(card, heatmap="heat", sizes="size", offsets=offsets)
    return head.read(outputs, input_size_px=SIZE_PX, conf=conf, max_det=100)


def _one_thing() -> dict[str, NDArray[Any]]:
    """Class 2 with its middle at 50, 30 px; 24 wide, 16 high."""
    maps = {name: values.copy() for name, values in MAPS.items()}
    maps["heat"][7, 12, 2], maps["heat"][7, 13, 2] = 3.0, 1.0
    maps["size"][7, 12] = 4, 6
    maps["offset"][7, 12] = 0.5, 0.5
    return maps


@pytest.mark.parametrize("batch", [(), (1,)])
@pytest.mark.parametrize("unit", ["cells", "px"])
@pytest.mark.parametrize("order", ["hw", "wh"])
def test_a_thing_is_found_once_where_it_is(
    batch: tuple[int, ...], unit: Literal["cells", "px"], order: Literal["hw", "wh"]
) -> None:
    maps = _one_thing()
    if unit == "px":
        maps["size"] *= 4
    if order == "wh":
        maps["size"], maps["offset"] = maps["size"][..., ::-1], maps["offset"][..., ::-1]
    outputs = {name: values.reshape(*batch, *values.shape) for name, values in maps.items()}
    found = _read(CenterNetHead(unit=unit, order=order), outputs)
    np.testing.assert_allclose(found.boxes, [[50 - 12, 30 - 8, 50 + 12, 30 + 8]])
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-3))])
    assert found.class_ids.tolist() == [2]


def test_offsets_may_be_left_out() -> None:
    maps = _one_thing()
    del maps["offset"]
    np.testing.assert_allclose(_read(CenterNetHead(), maps).boxes, [[48 - 12, 28 - 8, 48 + 12, 28 + 8]])


def test_the_peaks_are_those_of_tensorflows_pooling() -> None:
    random = np.random.default_rng(2)
    heat = (random.integers(0, 12, (1, *SHAPE, 3)) / 12).astype(np.float32)
    pooled = tf.nn.max_pool2d(heat, 3, 1, "SAME").numpy()
    expected = np.argwhere((heat == pooled) & (heat >= 0.5))[:, 1:]
    outputs = {**MAPS, "heat": heat}
    outputs["size"] = np.ones((*SHAPE, 2), np.float32)
    found = _read(CenterNetHead(activation="none"), outputs, conf=0.5)
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 8
    cells = np.stack([middles[:, 1], middles[:, 0], found.class_ids], axis=1).round().astype(int)
    assert sorted(map(tuple, cells.tolist())) == sorted(map(tuple, expected.tolist()))


def test_nothing_above_the_threshold_is_no_error() -> None:
    assert len(_read(CenterNetHead(), MAPS).scores) == 0


@pytest.mark.parametrize("name", ["heat", "size", "offset"])
def test_maps_of_other_shapes_are_an_error(name: str) -> None:
    with pytest.raises(ModelError, match="the model gave"):
        _read(CenterNetHead(), {**_one_thing(), name: np.zeros((2, 3, 4, 5))})
    with pytest.raises(ModelError, match="16x32 pairs"):
        _read(CenterNetHead(), {**_one_thing(), "size": np.zeros((15, 32, 2))})
