"""What a model gave becomes detections in pixels of the frame."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.frame import MAX_DETECTIONS, Detections
from streamer.models.postprocess import read_detections
from streamer.models.preprocess import Placement
from streamer.models.signature import Roles, TensorSpec

PLACEMENT = Placement((200, 100), (200, 100), 0, 0, 200, 100)
SPECS = {name: TensorSpec(name, "float32", None) for name in ("image", "boxes", "scores", "classes", "count")}
ROLES = Roles(SPECS["image"], SPECS["boxes"], SPECS["scores"], SPECS["classes"], SPECS["count"])

OUTPUTS: dict[str, NDArray[Any]] = {
    "boxes": np.array([[[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]], np.float32),
    "scores": np.array([[0.9, 0.8, 0.0]], np.float32),
    "classes": np.array([[1.0, 2.012, 1.0]], np.float32),
    "count": np.array([2.0], np.float32),
}


def _read(
    outputs: dict[str, NDArray[Any]], *, roles: Roles = ROLES, conf: float = 0.5, max_det: int = 100
) -> Detections:
    return read_detections(outputs, roles, placement=PLACEMENT, conf=conf, max_det=max_det, classes=None)


def test_rows_become_boxes_in_pixels_with_whole_class_ids() -> None:
    found = _read(OUTPUTS)
    np.testing.assert_allclose(found.boxes, [[40, 10, 120, 50], [0, 0, 200, 100]], atol=1e-4)
    assert found.class_ids.tolist() == [1, 2]


def test_outputs_without_a_batch_dimension_are_the_same() -> None:
    np.testing.assert_array_equal(_read({name: v[0] for name, v in OUTPUTS.items()}).boxes, _read(OUTPUTS).boxes)


@pytest.mark.parametrize("count", [1, 1.0, np.int64(1)])
def test_rows_beyond_the_count_are_nobody(count: float) -> None:
    assert len(_read({**OUTPUTS, "count": np.array([count])})) == 1


@pytest.mark.parametrize("count", [np.nan, -1, 1e9])
def test_a_count_that_makes_no_sense_counts_for_nothing(count: float) -> None:
    assert len(_read({**OUTPUTS, "count": np.array([count])})) == 2


def test_rows_of_padding_are_no_rejects_at_any_threshold() -> None:
    roles = Roles(ROLES.image, ROLES.boxes, ROLES.scores, ROLES.classes, None)
    found = _read(OUTPUTS, roles=roles, conf=0.0)
    assert (len(found), found.rejected) == (2, 0)


def test_a_model_without_classes_has_one() -> None:
    roles = Roles(ROLES.image, ROLES.boxes, ROLES.scores, None, None)
    assert _read(OUTPUTS, roles=roles).class_ids.tolist() == [1, 1]


def test_no_more_boxes_are_given_than_a_frame_may_carry() -> None:
    outputs = {
        "boxes": np.tile([0.0, 0.0, 1.0, 1.0], (1, 1000, 1)),
        "scores": np.full((1, 1000), 0.9),
        "classes": np.ones((1, 1000)),
        "count": np.array([1000]),
    }
    assert len(_read(outputs, max_det=7)) == 7
    assert len(_read(outputs, max_det=5000)) == MAX_DETECTIONS


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"boxes": np.zeros((1, 3, 5))}, r"gave boxes of shape \(1, 3, 5\)"),
        ({"boxes": np.zeros((2, 3, 4))}, r"gave boxes of shape \(2, 3, 4\)"),
        ({"scores": np.zeros((1, 3, 9))}, r"gave scores of shape"),
        ({"scores": np.zeros((1, 2))}, "3 boxes, 2 scores and 3 classes"),
    ],
)
def test_outputs_that_are_not_as_promised_are_an_error(wrong: dict[str, NDArray[Any]], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        _read({**OUTPUTS, **wrong})
