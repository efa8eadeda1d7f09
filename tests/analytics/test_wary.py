"""What shall be hidden is looked for at a lower score, and reported as if it were not."""

import numpy as np
import pytest

from streamer.analytics.wary import HIDE_CONF, Wary
from streamer.frame import Detections, Image
from tests.fakes import FakeDetector

PERSON, FACE, DOG = 1, 2, 3
SCORES = (0.9, 0.7, 0.6, 0.45, 0.3, 0.16, 0.14, 0.1)
CLASSES = (PERSON, FACE, DOG, FACE, PERSON, FACE, FACE, DOG)


def image() -> Image:
    return np.zeros((100, 200, 3), np.uint8)


def fake(*, conf: float = 0.5) -> FakeDetector:
    boxes = [(10 * n, 10, 10 * n + 9, 30) for n in range(len(SCORES))]
    return FakeDetector(boxes=boxes, scores=SCORES, class_ids=CLASSES, conf=conf)


def rows(detections: Detections) -> list[tuple[int, float]]:
    scores = [round(score, 2) for score in detections.scores.tolist()]
    return list(zip(detections.class_ids.tolist(), scores, strict=True))


def test_what_shall_be_hidden_is_given_from_its_own_score_on() -> None:
    wary = Wary(fake(), hidden=frozenset({FACE}))
    (found,) = wary.detect([image()])
    assert rows(found) == [(PERSON, 0.9), (FACE, 0.7), (DOG, 0.6), (FACE, 0.45), (FACE, 0.16)]
    assert rows(wary.reported(found)) == [(PERSON, 0.9), (FACE, 0.7), (DOG, 0.6)]


@pytest.mark.parametrize("conf", [0.05, 0.3, 0.6, 0.95, 1.0])
def test_the_reported_threshold_uncovers_nothing(conf: float) -> None:
    wary = Wary(fake(), hidden=frozenset({FACE}))
    wary.conf = conf
    assert wary.conf == conf
    (found,) = wary.detect([image()])
    faces = [row for row in rows(found) if row[0] == FACE]
    assert faces == [(FACE, score) for score in (0.7, 0.45, 0.16, 0.14) if score >= min(conf, HIDE_CONF)]
    assert all(score >= conf for _, score in rows(wary.reported(found)))


@pytest.mark.parametrize("conf", [0.1, 0.25, 0.5, 0.65])
@pytest.mark.parametrize("classes", [None, frozenset({PERSON}), frozenset({FACE, DOG}), frozenset[int]()])
@pytest.mark.parametrize("max_det", [1, 2, 300])
def test_it_reports_what_would_be_reported_without_it(
    conf: float, classes: frozenset[int] | None, max_det: int
) -> None:
    boxes = [(10 * n, 10, 10 * n + 9, 30) for n in range(len(SCORES))]
    wanted = Detections.from_raw(
        boxes, SCORES, CLASSES, size_px=(200, 100), conf=conf, classes=classes, max_det=max_det
    )
    wary = Wary(fake(conf=conf), hidden=frozenset({FACE}), classes=classes, max_det=max_det)
    (found,) = wary.detect([image()])
    reported = wary.reported(found)
    np.testing.assert_array_equal(reported.boxes, wanted.boxes)
    np.testing.assert_array_equal(reported.scores, wanted.scores)
    np.testing.assert_array_equal(reported.class_ids, wanted.class_ids)


def test_faces_are_hidden_where_persons_only_are_reported_and_few_of_them() -> None:
    wary = Wary(fake(), hidden=frozenset({FACE}), classes=frozenset({PERSON}), max_det=1)
    (found,) = wary.detect([image()])
    assert [row for row in rows(found) if row[0] == FACE] == [(FACE, 0.7), (FACE, 0.45), (FACE, 0.16)]
    assert rows(wary.reported(found)) == [(PERSON, 0.9)]


def test_it_is_the_detector_in_all_else() -> None:
    detector = fake()
    wary = Wary(detector, hidden=frozenset({FACE}))
    assert (wary.labels, wary.batch, wary.runtime) == (detector.labels, detector.batch, detector.runtime)
    wary.close()
    assert detector.closed
