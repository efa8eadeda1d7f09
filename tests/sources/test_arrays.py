from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest

import streamer
from streamer.errors import SourceError, SourceLost, SourceOpenError
from streamer.frame import Image
from streamer.sources.arrays import Arrays, ArraySource
from streamer.sources.options import SourceOptions
from tests.clips import number_of, numbered_image


def test_a_picture_may_be_used_again_by_who_made_it() -> None:
    canvas = np.zeros((48, 64, 3), np.uint8)

    def drawn() -> Iterator[Image]:
        for number in range(4):
            canvas[:] = numbered_image(number)
            yield canvas

    frames = list(ArraySource(drawn(), fps=10).frames())
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert [frame.pts_s for frame in frames] == [0.0, 0.1, 0.2, 0.3]
    assert canvas.flags.writeable


def test_a_view_is_taken_as_well() -> None:
    image = numbered_image(3)[:, ::-1]
    (frame,) = ArraySource([image]).frames()
    assert np.array_equal(frame.image, image)


def test_an_array_of_pictures_is_an_iterable_of_them() -> None:
    assert len(list(ArraySource(np.zeros((5, 48, 64, 3), np.uint8)).frames())) == 5
    with pytest.raises(SourceOpenError, match="not one array"):
        ArraySource(np.zeros((48, 64, 3), np.uint8))


def test_another_size_begins_an_epoch() -> None:
    source = ArraySource([numbered_image(0), numbered_image(1), numbered_image(2, size_px=(32, 24))])
    assert [frame.epoch for frame in source.frames()] == [0, 0, 1]
    assert source.info.size_px == (32, 24)


@pytest.mark.parametrize("array", [np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3)), np.zeros((0, 64, 3), np.uint8)])
def test_what_is_no_picture_is_named(array: Image) -> None:
    with pytest.raises(SourceError, match=r"picture 1 is .*uint8 in the order BGR is wanted"):
        list(ArraySource([numbered_image(0), array]).frames())


def test_what_the_iterable_raises_is_the_cause_of_the_error() -> None:
    def failing() -> Iterator[Image]:
        yield numbered_image(0)
        raise ZeroDivisionError("by nought")

    with pytest.raises(SourceLost, match="failed after 1 pictures: ZeroDivisionError: by nought") as caught:
        list(ArraySource(failing()).frames())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_stream_takes_pictures() -> None:
    pictures = (numbered_image(number, size_px=(128, 96)) for number in range(6))
    with streamer.stream(pictures, source_options=SourceOptions(fps=5)) as results:
        frames = [result.frame for result in results]
    assert [number_of(frame.image) for frame in frames] == list(range(6))
    assert frames[-1].pts_s == 1.0


@pytest.mark.parametrize("arrays", [3.5, b"abc", None])
def test_what_cannot_be_gone_through_is_refused_at_once(arrays: object) -> None:
    with pytest.raises(SourceOpenError, match="an iterable of pictures is wanted, not "):
        ArraySource(cast("Arrays", arrays))


def test_rows_of_different_lengths_are_no_picture() -> None:
    with pytest.raises(SourceError, match="uint8 in the order BGR is wanted"):
        list(ArraySource(cast("Arrays", [[[1, 2], [3]]])).frames())
