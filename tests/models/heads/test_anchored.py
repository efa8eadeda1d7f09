"""Raw SSD outputs: boxes that were coded come back, in any shape, and suppression is TensorFlow's."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.models.card import AnchorHead, Background, GridAnchors, Suppression
from streamer.models.heads import RawDetections
from streamer.models.heads.anchored import AnchoredBoxes
from streamer.models.heads.anchors import make_anchors
from streamer.models.heads.coding import decode

SIZE_PX = (320, 240)
ANCHORS = GridAnchors(maps=((12, 9), (6, 5)), shapes=(((0.1, 0.1), (0.2, 0.1)), ((0.4, 0.4),)))
COUNT = 12 * 9 * 2 + 6 * 5


def _head(**more: Any) -> AnchoredBoxes:
    card = AnchorHead(anchors=ANCHORS, **more)
    return AnchoredBoxes(card, boxes="b", scores="s", anchors=make_anchors(ANCHORS, input_size_px=SIZE_PX))


def _read(head: AnchoredBoxes, boxes: NDArray[Any], scores: NDArray[Any], *, conf: float = 0.5) -> RawDetections:
    return head.read({"b": boxes, "s": scores}, input_size_px=SIZE_PX, conf=conf, max_det=50)


def _raw(classes: int, *, width: int = 4) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(9)
    return (
        random.normal(0, 1, (COUNT, width)).astype(np.float32),
        random.normal(0, 2, (COUNT, classes)).astype(np.float32),
    )


@pytest.mark.parametrize("nms", ["per_class", "agnostic"])
@pytest.mark.parametrize("background", ["none", "first", "last"])
def test_the_detections_are_those_of_tensorflow(nms: Suppression, background: Background) -> None:
    head = _head(nms=nms, background=background, order="cycxhw", iou=0.4)
    raw_boxes, raw_scores = _raw(5)
    found = _read(head, raw_boxes[None], raw_scores[None])

    xyxy = decode(
        raw_boxes, head.anchors, coding="centre", order="cycxhw", variances=head.card.variances, input_size_px=SIZE_PX
    ).astype(np.float32)
    scores = tf.sigmoid(raw_scores.astype(np.float64)).numpy().astype(np.float32)
    columns = {"none": slice(None), "first": slice(1, None), "last": slice(-1)}[background]
    scores = scores[:, columns]
    if nms == "per_class":
        own = tf.image.combined_non_max_suppression(
            xyxy[None, :, None], scores[None], 50, 50, 0.4, 0.5, clip_boxes=False
        )
        valid = int(own.valid_detections[0])
        expected_boxes, expected_ids = own.nmsed_boxes[0][:valid], own.nmsed_classes[0][:valid]
    else:
        kept = tf.image.non_max_suppression(xyxy, scores.max(axis=1), 50, 0.4, 0.5).numpy()
        expected_boxes, expected_ids = xyxy[kept], scores[kept].argmax(axis=1)
    assert len(found.scores) > 20
    np.testing.assert_allclose(found.boxes, expected_boxes, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found.class_ids, expected_ids + head.first_class_id)


def test_every_shape_that_exports_give_is_read() -> None:
    head = _head(background="first")
    boxes, scores = _raw(5)
    expected = _read(head, boxes, scores)
    shapes = [
        (boxes[None], scores[None]),
        (boxes[None, :, None], scores[None, :, None]),
        (boxes.reshape(1, -1), scores.reshape(1, -1)),
        (boxes.T[None], scores.T[None]),
    ]
    for laid_boxes, laid_scores in shapes:
        found = _read(head, laid_boxes, laid_scores)
        np.testing.assert_array_equal(found.boxes, expected.boxes)
        np.testing.assert_array_equal(found.class_ids, expected.class_ids)


def test_numbers_behind_a_box_are_not_read() -> None:
    head = _head()
    boxes, scores = _raw(1, width=16)
    np.testing.assert_array_equal(_read(head, boxes, scores).boxes, _read(head, boxes[:, :4], scores).boxes)


def test_softmax_scores_make_one_class_of_a_row() -> None:
    boxes, scores = _raw(5)
    found = _read(_head(activation="softmax", background="first", nms="none"), boxes, scores)
    powers = np.exp(scores)
    shares = powers / powers.sum(axis=1, keepdims=True)
    assert len(found.scores) == np.count_nonzero(shares[:, 1:].max(axis=1) >= 0.5)


def test_what_is_not_finite_is_passed_on_behind_the_rest() -> None:
    boxes, scores = _raw(5)
    best = scores.max(axis=1).argmax()
    boxes[best, 2] = np.inf
    scores[0] = np.nan
    found = _read(_head(), boxes, scores)
    broken = ~(np.isfinite(found.boxes).all(axis=1) & np.isfinite(found.scores))
    assert np.flatnonzero(broken)[0] == np.count_nonzero(~broken)
    assert np.count_nonzero(broken) == np.count_nonzero(scores[best] >= 0) + 1


def test_nothing_above_the_threshold_is_no_error() -> None:
    boxes, scores = _raw(5)
    assert len(_read(_head(), boxes, scores - 100).scores) == 0


@pytest.mark.parametrize(
    ("boxes", "scores"),
    [((COUNT - 1, 4), (COUNT, 2)), ((COUNT, 4), (COUNT + 1, 2)), ((COUNT, 3), (COUNT, 2)), ((COUNT, 4), (COUNT, 1))],
)
def test_outputs_of_other_shapes_are_an_error(boxes: tuple[int, int], scores: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match="the model gave"):
        _read(_head(background="first"), np.zeros((1, *boxes)), np.zeros((1, *scores)))


def test_it_says_what_it_is() -> None:
    assert _head().describe() == "246 anchors, centre, sigmoid, NMS per class at IoU 0.6"
    assert _head().reads == {"boxes": "b", "scores": "s"}
