"""The yardstick does what a how-to does: it finds what the model says, and its file can be played."""

from pathlib import Path

import numpy as np
import pytest

from streamer.benchmark import copied_loop
from streamer.benchmark.clips import prepare
from streamer.benchmark.copied_loop import Found, NoLoopError, Picture, annotate, loop, saved_model
from tests.benchmark.made import frames_in
from tests.saved_models import save_constant

FOUND = (np.array([[0.25, 0.25, 0.75, 0.75], [0, 0, 1, 1]]), np.array([0.9, 0.4]), np.array([1.0, 2.0]))


def nothing(rgb: Picture) -> Found:
    del rgb
    return np.zeros((0, 4)), np.zeros(0), np.zeros(0)


@pytest.fixture
def clip(tmp_path: Path) -> str:
    return prepare("test:size=128x96,fps=25,frames=9,live=no", tmp_path).source


def test_boxes_are_scaled_and_those_below_the_threshold_left_out() -> None:
    frame: Picture = np.zeros((100, 200, 3), np.uint8)
    assert annotate(frame, FOUND, conf=0.5) == 1
    green = np.argwhere((frame == copied_loop.GREEN).all(axis=2))
    assert frame[25, 100].tolist() == frame[75, 100].tolist() == list(copied_loop.GREEN)
    assert green[:, 0].max() <= 76


@pytest.mark.parametrize(("most", "frames"), [(None, 9), (4, 4)])
def test_every_frame_is_written(clip: str, tmp_path: Path, most: int | None, frames: int) -> None:
    out = tmp_path / "out.mp4"
    when = loop(clip, nothing, out, frames=most)
    assert when["frames"] == frames
    assert when["first_s"] <= when["written_s"] <= when["closed_s"]
    assert frames_in(str(out)) == frames


def test_the_signature_of_a_saved_model_is_called(tmp_path: Path) -> None:
    detect = saved_model(save_constant(tmp_path / "constant"))
    boxes, scores, classes = detect(np.zeros((96, 128, 3), np.uint8))
    assert boxes.shape == (3, 4)
    assert scores.tolist() == pytest.approx([0.9, 0.8, 0.2])
    assert classes.tolist() == [1, 2, 3]


def test_a_model_of_one_size_is_given_that_size(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "constant", input_shape=(1, 32, 48, 3), input_dtype="float32")
    assert saved_model(folder)(np.zeros((96, 128, 3), np.uint8))[0].shape == (3, 4)


def test_raw_heads_have_no_loop(tmp_path: Path) -> None:
    folder = save_constant(tmp_path / "constant", names={"boxes": "raw"})
    with pytest.raises(NoLoopError, match="raw heads"):
        saved_model(folder)


def test_what_opencv_cannot_open_has_no_loop(tmp_path: Path) -> None:
    with pytest.raises(NoLoopError, match="cannot open"):
        loop(str(tmp_path / "missing.mp4"), nothing, tmp_path / "out.mp4")
