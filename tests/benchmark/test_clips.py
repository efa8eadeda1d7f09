"""What is read: by streamer and, as far as it can, by the copied loop."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.benchmark.clips import LIVE_FRAMES, prepare
from streamer.errors import ConfigError, SourceOpenError
from tests.benchmark.made import frames_in


def test_a_pattern_becomes_a_file_that_both_can_read(tmp_path: Path) -> None:
    clip = prepare("test:size=128x96,fps=25,frames=12,live=no", tmp_path)
    assert (clip.no_loop, clip.frames, clip.info.size_px) == ("", None, (128, 96))
    assert frames_in(clip.source) == 12


@pytest.mark.parametrize(
    ("asked", "frames"), [({"frames": 5}, 5), ({"seconds": 0.2}, 5), ({"frames": 3, "seconds": 9}, 3)]
)
def test_a_limit_is_one_of_frames(tmp_path: Path, asked: dict[str, int], frames: int) -> None:
    clip = prepare("test:size=128x96,fps=25,frames=12,live=no", tmp_path, **asked)
    assert clip.frames == frames
    assert frames_in(clip.source) == frames


def test_a_pattern_ends_where_its_size_changes(tmp_path: Path) -> None:
    clip = prepare("test:size=128x96,frames=12,live=no,resize@7=64x64", tmp_path)
    assert frames_in(clip.source) == 7


def test_a_live_pattern_is_limited_and_has_no_loop(tmp_path: Path) -> None:
    clip = prepare("test:size=128x96", tmp_path)
    assert clip.frames == LIVE_FRAMES
    assert "does not read" in clip.no_loop
    assert not list(tmp_path.iterdir())


def test_a_video_is_read_as_it_is(tmp_path: Path) -> None:
    made = prepare("test:size=128x96,frames=4,live=no", tmp_path)
    clip = prepare(made.source, tmp_path)
    assert (clip.source, clip.no_loop, clip.frames) == (made.source, "", None)


def test_pictures_have_no_loop_and_no_seconds(tmp_path: Path) -> None:
    picture = tmp_path / "one.png"
    cv2.imwrite(str(picture), np.zeros((48, 64, 3), np.uint8))
    assert prepare(str(picture), tmp_path).no_loop
    with pytest.raises(ConfigError, match="no rate"):
        prepare(str(picture), tmp_path, seconds=2)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceOpenError):
        prepare(str(tmp_path / "missing.mp4"), tmp_path)


def test_standard_input_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="read more than once"):
        prepare("-", tmp_path)
