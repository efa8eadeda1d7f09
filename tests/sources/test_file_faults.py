import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from streamer.errors import SourceOpenError
from streamer.sources.file import FileSource
from streamer.sources.reel import open_pyav
from tests.clips import MAX_FRAMES, number_of, write_clip, write_picture, write_sound


def _refusal(path: Path) -> str:
    with pytest.raises(SourceOpenError) as caught:
        FileSource(str(path))
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 3
    return caught.value.what


def _nothing(_: Path) -> None:
    """Make no file."""


def _half_of_a_clip(path: Path) -> None:
    data = write_clip(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _no_frames(path: Path) -> None:
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48)).release()
    assert path.stat().st_size


MAKERS: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing.mp4", _nothing, "no such file"),
    ("folder.mp4", Path.mkdir, "is a directory"),
    ("empty.mp4", Path.touch, "empty file"),
    ("half.mp4", _half_of_a_clip, "unreadable or truncated"),
    ("noise.mp4", lambda path: path.write_bytes(bytes(range(256)) * 40), "unreadable or truncated"),
    ("text.mp4", lambda path: path.write_text("Not a video, but täxt.\n" * 900), "not a video, but text"),
    ("utf16.mp4", lambda path: path.write_text("text", encoding="utf-16"), "not a video, but text"),
    ("playlist.mp4", lambda path: path.write_text("#EXTM3U\nhttp://127.0.0.1:9/a.ts\n"), "not a video, but text"),
    ("paper.mp4", lambda path: path.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), "not a video, but a PDF"),
    ("box.mp4", lambda path: path.write_bytes(b"PK\x03\x04" + bytes(99)), "not a video, but an archive"),
    ("sound.mp4", write_sound, "no video frames: it holds only sound"),
    ("none.avi", _no_frames, "no video frames"),
    ("nul\0.mp4", _nothing, "no such file: no path holds a NUL"),
    ("n" * 300, _nothing, "no such file: the name is too long"),
]


@pytest.mark.parametrize(("name", "make", "reason"), MAKERS, ids=[repr(name[:12]) for name, _, _ in MAKERS])
def test_each_file_that_cannot_be_read_is_refused_with_its_own_reason(
    tmp_path: Path, name: str, make: Callable[[Path], object], reason: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(SourceOpenError) as caught:
        FileSource(str(tmp_path / name))
    assert caught.value.what.startswith(reason)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_a_picture_named_like_a_video_is_refused(tmp_path: Path, ending: str) -> None:
    picture = write_picture(tmp_path / f"picture{ending}").rename(tmp_path / "picture.mp4")
    assert _refusal(picture) == "not a video, but a picture"


def test_a_missing_file_is_refused_at_once(tmp_path: Path) -> None:
    started = time.perf_counter()
    _refusal(tmp_path / "missing.mp4")
    assert time.perf_counter() - started < 0.1


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs another user")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    clip.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        assert _refusal(clip) == "permission denied"
    finally:
        if root:
            os.seteuid(0)


def _overturned(path: Path) -> Path:
    """Every 97th byte turned over, in the half of the file where the later pictures are."""
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 3, len(data) * 9 // 10, 97):
        data[place] ^= 0xFF
    path.write_bytes(data)
    return path


def test_a_damaged_file_is_read_to_its_last_good_frame_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = _overturned(write_clip(tmp_path / "clip.mkv", frames=MAX_FRAMES, size_px=(320, 240), key_every=1))
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    readable = 0
    while capture.grab():
        readable += 1
    assert 0 < readable < MAX_FRAMES
    frames = list(FileSource(str(clip)).frames())
    assert len(frames) == readable
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"read {readable} of {MAX_FRAMES} frames: the file is damaged or truncated" in record.getMessage()


@pytest.mark.parametrize("decoder", [open_pyav, None])
def test_the_first_half_of_a_file_is_read_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, decoder: object
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", frames=MAX_FRAMES, size_px=(320, 240))
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) // 2])
    source = FileSource(str(clip), open_decoder=open_pyav) if decoder else FileSource(str(clip))
    numbers = [number_of(frame.image) for frame in source.frames()]
    assert 0 < len(numbers) < MAX_FRAMES
    assert numbers == list(range(len(numbers)))
    assert [record.getMessage() for record in caplog.records] == [
        f"{clip}: read {len(numbers)} of {MAX_FRAMES} frames: the file is damaged or truncated"
    ]


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "webm"])
def test_a_sound_file_is_not_called_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture, ending: str) -> None:
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(ending, "libx264")
    times_s = None if ending == "avi" else [0.0, 0.1, 3.0, 3.1, 9.0, 20.0]
    clip = write_clip(tmp_path / f"clip.{ending}", codec=codec, times_s=times_s)
    assert len(list(FileSource(str(clip)).frames())) == (12 if times_s is None else 6)
    assert not caplog.records
