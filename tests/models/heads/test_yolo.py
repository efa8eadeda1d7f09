"""A YOLO's rows: both ways round, with and without objectness, in px and fractions."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.models.card import YoloHead
from streamer.models.heads import RawDetections
from streamer.models.heads.scoring import sigmoid
from streamer.models.heads.yolo import YoloRows
from streamer.models.options import Unit

SIZE_PX = (64, 64)
CLASSES = 3


def _rows(*, objectness: bool) -> NDArray[np.float32]:
    """Ten rows of which two have a score: one box twice, nearly, and one elsewhere of another class."""
    rows = np.zeros((10, 4 + objectness + CLASSES), np.float32)
    rows[:, :4] = 32, 32, 16, 16
    rows[2, :4], rows[5, :4], rows[6, :4] = (20, 20, 16, 8), (21, 20, 16, 8), (40, 40, 8, 16)
    if objectness:
        rows[[2, 5, 6], 4] = 1, 0.5, 0.8
    rows[2, -3:], rows[5, -3:], rows[6, -3:] = (0.9, 0.1, 0.1), (0.8, 0.1, 0.1), (0.1, 0.1, 0.75)
    return rows


def _read(card: YoloHead, rows: NDArray[Any], *, conf: float = 0.3) -> RawDetections:
    return YoloRows(card, rows="r").read({"r": rows}, input_size_px=SIZE_PX, conf=conf, max_det=9)


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("unit", ["px", "fraction"])
@pytest.mark.parametrize("batch", [(), (1,)])
@pytest.mark.parametrize("said", [True, False])
def test_every_way_round(transposed: Any, unit: Unit, batch: tuple[int, ...], said: Any) -> None:
    rows = _rows(objectness=False)
    if unit == "fraction":
        rows[:, :4] /= 64
    rows = rows.T if transposed else rows
    card = YoloHead(transposed=transposed, unit=unit if said else None, iou=0.5)
    found = _read(card, rows.reshape(*batch, *rows.shape))
    np.testing.assert_allclose(found.boxes, [[12, 16, 28, 24], [36, 32, 44, 48]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9, 0.75])
    assert found.class_ids.tolist() == [0, 2]


def test_the_score_is_that_of_the_object_times_that_of_the_class() -> None:
    found = _read(YoloHead(objectness=True, transposed=False, nms="none"), _rows(objectness=True))
    np.testing.assert_allclose(found.scores, [0.9, 0.4, 0.6])
    assert (
        len(_read(YoloHead(objectness=True, transposed=False, nms="none"), _rows(objectness=True), conf=0.5).scores)
        == 2
    )


def test_logits_are_made_scores() -> None:
    rows = _rows(objectness=True)
    rows[:, 4:] = 8 * rows[:, 4:] - 4
    found = _read(YoloHead(objectness=True, transposed=False, activation="sigmoid", nms="none"), rows)
    expected = sigmoid(rows[[2, 5, 6], 4]) * sigmoid(rows[[2, 5, 6], 5:].max(axis=1))
    np.testing.assert_allclose(found.scores, expected[expected >= 0.3])


def test_corners_are_read_too() -> None:
    rows = _rows(objectness=False)
    rows[:, 2:4] += rows[:, :2]
    found = _read(YoloHead(order="xyxy", transposed=False), rows)
    np.testing.assert_allclose(found.boxes[0], [20, 20, 36, 28])


def test_a_row_is_of_one_class() -> None:
    rows = np.zeros((1, 7), np.float32)
    rows[0] = 32, 32, 9, 9, 0.9, 0.8, 0.7
    assert _read(YoloHead(transposed=False), rows).class_ids.tolist() == [0]


def test_scores_that_are_no_numbers_are_passed_on() -> None:
    rows = _rows(objectness=True)
    rows[2, 4] = np.nan
    found = _read(YoloHead(objectness=True, transposed=False), rows)
    assert np.isnan(found.scores).sum() == 1


@pytest.mark.parametrize("shape", [(1, 4, 10), (2, 7, 10), (7,), (1, 1, 7, 10)])
def test_outputs_of_other_shapes_are_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="rows of a box and its scores"):
        _read(YoloHead(), np.zeros(shape))
