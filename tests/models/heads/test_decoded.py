"""Finished outputs: whatever order, unit and shape they have, the same boxes come out."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.models.card import Background, DecodedHead
from streamer.models.heads import RawDetections
from streamer.models.heads.building import build_head, decoded_card
from streamer.models.options import Order, Unit
from streamer.models.signature import Signature, TensorSpec

SIZE_PX = (200, 100)
XYXY = np.asarray([[20, 10, 60, 50], [100, 20, 180, 80], [0, 0, 200, 100]], np.float32)
SCORES = np.asarray([0.9, 0.6, 0.2], np.float32)


def _signature(outputs: dict[str, NDArray[Any]], *, known: bool = True) -> Signature:
    specs = [TensorSpec(name, str(found.dtype), found.shape if known else None) for name, found in outputs.items()]
    return Signature("serving_default", (TensorSpec("image", "uint8", (1, None, None, 3)),), tuple(specs))


def _read(
    outputs: dict[str, NDArray[Any]], card: DecodedHead | None = None, *, conf: float = 0.5, known: bool = True
) -> RawDetections:
    signature = _signature(outputs, known=known)
    head = build_head(card or decoded_card(signature), signature, input_size_px=SIZE_PX)
    return head.read(outputs, input_size_px=SIZE_PX, conf=conf, max_det=100)


def _laid(order: Order, unit: Unit) -> NDArray[np.float32]:
    x1, y1, x2, y2 = (XYXY / (*SIZE_PX, *SIZE_PX) if unit == "fraction" else XYXY).T
    columns = {
        "xyxy": (x1, y1, x2, y2),
        "yxyx": (y1, x1, y2, x2),
        "cxcywh": ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
        "xywh": (x1, y1, x2 - x1, y2 - y1),
    }
    return np.stack(columns[order], axis=1).astype(np.float32)


@pytest.mark.parametrize("order", ["yxyx", "xyxy", "cxcywh", "xywh"])
@pytest.mark.parametrize("unit", ["fraction", "px"])
@pytest.mark.parametrize("batch", [(), (1,)])
def test_every_order_and_unit_with_and_without_a_batch(order: Order, unit: Unit, batch: tuple[int, ...]) -> None:
    outputs = {
        "boxes": _laid(order, unit).reshape(*batch, 3, 4),
        "scores": SCORES.reshape(*batch, 3),
        "classes": np.asarray([3, 1.988, 7], np.float32).reshape(*batch, 3),
    }
    found = _read(outputs, DecodedHead(order=order, unit=unit))
    np.testing.assert_allclose(found.boxes, XYXY[:2], atol=1e-4)
    np.testing.assert_allclose(found.scores, SCORES[:2])
    np.testing.assert_allclose(found.class_ids, [3, 1.988])


@pytest.mark.parametrize("unit", ["fraction", "px"])
def test_a_unit_that_nothing_says_is_told_by_the_numbers(unit: Unit) -> None:
    outputs = {"boxes": _laid("xyxy", unit), "scores": np.array([0.9, 0.8, 0.7], np.float32)}
    np.testing.assert_allclose(_read(outputs, DecodedHead(order="xyxy")).boxes, XYXY, atol=1e-3)


def _finished(**more: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return {"detection_boxes": _laid("yxyx", "fraction")[None], "detection_scores": SCORES[None], **more}


def test_where_nothing_is_said_boxes_are_yxyx_as_fractions() -> None:
    outputs = {"boxes": _laid("yxyx", "fraction")[None], "scores": SCORES[None]}
    card = decoded_card(_signature(outputs))
    assert (card.order, card.unit, card.nms) == (None, None, "none")
    np.testing.assert_allclose(_read(outputs).boxes, XYXY[:2], atol=1e-4)


def test_the_names_of_the_api_say_the_order_and_leave_the_unit_to_the_numbers() -> None:
    card = decoded_card(_signature(_finished()))
    assert (card.order, card.unit) == ("yxyx", None)
    assert (card.boxes, card.scores, card.classes, card.count) == ("detection_boxes", "detection_scores", None, None)


def test_without_classes_all_is_of_class_one() -> None:
    signature = _signature(_finished())
    head = build_head(decoded_card(signature), signature, input_size_px=SIZE_PX)
    assert head.first_class_id == 1
    assert _read(_finished()).class_ids.tolist() == [1, 1]


def test_padding_is_left_out_however_low_the_threshold() -> None:
    outputs = _finished()
    outputs["detection_scores"] = np.asarray([[0.9, 0.0, 0.0]], np.float32)
    assert len(_read(outputs, conf=0.0).scores) == 1


COUNTS = {
    "one": (1.0, 1),
    "none": (0.0, 0),
    "all": (3.0, 3),
    "too many": (4.0, 3),
    "no number": (np.nan, 3),
    "negative": (-1.0, 3),
}


@pytest.mark.parametrize(("number", "left"), COUNTS.values(), ids=COUNTS)
def test_the_count_holds_where_it_makes_sense(number: float, left: int) -> None:
    outputs = _finished(num_detections=np.asarray([number], np.float32))
    assert len(_read(outputs, conf=0.1).scores) == left


def test_what_is_not_finite_is_passed_on() -> None:
    outputs = _finished()
    outputs["detection_scores"] = np.asarray([[0.9, np.nan, 0.2]], np.float32)
    outputs["detection_boxes"][0, 0, 0] = np.inf
    found = _read(outputs)
    assert np.isnan(found.scores).tolist() == [False, True]
    assert np.isinf(found.boxes[0]).any()


SCORES_BY_CLASS = np.asarray([[0.1, 0.9, 0.7], [0.6, 0.1, 0.2], [0.1, 0.2, 0.3]], np.float32)


def test_scores_of_every_class_give_the_best_one_of_each_row() -> None:
    outputs = {"boxes": _laid("yxyx", "fraction")[None], "scores": SCORES_BY_CLASS[None]}
    found = _read(outputs, DecodedHead())
    assert found.class_ids.tolist() == [1, 0]
    np.testing.assert_allclose(found.scores, [0.9, 0.6])
    signature = _signature(outputs)
    head = build_head(DecodedHead(background="last"), signature, input_size_px=SIZE_PX)
    assert (head.first_class_id, head.class_count) == (0, 2)


def test_class_by_class_a_row_counts_for_each_class_that_it_reaches() -> None:
    outputs = {"boxes": _laid("yxyx", "fraction")[None], "scores": SCORES_BY_CLASS[None]}
    assert decoded_card(_signature(outputs)).nms == "per_class"
    assert sorted(_read(outputs).class_ids.tolist()) == [0, 1, 2]


def test_scores_of_one_class_in_a_column_of_their_own_have_id_zero() -> None:
    outputs = {"boxes": _laid("yxyx", "fraction")[None], "scores": SCORES[None, :, None]}
    signature = _signature(outputs)
    head = build_head(decoded_card(signature), signature, input_size_px=SIZE_PX)
    found = head.read(outputs, input_size_px=SIZE_PX, conf=0.5, max_det=9)
    assert (head.first_class_id, head.class_count, set(found.class_ids)) == (0, 1, {0})


@pytest.mark.parametrize("background", ["none", "first"])
@pytest.mark.parametrize("own", ["shared", "each class", "background too"])
def test_boxes_as_combined_suppression_takes_them(background: Background, own: str) -> None:
    random = np.random.default_rng(4)
    classes = 3
    corners = np.sort(random.random((50, classes, 2, 2)), axis=2).reshape(50, classes, 4).astype(np.float32)
    corners = corners[:, :1] if own == "shared" else corners
    scores = random.permutation(50 * classes).reshape(50, classes).astype(np.float32) / (50 * classes)
    expected = tf.image.combined_non_max_suppression(corners[None], scores[None], 50, 20, 0.5, 0.3)
    first = int(background == "first")
    if first:
        scores = np.concatenate([np.ones((50, 1), np.float32), scores], axis=1)
    if own == "background too" and first:
        corners = np.concatenate([np.zeros((50, 1, 4), np.float32), corners], axis=1)
    card = DecodedHead(boxes="b", scores="s", order="yxyx", background=background, nms="per_class", iou=0.5)
    outputs: dict[str, NDArray[Any]] = {"b": corners[None], "s": scores[None]}
    head = build_head(card, _signature(outputs), input_size_px=(1, 1))
    found = head.read(outputs, input_size_px=(1, 1), conf=0.3, max_det=20)
    valid = int(expected.valid_detections[0])
    assert valid > 5
    np.testing.assert_array_equal(found.class_ids, expected.nmsed_classes[0][:valid] + first)
    np.testing.assert_allclose(found.scores, expected.nmsed_scores[0][:valid])
    np.testing.assert_allclose(found.boxes[:, [1, 0, 3, 2]], expected.nmsed_boxes[0][:valid])


PAIRS = {
    "whole numbers": ([1, 17, 3], [0.9, 0.6, 0.2]),
    "ids of nearly whole numbers": ([1.988, 4.01, 1.0], [0.9, 0.6, 0.2]),
    "ids of zero and one": ([0, 1, 1], [0.9, 0.6, 0.2]),
    "all of one class": ([0, 0, 0], [0.9, 0.6, 0.2]),
    "scores of one and zero": ([2, 1, 0], [1.0, 1.0, 0.0]),
}


@pytest.mark.parametrize(("ids", "scores"), PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("turned", [False, True])
def test_scores_and_classes_are_told_apart_by_their_numbers(
    ids: list[float],
    scores: list[float],
    turned: bool,  # noqa: FBT001 - a parameter of the test, given by name
) -> None:
    pair = [np.asarray([scores], np.float32), np.asarray([ids], np.float32)][:: -1 if turned else 1]
    outputs = {
        "Identity": _laid("yxyx", "fraction")[None],
        "Identity_1": pair[0],
        "Identity_2": pair[1],
        "Identity_3": np.asarray([3], np.float32),
    }
    card = decoded_card(_signature(outputs))
    assert (card.boxes, card.scores, card.classes, card.count) == ("Identity", None, None, "Identity_3")
    found = _read(outputs, card, conf=0.1)
    kept = [row for row in range(3) if scores[row] > 0.1]
    np.testing.assert_allclose(found.scores, [scores[row] for row in kept])
    np.testing.assert_allclose(found.class_ids, [ids[row] for row in kept])


def test_nothing_found_is_no_error() -> None:
    for batch in ((), (1,)):
        outputs = {
            "boxes": np.empty((*batch, 0, 4), np.float32),
            "scores": np.empty((*batch, 0), np.float32),
            "num_boxes": np.zeros(1, np.int32),
        }
        assert len(_read(outputs, known=False).scores) == 0
        outputs["scores"] = np.empty((*batch, 0, 80), np.float32)
        assert len(_read(outputs, known=False).scores) == 0


def test_outputs_whose_shapes_are_only_seen_when_they_come() -> None:
    outputs = {"boxes": _laid("yxyx", "fraction")[None], "scores": SCORES[None]}
    assert _read(outputs, known=False).class_ids.tolist() == [1, 1]
    outputs["scores"] = SCORES_BY_CLASS[None]
    assert _read(outputs, known=False).class_ids.tolist() == [1, 0]


BROKEN = {
    "boxes of five numbers": {"boxes": np.zeros((1, 3, 5))},
    "boxes of another rank": {"boxes": np.zeros((2, 2, 3, 4))},
    "fewer scores": {"scores": np.zeros((1, 2))},
    "fewer classes": {"classes": np.zeros((1, 2))},
    "boxes for other classes": {"boxes": np.zeros((1, 3, 2, 4)), "scores": np.zeros((1, 3, 5))},
    "boxes for each class and one score": {"boxes": np.zeros((1, 3, 2, 4))},
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_outputs_that_do_not_belong_together_are_an_error(broken: dict[str, NDArray[Any]]) -> None:
    outputs = {"boxes": XYXY[None], "scores": SCORES[None], "classes": SCORES[None]}
    card = DecodedHead(boxes="boxes", scores="scores", classes="classes")
    with pytest.raises(ModelError, match="the model gave"):
        _read({**outputs, **broken}, card, known=False)


def test_an_output_that_does_not_come_is_an_error() -> None:
    outputs = {"boxes": XYXY[None], "scores": SCORES[None]}
    head = build_head(DecodedHead(), _signature(outputs), input_size_px=SIZE_PX)
    with pytest.raises(ModelError, match="gave no scores"):
        head.read({"boxes": XYXY[None]}, input_size_px=SIZE_PX, conf=0.5, max_det=9)
