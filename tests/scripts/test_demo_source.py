"""What the demo reads when nothing is named, and what kind of thing is what was named."""

import os
from pathlib import Path

import pytest

from scripts.demo_source import kind_of, without_source, working_camera
from streamer.errors import SourceOpenError
from streamer.interfaces import Source
from streamer.sources import open_source
from tests.clips import write_clip, write_picture


class Cameras:
    """In place of `open_source`: opens those that work, and remembers whom it was asked for."""

    def __init__(self, *working: str) -> None:
        self._working = working
        self.asked: list[str] = []
        self.opened: list[Source] = []

    def __call__(self, uri: str) -> Source:
        self.asked.append(uri)
        if uri not in self._working:
            raise SourceOpenError("gives no picture", where=uri)
        self.opened.append(open_source("test:frames=1"))
        return self.opened[-1]


@pytest.mark.parametrize("uri", ["0", "/dev/video7", "rtsp://camera/stream", "test:", "test:size=64x48"])
def test_what_does_not_end_by_itself_is_live_and_is_not_opened(uri: str) -> None:
    assert kind_of(uri) == "live"


def test_files_are_told_apart_by_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    clip = write_clip(tmp_path / "clips" / "clip.mp4")
    picture = write_picture(tmp_path / "picture.png")
    unnamed = picture.with_name("picture without ending")
    unnamed.write_bytes(picture.read_bytes())
    assert kind_of(str(clip)) == "video"
    assert kind_of(str(picture)) == "picture"
    assert kind_of(str(unnamed)) == "picture"
    assert kind_of(str(tmp_path)) == "several"
    assert kind_of(str(clip.parent)) == "several"
    assert kind_of(str(tmp_path / "*.png")) == "picture"


@pytest.mark.parametrize("uri", ["missing.mp4", "foo://camera/stream", "nothing-like-*.png"])
def test_what_cannot_be_opened_is_left_to_streamer_to_refuse(uri: str) -> None:
    assert kind_of(uri) == "video"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_looked_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert kind_of(str(pipe)) == "video"


def test_the_first_camera_that_gives_a_picture_is_taken_and_closed_again(capsys: pytest.CaptureFixture[str]) -> None:
    cameras = Cameras("/dev/video2", "/dev/video3")
    assert working_camera(["/dev/video0", "/dev/video2", "/dev/video3"], open_camera=cameras) == "/dev/video2"
    assert cameras.asked == ["/dev/video0", "/dev/video2"]
    assert list(cameras.opened[0].frames()) == []
    assert "/dev/video0: gives no picture" in capsys.readouterr().err


def test_without_a_display_no_camera_is_opened(capsys: pytest.CaptureFixture[str]) -> None:
    cameras = Cameras("/dev/video0")
    found = without_source(problem=lambda: "DISPLAY is not set", devices=lambda: ["/dev/video0"], open_camera=cameras)
    assert found is None
    assert cameras.asked == []
    assert "DISPLAY is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("devices", "working", "found"),
    [
        ([], (), None),
        (["/dev/video0", "/dev/video1"], (), None),
        (["/dev/video0", "/dev/video1"], ("/dev/video1",), "/dev/video1"),
    ],
    ids=["no device", "none gives a picture", "the second does"],
)
def test_with_a_display_it_is_a_camera_that_works_or_none(
    devices: list[str], working: tuple[str, ...], found: str | None
) -> None:
    cameras = Cameras(*working)
    assert without_source(problem=lambda: None, devices=lambda: devices, open_camera=cameras) == found
