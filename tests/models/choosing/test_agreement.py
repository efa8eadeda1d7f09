"""When two lists of detections are the same, and how the difference is told."""

from collections.abc import Sequence

import numpy as np
import pytest

from streamer.frame import Detections
from streamer.models.choosing.agreement import Agreement, agreement

SIZE_PX = (640, 480)
CONF = 0.3

Rows = Sequence[tuple[tuple[float, float, float, float], float, int]]

CAT: tuple[float, float, float, float] = (100, 100, 300, 250)
DOG: tuple[float, float, float, float] = (350, 50, 450, 350)


def seen(rows: Rows) -> Detections:
    boxes = np.array([row[0] for row in rows], np.float64).reshape(-1, 4)
    scores, ids = (np.array([row[n] for row in rows], np.float64) for n in (1, 2))
    return Detections.from_raw(boxes, scores, ids, size_px=SIZE_PX, conf=CONF - 0.01, max_det=100)


def compared(ours: Rows, theirs: Rows) -> Agreement:
    """Both ways round, which is the same."""
    one, other = (agreement([seen(a)], [seen(b)], conf=CONF) for a, b in ((ours, theirs), (theirs, ours)))
    assert (one.boxes, one.matched) == (other.boxes, other.matched)
    return one


def moved(box: tuple[float, float, float, float], px: float) -> tuple[float, float, float, float]:
    return box[0] + px, box[1], box[2] + px, box[3]


def test_identical_detections_agree() -> None:
    rows = [(CAT, 0.9, 1), (DOG, 0.6, 2)]
    found = compared(rows, rows)
    assert found.is_equal
    assert (found.boxes, found.matched, found.worst_iou, found.worst_score) == (2, 2, 1.0, 0.0)
    assert str(found) == "2 of 2 boxes, IoU >= 1.0000, scores within 0.0000"


def test_a_box_that_is_off_by_a_pixel_is_another_one() -> None:
    found = compared([(CAT, 0.9, 1), (DOG, 0.6, 2)], [(moved(CAT, 2), 0.9, 1), (DOG, 0.6, 2)])
    assert not found.is_equal
    assert (found.boxes, found.matched) == (2, 1)
    assert found.worst_iou == pytest.approx(198 / 202)


def test_a_hair_is_no_difference() -> None:
    assert compared([(CAT, 0.9, 1)], [(moved(CAT, 0.5), 0.905, 1)]).is_equal


def test_a_score_that_is_off_by_two_hundredths_is_another_one() -> None:
    found = compared([(CAT, 0.9, 1)], [(CAT, 0.88, 1)])
    assert not found.is_equal
    assert found.worst_score == pytest.approx(0.02, abs=1e-6)


def test_swapped_classes_match_nothing() -> None:
    found = compared([(CAT, 0.9, 1), (DOG, 0.9, 2)], [(CAT, 0.9, 2), (DOG, 0.9, 1)])
    assert (found.boxes, found.matched) == (4, 0)


def test_what_one_has_just_above_the_threshold_the_other_may_have_just_below_it() -> None:
    assert compared([(CAT, 0.304, 1), (DOG, 0.6, 2)], [(CAT, 0.296, 1), (DOG, 0.6, 2)]).is_equal
    assert compared([(CAT, 0.304, 1), (DOG, 0.6, 2)], [(DOG, 0.6, 2)]).is_equal


def test_what_is_well_above_it_has_to_be_there() -> None:
    found = compared([(CAT, 0.32, 1), (DOG, 0.6, 2)], [(DOG, 0.6, 2)])
    assert not found.is_equal
    assert (found.boxes, found.matched) == (2, 1)


def test_one_of_a_hundred_may_be_lost_to_a_tie_and_no_more() -> None:
    many: Rows = [((6.0 * n, 0, 6.0 * n + 5, 400), 0.8, 1) for n in range(100)]
    assert compared(many, many[1:]).is_equal
    assert not compared(many, many[2:]).is_equal


def test_where_nothing_was_seen_nothing_was_shown() -> None:
    found = compared([], [])
    assert not found.is_equal
    assert str(found) == "nothing was seen"


def test_two_boxes_of_one_thing_are_two() -> None:
    found = compared([(CAT, 0.9, 1), (CAT, 0.8, 1)], [(CAT, 0.9, 1)])
    assert (found.boxes, found.matched) == (2, 1)


def test_pictures_are_kept_apart() -> None:
    nothing, cat = seen([]), seen([(CAT, 0.9, 1)])
    found = agreement([cat, nothing], [nothing, cat], conf=CONF)
    assert (found.pictures, found.boxes, found.matched) == (2, 2, 0)
    with pytest.raises(ValueError, match="zip"):
        agreement([cat], [], conf=CONF)
