import io

import cv2
import numpy as np
import pytest

from streamer.frame import Image
from streamer.pyav import av
from streamer.sources.pattern import Pattern
from streamer.sources.synthetic import read_frame_number
from tests.clips import numbered_image

NUMBERS = [0, 1, 2, 3, 7, 100, 4095, 65_535, 65_536, 1_000_003, 4_194_303]


@pytest.mark.parametrize("size_px", [(48, 48), (160, 120), (176, 144), (321, 241), (1280, 720)])
def test_the_number_is_read_back(size_px: tuple[int, int]) -> None:
    pattern = Pattern(size_px, fps=30)
    assert [read_frame_number(pattern.draw(number)) for number in NUMBERS] == NUMBERS


def _through_h264(images: list[Image], *, crf: int) -> list[Image]:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": str(crf), "preset": "veryfast"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as coded:
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in coded.decode(video=0)]


@pytest.mark.parametrize("size_px", [(160, 120), (640, 480)])
@pytest.mark.parametrize("crf", [28, 36])
def test_the_number_survives_h264(size_px: tuple[int, int], crf: int) -> None:
    pattern = Pattern(size_px, fps=30)
    numbers = [*range(20), *(number + 70_000 for number in range(20))]
    decoded = _through_h264([pattern.draw(number) for number in numbers], crf=crf)
    assert [read_frame_number(image) for image in decoded] == numbers


@pytest.mark.parametrize("size_px", [(160, 120), (333, 187), (1920, 1080)])
def test_the_number_survives_scaling(size_px: tuple[int, int]) -> None:
    pattern = Pattern((640, 480), fps=30)
    for number in NUMBERS:
        scaled = cv2.resize(pattern.draw(number), size_px, interpolation=cv2.INTER_AREA)
        assert read_frame_number(np.asarray(scaled, np.uint8)) == number


def test_the_number_survives_a_darker_picture_and_padding_to_even() -> None:
    image = Pattern((161, 121), fps=30).draw(4711)
    padded = np.pad(image, ((0, 1), (0, 1), (0, 0)), mode="edge")
    assert read_frame_number((padded * 0.6).astype(np.uint8)) == 4711


def test_pictures_without_a_number_have_none() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    nothing = [Pattern((640, 480), fps=30).black(), numbered_image(3), noise, np.full((10, 10, 3), 9, np.uint8)]
    assert [read_frame_number(image) for image in nothing] == [None] * 4


def test_a_block_that_is_overturned_is_noticed_by_its_parity() -> None:
    image = Pattern((480, 320), fps=30).draw(1234)
    image[280:, 100:120] = 255 - image[280:, 100:120]
    assert read_frame_number(image) is None


def test_the_shapes_move_the_same_for_the_same_seed() -> None:
    first, same, other = (Pattern((160, 120), fps=30, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.draw(5), same.draw(5))
    assert not np.array_equal(first.draw(5), other.draw(5))
    assert not np.array_equal(first.draw(5)[:100], first.draw(15)[:100])
