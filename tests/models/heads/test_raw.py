"""A network that was cut before its suppression is read as its own suppression would have."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.models.heads import RawDetections
from streamer.models.heads.raw import BOXES, SCORES, CutHead, RawHeads
from streamer.models.runtimes.tensorflow import import_tensorflow

SIZE_PX = (100, 100)
ROWS = 40
CLASSES = 3


def numbers(seed: int = 0, *, own: int = 1, columns: int = CLASSES) -> dict[str, NDArray[Any]]:
    """Boxes that overlap, yxyx as fractions, and scores."""
    random = np.random.default_rng(seed)
    corner, side = random.uniform(0, 0.6, (ROWS, own, 2)), random.uniform(0.1, 0.4, (ROWS, own, 2))
    boxes = np.concatenate([corner, corner + side], -1).astype(np.float32)
    return {BOXES: boxes[np.newaxis], SCORES: random.uniform(0, 1, (1, ROWS, columns)).astype(np.float32)}


def read(outputs: dict[str, NDArray[Any]], *, conf: float = 0.0, max_det: int = 300, **raw: Any) -> RawDetections:
    head = CutHead(RawHeads(**{"classes": CLASSES, "iou": 0.5, **raw}), order="yxyx", unit="fraction")
    return head.read(outputs, input_size_px=SIZE_PX, conf=conf, max_det=max_det)


def counts(found: RawDetections) -> dict[int, int]:
    return {int(one): int(number) for one, number in zip(*np.unique(found.class_ids, return_counts=True), strict=True)}


@pytest.mark.parametrize("most_per_class", [3, 50])
@pytest.mark.parametrize("own", [1, CLASSES])
def test_it_gives_what_combined_non_max_suppression_gives(own: int, most_per_class: int) -> None:
    outputs = numbers(3, own=own)
    wanted = import_tensorflow().image.combined_non_max_suppression(
        outputs[BOXES], outputs[SCORES], most_per_class, 100, iou_threshold=0.5, score_threshold=0.1
    )
    count = int(wanted.valid_detections[0])
    rows = "anchors" if own == 1 else "anchors and classes"
    given = read(outputs, rows=rows, most_per_class=most_per_class, least_score=0.1, first_class_id=0)
    np.testing.assert_allclose(given.scores, np.asarray(wanted.nmsed_scores)[0, :count], atol=1e-6)
    np.testing.assert_array_equal(given.class_ids, np.asarray(wanted.nmsed_classes)[0, :count])
    boxes = np.asarray(wanted.nmsed_boxes)[0, :count][:, [1, 0, 3, 2]] * 100
    np.testing.assert_allclose(given.boxes, boxes, atol=1e-4)


def test_of_one_class_there_are_no_more_than_its_limit_and_they_are_the_best() -> None:
    every, some = read(numbers()), read(numbers(), most_per_class=2)
    assert min(counts(every).values()) > 2
    assert set(counts(some).values()) == {2}
    for class_id in counts(every):
        best = every.scores[every.class_ids == class_id][:2]
        np.testing.assert_array_equal(some.scores[some.class_ids == class_id], best)


def test_in_all_there_are_no_more_than_either_limit() -> None:
    every = read(numbers())
    for limits in ({"most": 4}, {"max_det": 4}):
        np.testing.assert_array_equal(read(numbers(), **limits).scores, every.scores[:4])


def test_what_the_graph_gave_nothing_below_is_not_given_either() -> None:
    every = read(numbers())
    some = read(numbers(), least_score=0.6)
    assert every.scores.min() < 0.6
    np.testing.assert_array_equal(some.scores, every.scores[every.scores >= 0.6])


@pytest.mark.parametrize("first_class_id", [0, 1])
@pytest.mark.parametrize("background", ["none", "first", "last"])
def test_the_first_class_that_is_no_background_is_called_as_the_model_calls_it(
    background: str, first_class_id: int
) -> None:
    columns = CLASSES + (background != "none")
    scores = np.zeros((1, ROWS, columns), np.float32)
    first_column = 1 if background == "first" else 0
    scores[0, 5, first_column] = 0.9
    scores[0, 6, first_column + CLASSES - 1] = 0.8
    beside = {"first": 0, "last": -1}.get(background)
    if beside is not None:
        scores[0, :, beside] = 0.95
    outputs = {**numbers(), SCORES: scores}
    given = read(outputs, conf=0.1, background=background, first_class_id=first_class_id)
    assert given.class_ids.tolist() == [first_class_id, first_class_id + CLASSES - 1]
    assert given.scores.tolist() == pytest.approx([0.9, 0.8])


def test_each_class_of_an_anchor_may_have_a_box_of_its_own() -> None:
    """However they are folded, as R-CNN's second stage has them."""
    outputs = numbers(5, own=CLASSES)
    folded = {BOXES: outputs[BOXES].reshape(1, -1, 4), SCORES: outputs[SCORES].reshape(-1)}
    given, wanted = (read(numbers, rows="anchors and classes") for numbers in (folded, outputs))
    np.testing.assert_array_equal(given.boxes, wanted.boxes)
    row, column = np.unravel_index(outputs[SCORES][0].argmax(), (ROWS, CLASSES))
    assert given.class_ids[0] == column + 1
    np.testing.assert_allclose(given.boxes[0], outputs[BOXES][0, row, column][[1, 0, 3, 2]] * 100, atol=1e-4)


def test_agnostic_suppression_leaves_one_box_a_place() -> None:
    outputs = numbers()
    outputs[BOXES][:] = (0.1, 0.2, 0.5, 0.6)
    given = read(outputs, nms="agnostic")
    assert given.scores.tolist() == [outputs[SCORES].max()]
    assert len(read(outputs, nms="per_class").scores) == CLASSES


def test_no_row_is_no_detection() -> None:
    given = read(
        {BOXES: np.zeros((1, ROWS, 4), np.float32), SCORES: np.zeros((1, ROWS, CLASSES), np.float32)}, conf=0.1
    )
    assert len(given.scores) == 0
    assert given.boxes.shape == (0, 4)


def test_it_says_what_it_reads() -> None:
    head = CutHead(RawHeads(classes=7, first_class_id=0), order="xyxy", unit="px")
    assert head.reads == {"boxes": BOXES, "scores": SCORES}
    assert (head.first_class_id, head.class_count) == (0, 7)
    assert "NMS per class" in head.describe()
