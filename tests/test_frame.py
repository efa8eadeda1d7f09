"""What travels is valid, whatever a camera or a model says."""

import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.frame import MAX_DETECTIONS, SCORE_TOLERANCE, Detections, Frame, Ledger, Result

SIZE_PX = (640, 480)

NUMBERS = st.one_of(
    st.floats(-100, 800, width=32),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([1e20, -1e20, 0.0, 640.0, 480.0, float("nan"), float("inf")]),
)
ROWS = st.lists(
    st.tuples(
        st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
        st.one_of(st.floats(-0.1, 1.1), NUMBERS),
        st.one_of(st.integers(-2, 90).map(float), NUMBERS),
    ),
    max_size=30,
)


def _image(height: int = 4, width: int = 6) -> NDArray[np.uint8]:
    return np.zeros((height, width, 3), np.uint8)


def _columns(rows: list[tuple[tuple[float, ...], float, float]]) -> tuple[NDArray[np.float64], ...]:
    boxes = np.array([row[0] for row in rows], np.float64).reshape(-1, 4)
    return boxes, np.array([row[1] for row in rows], np.float64), np.array([row[2] for row in rows], np.float64)


def _assert_valid(found: Detections) -> None:
    x1, y1, x2, y2 = found.boxes.T
    assert np.isfinite(found.boxes).all()
    assert (x1 >= 0).all()
    assert (y1 >= 0).all()
    assert (x1 < x2).all()
    assert (y1 < y2).all()
    assert (x2 <= SIZE_PX[0]).all()
    assert (y2 <= SIZE_PX[1]).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert (np.diff(found.scores) <= 0).all()
    assert (found.class_ids >= 0).all()
    dtypes = [str(array.dtype) for array in (found.boxes, found.scores, found.class_ids)]
    assert dtypes == ["float32", "float32", "int32"]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 6), np.uint8),
        np.zeros((4, 6, 4), np.uint8),
        np.zeros((4, 6, 3), np.float32),
        np.zeros((0, 6, 3), np.uint8),
        np.zeros((4, 12, 3), np.uint8)[:, ::2],
    ],
    ids=["grey", "alpha", "float", "empty", "not contiguous"],
)
def test_a_frame_refuses_what_is_no_picture(image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="frame"):
        Frame(image, index=0, captured_ns=0)


def test_nobody_draws_on_a_captured_frame() -> None:
    frame = Frame(_image(), index=0, captured_ns=0)
    with pytest.raises(ValueError, match="read-only"):
        frame.image[0, 0] = 255
    with pytest.raises(cv2.error):
        cv2.rectangle(frame.image, (0, 0), (3, 3), (255, 255, 255))
    assert frame.size_px == (6, 4)


def test_what_travels_prints_no_pixels() -> None:
    frame = Frame(np.full((200, 300, 3), 77, np.uint8), index=3, captured_ns=0, pts_s=0.1, source="clip")
    text = repr(Result(frame, Detections.empty(), image=frame.image))
    assert "#3 300x200" in text
    assert "77" not in text


@given(rows=ROWS, conf=st.floats(0, 1))
def test_whatever_a_model_gives_becomes_valid_and_every_row_is_accounted_for(
    rows: list[tuple[tuple[float, ...], float, float]], conf: float
) -> None:
    boxes, scores, ids = _columns(rows)
    found = Detections.from_raw(boxes, scores, ids, size_px=SIZE_PX, conf=conf)
    _assert_valid(found)
    plausible = (scores >= -SCORE_TOLERANCE) & (scores <= 1 + SCORE_TOLERANCE)
    too_low = plausible & (scores < conf)
    assert len(found) + found.rejected + int(too_low.sum()) == len(rows)


@given(rows=ROWS, conf=st.floats(0, 1, width=32))
def test_a_higher_threshold_later_is_a_higher_threshold_from_the_start(
    rows: list[tuple[tuple[float, ...], float, float]], conf: float
) -> None:
    boxes, scores, ids = _columns(rows)
    with np.errstate(over="ignore"):
        scores = scores.astype(np.float32).astype(np.float64)
    later = Detections.from_raw(boxes, scores, ids, size_px=SIZE_PX).at_least(conf)
    at_once = Detections.from_raw(boxes, scores, ids, size_px=SIZE_PX, conf=conf)
    np.testing.assert_array_equal(later.boxes, at_once.boxes)
    np.testing.assert_array_equal(later.scores, at_once.scores)


def test_rows_that_are_not_finite_are_dropped_and_counted() -> None:
    box = (10.0, 10.0, 50.0, 40.0)
    boxes = [box, (np.nan, 10, 50, 40), (10, np.inf, 50, 40), (10, 10, -np.inf, 40), box, box]
    scores = [0.9, 0.9, 0.9, 0.9, np.nan, np.inf]
    found = Detections.from_raw(boxes, scores, [1] * 6, size_px=SIZE_PX, conf=0.5)
    assert len(found) == 1
    assert found.rejected == 5


def test_ten_thousand_wild_boxes_all_end_inside_the_frame() -> None:
    random = np.random.default_rng(31)
    boxes = random.normal(300, 400, (10_000, 4))
    boxes[::7] *= 1e20
    boxes[::11, 2] = boxes[::11, 0] - 1
    found = Detections.from_raw(boxes, random.uniform(0, 1, 10_000), np.ones(10_000), size_px=SIZE_PX, max_det=10_000)
    _assert_valid(found)
    assert len(found) + found.rejected == 10_000
    assert len(found) > 1000


def test_a_box_over_the_edge_is_clamped_and_one_outside_is_refused() -> None:
    boxes = [(-50, -50, 100, 100), (700, 10, 800, 50), (100, 100, 100, 200), (200, 100, 150, 200)]
    found = Detections.from_raw(boxes, [0.9] * 4, [1] * 4, size_px=SIZE_PX)
    assert found.boxes.tolist() == [[0, 0, 100, 100]]
    assert found.rejected == 3


@pytest.mark.parametrize(
    ("given_id", "read"), [(1.988, 2), (0.012, 0), (90.0, 90), (-1.0, None), (np.nan, None), (3e9, None)]
)
def test_class_ids_are_rounded_and_impossible_ones_refused(given_id: float, read: int | None) -> None:
    found = Detections.from_raw([(0, 0, 9, 9)], [0.9], [given_id], size_px=SIZE_PX)
    assert found.class_ids.tolist() == ([] if read is None else [read])
    assert found.rejected == (read is None)


def test_a_hundred_thousand_rows_cost_little_and_leave_the_best() -> None:
    random = np.random.default_rng(33)
    scores = random.uniform(0, 1, 100_000)
    corners = random.uniform(0, 200, (100_000, 2))
    boxes = np.concatenate([corners, corners + 50], axis=1)
    started = time.perf_counter()
    found = Detections.from_raw(boxes, scores, np.ones(100_000), size_px=SIZE_PX)
    elapsed_s = time.perf_counter() - started
    assert len(found) == MAX_DETECTIONS
    assert found.scores.min() >= np.float32(np.sort(scores)[-MAX_DETECTIONS])
    assert elapsed_s < 1.0


def test_wanted_classes_are_no_rejects_and_equal_scores_keep_their_order() -> None:
    boxes = [(n, 0, n + 5, 5) for n in range(4)]
    found = Detections.from_raw(
        boxes, [0.5, 0.5, 0.9, 0.5], [1, 2, 3, 1], size_px=SIZE_PX, classes=frozenset({1, 3}), max_det=2
    )
    assert found.boxes[:, 0].tolist() == [2, 0]
    assert found.rejected == 0


@pytest.mark.parametrize(
    ("boxes", "scores", "ids"),
    [
        ([(0, 0, 1, 1)], [0.5, 0.6], [1, 1]),
        ([(0, 0, 1, 1)], [0.5], [1, 1]),
        ([(0, 0, 1)], [0.5], [1]),
        ([(0, 0, 1, 1)], 0.5, [1]),
    ],
)
def test_arrays_that_do_not_belong_together_are_a_mistake(boxes: object, scores: object, ids: object) -> None:
    with pytest.raises(ValueError, match="do not belong"):
        Detections.from_raw(boxes, scores, ids, size_px=SIZE_PX)  # type: ignore[arg-type]


def test_rows_can_be_selected_and_age() -> None:
    found = Detections.from_raw([(0, 0, 5, 5), (1, 1, 6, 6)], [0.9, 0.8], [1, 2], size_px=SIZE_PX)
    tracked = Detections(found.boxes, found.scores, found.class_ids, track_ids=np.array([7, 8]))
    second = tracked[1:].aged(5_000_000)
    assert second.track_ids is not None
    assert second.track_ids.tolist() == [8]
    assert second.class_ids.tolist() == [2]
    assert second.age_ns == 5_000_000
    assert tracked[np.array([True, False])].class_ids.tolist() == [1]
    assert len(Detections.empty()) == 0
    assert Detections.empty().looked


def test_unknown_is_no_detection_and_says_so_wherever_it_goes() -> None:
    unknown = Detections.unknown()
    assert len(unknown) == 0
    assert not any(found.looked for found in (unknown, unknown[:0], unknown.aged(5), unknown.at_least(0.5)))
    assert repr(unknown) == "Detections(unknown)"


COUNTS = st.integers(0, 10**6)


@given(inferred=COUNTS, carried=COUNTS, dropped=COUNTS, failed=COUNTS, in_flight=COUNTS, lost=st.integers(1, 9))
def test_a_ledger_balances_exactly_when_no_frame_is_missing(
    inferred: int, carried: int, dropped: int, failed: int, in_flight: int, lost: int
) -> None:
    total = inferred + carried + dropped + failed + in_flight
    counts = {
        "inferred": inferred,
        "carried": carried,
        "dropped": dropped,
        "failed": failed,
        "in_flight": in_flight,
    }
    assert Ledger(produced=total, **counts).balanced
    assert not Ledger(produced=total + lost, **counts).balanced


def test_a_ledger_prints_what_matters() -> None:
    text = str(Ledger(produced=9, inferred=7, dropped=2, recorded=7))
    assert text.startswith("9 produced, 7 inferred, ")
    assert {"2 dropped", "7 recorded"} <= set(text.split(", "))
