"""Codings: what is coded and decoded is what it was, and the usual orders of numbers are told."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from streamer.models.heads.coding import corners, decode, unit_of
from streamer.models.options import Order

Values = NDArray[np.float64]

SIZE_PX = (320, 240)
VARIANCES = (0.1, 0.2, 0.3, 0.4)


def _centre(boxes: Values, anchors: Values) -> Values:
    """The tx ty tw th of cx cy w h, all as fractions: Ren and others, Faster R-CNN, 2015, equation 2."""
    return np.concatenate(
        [(boxes[:, :2] - anchors[:, :2]) / anchors[:, 2:], np.log(boxes[:, 2:] / anchors[:, 2:])], axis=1
    )


def _linear(boxes: Values, anchors: Values) -> Values:
    return np.concatenate([boxes[:, :2] - anchors[:, :2], boxes[:, 2:]], axis=1) / anchors[:, [2, 3, 2, 3]]


def _distance(boxes: Values, anchors: Values) -> Values:
    halves = boxes[:, 2:] / 2
    away = boxes[:, :2] - anchors[:, :2]
    return np.concatenate([halves - away, halves + away], axis=1) / anchors[:, [2, 3, 2, 3]]


CODINGS: dict[str, Callable[[Values, Values], Values]] = {
    "centre": _centre,
    "linear": _linear,
    "distance": _distance,
}
SHARES = arrays(np.float64, (7, 4), elements=st.floats(0.01, 1))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("order", ["cxcywh", "cycxhw"])
@given(boxes=SHARES, anchors=SHARES)
def test_decoding_undoes_coding(coding: str, order: str, boxes: Values, anchors: Values) -> None:
    numbers = CODINGS[coding](boxes, anchors)
    numbers = numbers * (*SIZE_PX, *SIZE_PX) if coding == "linear" else numbers / VARIANCES
    variances = VARIANCES
    if order == "cycxhw":
        numbers, variances = numbers[:, [1, 0, 3, 2]], (0.2, 0.1, 0.4, 0.3)
    found = decode(
        numbers,
        anchors,
        coding=coding,  # type: ignore[arg-type]
        order=order,  # type: ignore[arg-type]
        variances=variances,
        input_size_px=SIZE_PX,
    )
    expected = corners(boxes, order="cxcywh", unit="fraction", input_size_px=SIZE_PX)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_numbers_out_of_all_bounds_become_what_is_not_finite_without_a_warning() -> None:
    numbers = np.asarray([[0, 0, 1e9, 1e9], [np.nan, 0, 0, 0], [1e308, 0, 0, 0]])
    anchors = np.full((3, 4), 0.5)
    boxes = decode(
        numbers, anchors, coding="centre", order="cxcywh", variances=(1, 1, 1, 1), input_size_px=(9999, 9999)
    )
    assert not np.isfinite(boxes).all(axis=1).any()


ORDERS: dict[Order, list[float]] = {
    "xyxy": [0.1, 0.2, 0.5, 0.8],
    "yxyx": [0.2, 0.1, 0.8, 0.5],
    "cxcywh": [0.3, 0.5, 0.4, 0.6],
    "xywh": [0.1, 0.2, 0.4, 0.6],
}


@pytest.mark.parametrize(("order", "numbers"), ORDERS.items())
def test_one_box_in_every_order(order: Order, numbers: list[float]) -> None:
    expected = [[32, 48, 160, 192]]
    fractions = corners(np.asarray([numbers]), order=order, unit="fraction", input_size_px=SIZE_PX)
    np.testing.assert_allclose(fractions, expected)
    scale = (*SIZE_PX, *SIZE_PX) if order in {"xyxy", "cxcywh", "xywh"} else (*SIZE_PX[::-1], *SIZE_PX[::-1])
    px = corners(np.asarray([numbers]) * scale, order=order, unit="px", input_size_px=SIZE_PX)
    np.testing.assert_allclose(px, expected)


def test_the_unit_is_told_from_the_numbers() -> None:
    assert unit_of(np.asarray([[0.1, -0.3, 1.2, 0.9]])) == "fraction"
    assert unit_of(np.asarray([[0.1, 0.3, 12.0, 9.0]])) == "px"
    assert unit_of(np.asarray([[0.1, 0.3, np.nan, np.inf]])) == "fraction"
    assert unit_of(np.asarray([[0.1, 0.3, 0.4, 0.5], [0.0, 0.0, 1e20, 1e20], [0.2, 0.2, 0.3, 0.3]])) == "fraction"
    assert unit_of(np.asarray([[10.0, 0.3, 40.0, 50.0], [0.0, 0.0, 1.0, 1.0], [5.0, 2.0, 30.0, 3.0]])) == "px"
    assert unit_of(np.empty((0, 4))) == "px"
