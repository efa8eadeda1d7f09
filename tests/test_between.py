"""Boxes between two detections: which are one object, where it was meanwhile, and what is done with the others."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.flow.between import LEAST_LIKENESS, Between, likeness, partners
from streamer.frame import Detections

SIZE_PX = (640, 480)
Box = tuple[float, float, float, float]


def seen(
    *boxes: Box,
    classes: Sequence[int] | None = None,
    scores: Sequence[float] | None = None,
    tracks: Sequence[int] | None = None,
) -> Detections:
    """Rows in the order given, whose scores descend."""
    ids = np.array(classes if classes is not None else [1] * len(boxes), np.int32)
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores if scores is not None else [0.9 - 0.1 * row for row in range(len(boxes))], np.float32),
        ids,
        track_ids=None if tracks is None else np.array(tracks, np.int64),
    )


def square(x: float, y: float = 100, *, side: float = 40) -> Box:
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def centres(detections: Detections) -> list[float]:
    return sorted(float(x1 + x2) / 2 for x1, _, x2, _ in detections.boxes)


def test_an_object_goes_in_a_straight_line_and_its_score_with_it() -> None:
    between = Between(seen((100, 100, 140, 180), scores=[0.9]), seen((120, 90, 170, 150), scores=[0.5]))
    for share in (0.0, 0.25, 0.5, 1.0):
        found = between.at(share)
        wanted = (100 + 20 * share, 100 - 10 * share, 140 + 30 * share, 180 - 30 * share)
        np.testing.assert_allclose(found.boxes, [wanted], atol=1e-3)
        np.testing.assert_allclose(found.scores, [0.9 - 0.4 * share], atol=1e-6)
        assert found.looked


def test_one_that_came_or_went_stands_on_its_side_of_half_way() -> None:
    between = Between(seen(square(50), square(300)), seen(square(50), square(500)))
    assert [centres(between.at(share)) for share in (0.1, 0.49)] == [[50, 300]] * 2
    assert [centres(between.at(share)) for share in (0.5, 0.9)] == [[50, 500]] * 2
    assert centres(Between(seen(), seen(square(50))).at(0.4)) == []
    assert centres(Between(seen(square(50)), seen()).at(0.4)) == [50]
    assert len(Between(seen(), seen()).at(0.5)) == 0


def test_two_of_one_class_that_cross_do_not_change_places_while_they_are_apart() -> None:
    between = Between(seen(square(100), square(300)), seen(square(130), square(270)))
    assert centres(between.at(0.5)) == [115, 285]


def test_the_most_alike_find_each_other_first() -> None:
    rows = partners(seen(square(100), square(140)), seen(square(145), square(105)))
    assert sorted(map(tuple, rows.tolist())) == [(0, 1), (1, 0)]


@pytest.mark.parametrize(("moved_px", "one"), [(0, True), (39, True), (57, True), (60, False), (300, False)], ids=str)
def test_what_moved_further_than_half_its_side_beyond_itself_is_another(moved_px: float, *, one: bool) -> None:
    assert len(partners(seen(square(100)), seen(square(100 + moved_px)))) == one


def test_what_moves_faster_than_its_own_size_is_followed_though_nothing_overlaps() -> None:
    assert centres(Between(seen(square(100, side=20)), seen(square(125, side=20))).at(0.4)) == [110]


def test_near_and_far_and_other_classes_are_never_one_object() -> None:
    assert len(partners(seen(square(100, side=40)), seen(square(100, side=90)))) == 0
    assert len(partners(seen(square(100), classes=[1]), seen(square(100), classes=[2]))) == 0


def test_tracks_say_which_is_which_however_far_apart() -> None:
    before = seen(square(100), square(140), tracks=[7, 8])
    after = seen(square(500), square(100), tracks=[7, 8])
    middle = Between(before, after).at(0.5)
    assert middle.track_ids is not None
    found = dict(zip(middle.track_ids.tolist(), middle.boxes.tolist(), strict=True))
    assert found == {7: pytest.approx(square(300)), 8: pytest.approx(square(120))}
    assert len(partners(seen(square(100), tracks=[7]), seen(square(100), tracks=[9]))) == 0


def test_tracks_are_kept_where_all_have_them_and_left_out_where_not() -> None:
    came = Between(seen(), seen(square(50), tracks=[3])).at(0.9)
    assert came.track_ids is not None
    assert came.track_ids.tolist() == [3]
    assert Between(seen(square(50)), seen(square(50), tracks=[3])).at(0.9).track_ids is None


def test_likeness_is_overlap_less_distance() -> None:
    one = np.array([square(100)], np.float32)
    assert likeness(one, one).tolist() == [[1.0]]
    beside = likeness(one, np.array([square(140)], np.float32))[0, 0]
    assert beside == pytest.approx(-(40**2) / (80**2 + 40**2))
    assert beside > LEAST_LIKENESS
    assert likeness(one, np.empty((0, 4), np.float32)).shape == (1, 0)


@st.composite
def some(draw: st.DrawFn) -> Detections:
    count = draw(st.integers(0, 6))
    numbers = st.floats(-20, 700, allow_nan=False, width=32)
    boxes = [[draw(numbers) for _ in range(4)] for _ in range(count)]
    return Detections.from_raw(
        np.array(boxes).reshape(-1, 4),
        [draw(st.floats(0, 1)) for _ in range(count)],
        [draw(st.integers(0, 1)) for _ in range(count)],
        size_px=SIZE_PX,
    )


@given(before=some(), after=some(), share=st.floats(0, 1))
def test_whatever_is_between_are_detections_like_any_other(before: Detections, after: Detections, share: float) -> None:
    found = Between(before, after).at(share)
    assert len(found) <= max(len(before), len(after))
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert found.class_ids.dtype == np.int32
    assert (np.diff(found.scores) <= 0).all()
    assert (found.boxes >= 0).all()
    assert (found.boxes <= np.array([*SIZE_PX, *SIZE_PX])).all()
    assert (found.boxes[:, :2] <= found.boxes[:, 2:]).all()
    everything = np.concatenate((before.class_ids, after.class_ids))
    assert set(found.class_ids.tolist()) <= set(everything.tolist())
