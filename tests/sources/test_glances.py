"""A few pictures of a source are seen before it is watched, and watching it is none the worse for it."""

import os
from pathlib import Path

import pytest

from streamer.sources.glances import glances
from tests.clips import number_of, write_clip, write_picture


def test_those_of_a_video_are_spread_over_its_length(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=40)
    numbers = [number_of(image) for image in glances(str(clip))]
    assert len(numbers) == 4
    assert numbers == pytest.approx([5, 15, 25, 35], abs=1)


def test_fewer_are_given_where_there_are_fewer(tmp_path: Path) -> None:
    assert [number_of(image) for image in glances(str(write_picture(tmp_path / "a.png", 7)))] == [7]


def test_of_a_folder_of_pictures_the_first_are_seen(tmp_path: Path) -> None:
    for number in range(6):
        write_picture(tmp_path / f"{number}.png", number)
    assert [number_of(image) for image in glances(str(tmp_path))] == [0, 1, 2, 3]
    assert [number_of(image) for image in glances(str(tmp_path / "*.png"), count=2)] == [0, 1]


@pytest.mark.parametrize("uri", ["0", "/dev/video0", "test:"])
def test_what_cannot_be_seen_twice_or_is_drawn_gives_none(uri: str) -> None:
    assert glances(uri) == []


def test_a_pipe_is_left_for_whoever_reads_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ts")
    assert glances(str(tmp_path / "pipe.ts")) == []


def test_what_cannot_be_read_is_a_warning_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert glances(str(tmp_path / "missing.mp4")) == []
    assert "no look at the source" in caplog.text
