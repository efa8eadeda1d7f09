"""Greedy suppression: the rows are those that TensorFlow's own operations keep, whatever the case."""

import time
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.models.heads.suppression import MAX_CANDIDATES, strongest, suppress

CASES = 3000


def _boxes(random: np.random.Generator, count: int, *, kind: str) -> NDArray[np.float32]:
    """Random boxes: `free` anywhere, `grid` on whole numbers so that overlaps repeat, `flat` many without area."""
    corners = random.random((count, 4)) if kind == "free" else random.integers(0, 6, (count, 4)) / 4
    boxes = corners.astype(np.float32)
    if kind == "flat":
        without_width = random.random(count) < 0.4
        boxes[without_width, 2] = boxes[without_width, 0]
    return boxes


def _scores(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Some equal to others."""
    levels = random.choice([4, 50, 10_000])
    return np.asarray(random.integers(1, levels, shape) / levels, np.float32)


@pytest.mark.parametrize("kind", ["free", "grid", "flat"])
def test_the_rows_are_those_of_tensorflow(kind: str) -> None:
    random = np.random.default_rng(5)
    for case in range(CASES):
        count, max_det = int(random.integers(0, 60)), int(random.integers(1, 40))
        boxes, scores = _boxes(random, count, kind=kind), _scores(random, (count,))
        iou = float(random.choice([0.0, 0.25, 0.5, 0.6, 1.0]))
        expected = tf.image.non_max_suppression(boxes, scores, max_det, iou_threshold=iou).numpy()
        found = suppress(boxes, scores, np.zeros(count), iou=iou, per_class=False, max_det=max_det)
        np.testing.assert_array_equal(found, expected, err_msg=f"case {case}")


def test_class_by_class_it_is_tensorflows_combined_suppression() -> None:
    random = np.random.default_rng(6)
    for case in range(CASES):
        count, classes, max_det = int(random.integers(1, 30)), int(random.integers(1, 5)), int(random.integers(1, 30))
        boxes = np.sort(_boxes(random, count, kind="free").reshape(count, 2, 2), axis=1).reshape(count, 4)
        scores = random.permutation(count * classes).reshape(count, classes).astype(np.float32) / (count * classes)
        conf, iou = float(random.choice([0.1, 0.5])), float(random.choice([0.3, 0.6]))
        expected = tf.image.combined_non_max_suppression(
            boxes[None, :, None], scores[None], 100, max_det, iou, conf, clip_boxes=False
        )
        rows, ids = np.nonzero(scores > conf)
        kept = suppress(boxes[rows], scores[rows, ids], ids, iou=iou, per_class=True, max_det=max_det)
        valid = int(expected.valid_detections[0])
        message = f"case {case}"
        np.testing.assert_array_equal(boxes[rows][kept], expected.nmsed_boxes[0][:valid], err_msg=message)
        np.testing.assert_array_equal(scores[rows, ids][kept], expected.nmsed_scores[0][:valid], err_msg=message)
        np.testing.assert_array_equal(ids[kept], expected.nmsed_classes[0][:valid], err_msg=message)


def test_hundreds_of_boxes_are_tensorflows_too() -> None:
    random = np.random.default_rng(7)
    for count in (255, 256, 257, 3000):
        middles = random.random((count, 2))
        boxes = np.concatenate([middles - 0.05, middles + 0.05], axis=1).astype(np.float32)
        scores = _scores(random, (count,))
        expected = tf.image.non_max_suppression(boxes, scores, 300, iou_threshold=0.3).numpy()
        found = suppress(boxes, scores, np.zeros(count), iou=0.3, per_class=False, max_det=300)
        np.testing.assert_array_equal(found, expected)


def _suppressed(boxes: Any, scores: Any, ids: Any = None, *, per_class: bool = False, max_det: int = 9) -> list[int]:
    class_ids = np.zeros(len(scores)) if ids is None else np.asarray(ids)
    kept = suppress(
        np.asarray(boxes, float), np.asarray(scores, float), class_ids, iou=0.5, per_class=per_class, max_det=max_det
    )
    return [int(row) for row in kept]


def test_of_equal_scores_the_first_stays() -> None:
    assert _suppressed([[0, 0, 9, 9]] * 3, [0.5, 0.5, 0.5]) == [0]


def test_classes_hide_only_their_own_where_they_are_told_apart() -> None:
    boxes, scores, ids = [[0, 0, 9, 9]] * 4, [0.5, 0.9, 0.8, 0.7], [1, 2, 1, 2]
    assert _suppressed(boxes, scores, ids, per_class=True) == [1, 2]
    assert _suppressed(boxes, scores, ids) == [1]


def test_rows_that_are_not_finite_are_left_out_and_hide_nothing() -> None:
    nan, inf = float("nan"), float("inf")
    boxes = [[0, 0, nan, 9], [0, 0, 9, 9], [0, 0, inf, 9], [0, 0, 9, 9], [0, 0, 1e300, 9]]
    assert _suppressed(boxes, [0.9, 0.8, 0.95, nan, 0.99]) == [1]


def test_boxes_without_area_touch_nothing() -> None:
    assert _suppressed([[3, 3, 3, 3], [3, 3, 3, 3], [0, 0, 9, 9]], [0.9, 0.8, 0.7]) == [0, 1, 2]


def test_nothing_gives_nothing() -> None:
    assert _suppressed(np.empty((0, 4)), []) == []


def test_no_more_stay_than_are_wanted() -> None:
    boxes = [[10 * n, 0, 10 * n + 5, 5] for n in range(9)]
    assert _suppressed(boxes, np.linspace(0.1, 0.9, 9), max_det=3) == [8, 7, 6]


@given(st.lists(st.floats(-5, 5, width=32) | st.just(float("nan")), max_size=40), st.integers(1, 12))
def test_the_strongest_are_what_a_stable_sort_begins_with(values: list[float], limit: int) -> None:
    scores = np.asarray(values, np.float64)
    expected = [n for n in np.argsort(-scores, kind="stable") if not np.isnan(scores[n])][:limit]
    found = [n for n in strongest(scores, limit=limit).tolist() if not np.isnan(scores[n])]
    assert found == expected


@pytest.mark.parametrize("spread", [0.0, 1.0, 1000.0])
def test_a_flood_is_cut_by_score_and_takes_no_time(spread: float) -> None:
    random = np.random.default_rng(8)
    middles = random.random((100_000, 2)) * spread
    boxes, scores = np.concatenate([middles, middles + 1], axis=1), random.random(100_000)
    best = suppress(boxes, scores, np.zeros(100_000), iou=0.5, per_class=False, max_det=300)
    started_s = time.perf_counter()
    again = suppress(boxes, scores, np.zeros(100_000), iou=0.5, per_class=False, max_det=300)
    assert time.perf_counter() - started_s < 1.0
    assert again.tolist() == best.tolist()
    assert (scores[best] >= np.sort(scores)[-MAX_CANDIDATES]).all()
    assert (np.diff(scores[best]) <= 0).all()
