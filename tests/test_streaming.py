"""`streamer.stream`: what is hidden is in no result."""

import threading
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import cv2
import numpy as np
import pytest

import streamer
from streamer import streaming
from streamer.errors import ConfigError, SourceError
from streamer.frame import MAX_DETECTIONS
from streamer.labels import Labels
from streamer.models.options import ModelOptions
from tests.fakes import FakeDetector
from tests.portraits import face_box, portrait

SIDE_PX = 400


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[ModelOptions, FakeDetector]]:
    """What is asked of the model and what is given for it: a person, a face that is hardly one, and a dog."""
    calls: list[tuple[ModelOptions, FakeDetector]] = []

    def load(_path: PathLike[str] | None, options: ModelOptions, **_: object) -> FakeDetector:
        detector = FakeDetector(
            boxes=[(0, 0, 20, 40), (40, 10, 52, 24), (30, 30, 60, 44)],
            scores=(0.9, 0.3, 0.8),
            class_ids=(1, 2, 3),
            labels=Labels({1: "person", 2: "face", 3: "dog"}),
            conf=options.conf,
        )
        calls.append((options, detector))
        return detector

    monkeypatch.setattr(streaming, "load_detector", load)
    return calls


SOURCE = "test:size=64x48,frames=4,live=no"


def test_a_camera_that_cannot_be_opened_leaves_no_model_behind(
    loaded: list[tuple[ModelOptions, FakeDetector]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SourceError("no camera")

    monkeypatch.setattr(streaming, "open_source", refuse)
    with pytest.raises(SourceError, match="no camera"):
        streamer.stream(0)
    assert loaded[0][1].closed


def test_what_is_hidden_need_not_be_reported(loaded: list[tuple[ModelOptions, FakeDetector]]) -> None:
    plain = list(streamer.stream(SOURCE, classes="person"))
    with streamer.stream(SOURCE, classes="person", blur="face") as results:
        hidden = list(results)
    options = loaded[1][0]
    assert (options.classes, options.max_det) == ((), MAX_DETECTIONS)
    assert len(plain) == len(hidden) == 4
    for before, after in zip(plain, hidden, strict=True):
        assert after.detections.class_ids.tolist() == [1]
        changed = (before.frame.image != after.frame.image).any(axis=2)
        assert changed[10:24, 40:52].any()
        changed[6:28, 37:55] = False
        assert not changed.any()


def test_the_model_may_look_at_every_second_frame_only(loaded: list[tuple[ModelOptions, FakeDetector]]) -> None:
    results = list(streamer.stream(SOURCE, detect_every=2))
    assert [result.detected for result in results] == [True, False, True, False]
    assert all(len(result.detections) == 2 for result in results)
    assert loaded[0][1].seen == 2


@pytest.mark.parametrize("blur", ["fase", ["person", "fase"], "face,person"])
def test_a_class_that_is_not_there_is_told_and_closes_all(
    blur: str | Sequence[str], loaded: list[tuple[ModelOptions, FakeDetector]]
) -> None:
    with pytest.raises(ConfigError, match="--blur: no class is called"):
        streamer.stream(SOURCE, blur=blur)
    assert [detector.closed for _, detector in loaded] == [True]


def test_the_model_inside_hides_a_face(tmp_path: Path) -> None:
    picture = portrait(side_px=SIDE_PX)
    cv2.imwrite(str(tmp_path / "somebody.png"), picture)
    (result,) = streamer.stream(tmp_path / "somebody.png", blur="face", classes="person")
    x1, y1, x2, y2 = face_box(0, 0, SIDE_PX).astype(int)
    before, after = picture[y1:y2, x1:x2], result.frame.image[y1:y2, x1:x2]
    sharpness = [
        float(np.abs(cv2.Laplacian(np.ascontiguousarray(face), cv2.CV_32F)).mean()) for face in (before, after)
    ]
    assert sharpness[1] < sharpness[0] / 10
    np.testing.assert_array_equal(result.frame.image[-20:], picture[-20:])
    assert set(result.detections.class_ids.tolist()) == {1}


@pytest.mark.usefixtures("loaded")
def test_results_are_drawn_in_the_style_that_was_asked_for() -> None:
    source = "test:size=320x240,frames=1,live=no"
    styles = (None, streamer.Style(theme="minimal"), streamer.Style(timestamp=True), streamer.Style(source_name=True))
    drawn = set()
    for style in styles:
        (result,) = streamer.stream(source, style=style)
        assert result.image is not None
        drawn.add(result.image.tobytes())
    assert len(drawn) == len(styles)


@pytest.mark.usefixtures("loaded")
def test_another_thread_may_close_it_while_the_loop_waits() -> None:
    stream = streamer.stream("test:size=64x48,fps=20")
    failures: list[BaseException] = []

    def close() -> None:
        try:
            stream.close()
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            failures.append(error)

    closer = threading.Thread(target=close)
    for number, _ in enumerate(stream):
        if number == 2:
            closer.start()
    closer.join()
    assert failures == []
    assert stream.report is not None
    assert stream.report.ended == "stopped"
