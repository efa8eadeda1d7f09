from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.errors import SourceError, SourceOpenError
from streamer.frame import Image
from streamer.sources.images import PicturesSource
from streamer.sources.options import SourceOptions
from tests.clips import number_of, numbered_image, write_picture


def _pictures(folder: Path, count: int) -> list[str]:
    return [str(write_picture(folder / f"{number}.png", number)) for number in range(count)]


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_a_picture_is_one_frame_without_a_time(tmp_path: Path, ending: str) -> None:
    path = str(write_picture(tmp_path / f"picture{ending}", 17))
    source = PicturesSource([path])
    assert source.info.size_px == (64, 48)
    (frame,) = source.frames()
    assert number_of(frame.image) == 17
    assert (frame.index, frame.pts_s, frame.source) == (0, None, path)
    assert not source.live


def test_each_picture_begins_an_epoch_and_tells_its_path(tmp_path: Path) -> None:
    paths = _pictures(tmp_path, 3)
    source = PicturesSource(paths, name="all of them")
    frames = list(source.frames())
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2]
    assert [frame.epoch for frame in frames] == [0, 1, 2]
    assert [frame.source for frame in frames] == paths
    assert (source.info.name, source.info.frame_count) == ("all of them", 3)


def test_a_picture_that_cannot_be_read_is_counted_and_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = _pictures(tmp_path, 5)
    Path(paths[1]).write_text("no picture")
    Path(paths[2]).write_bytes(b"")
    Path(paths[3]).unlink()
    source = PicturesSource(paths)
    assert [frame.index for frame in source.frames()] == [0, 4]
    assert source.produced == 5
    assert [record.getMessage().split(":")[0] for record in caplog.records] == paths[1:4]


def test_not_one_picture_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    paths = _pictures(tmp_path, 2)
    for path in paths:
        Path(path).write_text("no picture")
    with pytest.raises(SourceError, match="not one of 2 pictures can be read"):
        list(PicturesSource(paths, options=SourceOptions(loop=True)).frames())


@pytest.mark.parametrize(
    ("data", "reason"), [(None, "no such file"), (b"", "empty file"), (b"text", "unreadable or truncated")]
)
def test_the_only_picture_is_refused_at_opening(tmp_path: Path, data: bytes | None, reason: str) -> None:
    path = tmp_path / "picture.png"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SourceOpenError, match=reason):
        PicturesSource([str(path)])


def test_a_name_in_any_script_is_read(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "picture.png", 9).rename(tmp_path / "снимок 写真 ü.png")
    (frame,) = PicturesSource([str(path)]).frames()
    assert number_of(frame.image) == 9


def _with_orientation(picture: bytes, orientation: int) -> bytes:
    """A JPEG with an EXIF block of one entry."""
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00" + orientation.to_bytes(2, "little") + bytes(2)
    exif = b"Exif\0\0II*\0\x08\x00\x00\x00\x01\x00" + entry + bytes(4)
    return picture[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + picture[2:]


@pytest.mark.parametrize(("orientation", "quarters"), [(1, 0), (6, -1), (3, 2), (8, 1)])
def test_a_picture_stands_upright(tmp_path: Path, orientation: int, quarters: int) -> None:
    path = write_picture(tmp_path / "picture.jpg", 5)
    path.write_bytes(_with_orientation(path.read_bytes(), orientation))
    (frame,) = PicturesSource([str(path)]).frames()
    expected = np.rot90(numbered_image(5), quarters)
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(
    "image",
    [np.full((48, 64), 90, np.uint8), np.full((48, 64, 4), 90, np.uint8), np.full((48, 64), 90 << 8, np.uint16)],
    ids=["grey", "alpha", "16 bits"],
)
def test_every_kind_of_png_becomes_bgr(tmp_path: Path, image: Image) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    (frame,) = PicturesSource([str(path)]).frames()
    assert frame.image.shape == (48, 64, 3)
    assert (frame.image == 90).all()


def test_stride_and_loop(tmp_path: Path) -> None:
    source = PicturesSource(_pictures(tmp_path, 5), options=SourceOptions(stride=2, loop=True))
    reading = source.frames()
    assert [number_of(next(reading).image) for _ in range(7)] == [0, 2, 4, 0, 2, 4, 0]
    source.close()
    assert list(reading) == []
    assert source.info.frame_count is None
