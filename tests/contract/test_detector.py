"""What every Detector does, whatever runs it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from streamer.analytics.wary import Wary
from streamer.errors import ModelError
from streamer.interfaces import Detector
from streamer.models import load_detector
from tests.fakes import FakeDetector
from tests.saved_models import build_ssd_mobilenet, save_constant, save_red_finder

SIZES_PX = ((640, 480), (176, 144), (90, 200))

MAKERS: dict[str, Callable[[Path], Detector]] = {
    "fake": lambda _: FakeDetector(boxes=[(5, 5, 60, 50), (0, 0, 9, 9)], scores=[0.9, 0.6], class_ids=[1, 2]),
    "several at once": lambda _: FakeDetector(concurrency=3),
    "constant": lambda folder: load_detector(save_constant(folder)),
    "fixed size, floats": lambda folder: load_detector(
        save_constant(folder, input_shape=(1, 96, 128, 3), input_dtype="float32")
    ),
    "any batch": lambda folder: load_detector(save_red_finder(folder, input_shape=(None, None, None, 3))),
    "wary": lambda folder: Wary(load_detector(save_constant(folder)), hidden=frozenset({9})),
    "ssd mobilenet": lambda folder: load_detector(build_ssd_mobilenet(folder)),
}


@pytest.fixture(scope="module", params=MAKERS)
def detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return MAKERS[request.param](tmp_path_factory.mktemp("models") / "m")


def _images(count: int) -> list[np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]]:
    random = np.random.default_rng(4)
    images = []
    for n in range(count):
        width, height = SIZES_PX[n % len(SIZES_PX)]
        image = random.integers(90, 160, (height, width, 3), np.uint8)
        image[height // 4 : height // 2, width // 4 : width // 2] = (0, 0, 255)
        images.append(image)
    return images


def test_every_image_gets_its_own_detections_inside_itself(detector: Detector) -> None:
    images = _images(7)
    results = detector.detect(images)
    assert len(results) == len(images)
    for image, found in zip(images, results, strict=True):
        height, width = image.shape[:2]
        assert (found.boxes >= 0).all()
        assert (found.boxes <= (width, height, width, height)).all()
        assert found.age_ns == 0


def test_it_sees_something(detector: Detector) -> None:
    assert sum(len(found) for found in detector.detect(_images(3))) > 0


def test_no_image_is_no_result(detector: Detector) -> None:
    assert detector.detect([]) == []


def test_an_image_gives_the_same_alone_and_among_others(detector: Detector) -> None:
    images = _images(5)
    for image, among in zip(images, detector.detect(images), strict=True):
        alone = detector.detect([image])[0]
        np.testing.assert_array_equal(alone.boxes, among.boxes)
        np.testing.assert_array_equal(alone.scores, among.scores)
        np.testing.assert_array_equal(alone.class_ids, among.class_ids)


def test_calls_at_once_give_the_same_as_one_after_the_other(detector: Detector) -> None:
    images = _images(24)
    alone = [detector.detect([image])[0] for image in images]
    with ThreadPoolExecutor(detector.concurrency) as pool:
        together = list(pool.map(lambda image: detector.detect([image])[0], images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.class_ids, other.class_ids)


def test_the_threshold_can_be_moved_while_it_runs(detector: Detector) -> None:
    image, kept = _images(1)[0], detector.conf
    try:
        detector.conf = 0.0
        everything = detector.detect([image])[0]
        detector.conf = 0.7
        some = detector.detect([image])[0]
        detector.conf = 1.0
        assert len(detector.detect([image])[0]) == int((everything.scores >= 1.0).sum())
    finally:
        detector.conf = kept
    assert (some.scores >= 0.7).all()
    assert len(some) == int((everything.scores >= np.float32(0.7)).sum())


def test_a_read_only_image_is_enough_and_stays_as_it_was(detector: Detector) -> None:
    image = _images(1)[0]
    before = image.copy()
    image.setflags(write=False)
    detector.detect([image])
    np.testing.assert_array_equal(image, before)


def test_it_says_what_it_is(detector: Detector) -> None:
    assert detector.batch >= 1
    assert detector.concurrency >= 1
    assert detector.runtime.isprintable()
    assert detector.labels.name(10**6) == "#1000000"


def test_closing_twice_is_closing(tmp_path: Path) -> None:
    for n, make in enumerate(MAKERS.values()):
        closed = make(tmp_path / str(n))
        closed.close()
        closed.close()


def test_a_closed_model_refuses_to_look(tmp_path: Path) -> None:
    closed = load_detector(save_constant(tmp_path / "m"))
    closed.close()
    with pytest.raises(ModelError, match="closed"):
        closed.detect(_images(1))


def test_a_failure_is_a_model_error_and_the_next_image_is_fine(tmp_path: Path) -> None:
    failing: list[Detector] = [
        FakeDetector(raise_at=frozenset({1})),
        load_detector(save_constant(tmp_path / "m", fail_at_call=4)),
    ]
    image = _images(1)[0]
    for detector in failing:
        assert len(detector.detect([image])[0]) > 0
        with pytest.raises(ModelError):
            detector.detect([image])
        assert len(detector.detect([image])[0]) > 0
