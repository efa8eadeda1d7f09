"""What blurring leaves of a picture: outside the boxes all of it, inside them a few averages."""

from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.analytics.blurring import CELLS_ACROSS, CELLS_ALONG, MIN_CELL_PX, blurred, cell_averages
from streamer.frame import Image
from tests.portraits import portrait

Boxes = NDArray[np.float32]

sides = st.integers(1, 90)
edges = st.floats(-200, 300, width=32)


def noise(size_px: tuple[int, int], *, seed: int = 1) -> Image:
    width, height = size_px
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def boxes_of(*rows: tuple[float, float, float, float]) -> Boxes:
    return np.array(rows, np.float32).reshape(-1, 4)


@cache
def somebody() -> Image:
    return portrait(side_px=256)


def touched(size_px: tuple[int, int], boxes: Boxes) -> NDArray[np.bool_]:
    """The pixels that a box touches, found pixel by pixel."""
    across, down = (np.arange(side) for side in size_px)
    mask = np.zeros((size_px[1], size_px[0]), bool)
    for x1, y1, x2, y2 in boxes.tolist():
        mask |= np.outer((down + 1 > y1) & (down < y2), (across + 1 > x1) & (across < x2))
    return mask


@given(sides, sides, st.lists(st.tuples(edges, edges, edges, edges), max_size=6))
def test_boxes_of_any_kind_change_their_own_pixels_only(
    width: int, height: int, rows: list[tuple[float, float, float, float]]
) -> None:
    image = noise((width, height))
    before = image.copy()
    image.setflags(write=False)
    boxes = boxes_of(*((min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in rows))
    canvas = blurred(image, boxes)
    assert (canvas.shape, canvas.dtype) == (image.shape, image.dtype)
    assert canvas.flags.c_contiguous
    outside = ~touched((width, height), boxes)
    np.testing.assert_array_equal(canvas[outside], before[outside])
    np.testing.assert_array_equal(image, before)
    assert not np.shares_memory(canvas, image)


@given(st.integers(1, 700), st.integers(1, 700))
def test_few_averages_are_left_of_a_region_of_any_size(width: int, height: int) -> None:
    rows, columns, _ = cell_averages(np.zeros((height, width, 3), np.uint8)).shape
    assert min(rows, columns) <= CELLS_ACROSS
    assert max(rows, columns) <= CELLS_ALONG
    assert rows * columns <= 40
    assert rows == 1 or height / rows >= MIN_CELL_PX
    assert columns == 1 or width / columns >= MIN_CELL_PX


def shuffled(region: Image, *, cell_px: int, seed: int) -> Image:
    """Other pixels with the same averages: those of each cell in another order."""
    random, out = np.random.default_rng(seed), region.copy()
    for y in range(0, region.shape[0], cell_px):
        for x in range(0, region.shape[1], cell_px):
            cell = out[y : y + cell_px, x : x + cell_px]
            cell[:] = random.permutation(cell.reshape(-1, 3)).reshape(cell.shape)
    return out


@pytest.mark.parametrize(("size_px", "cell_px"), [((64, 80), 16), ((160, 48), 16), ((40, 40), 10), ((400, 600), 100)])
def test_pictures_with_the_same_averages_give_the_same(size_px: tuple[int, int], cell_px: int) -> None:
    one = np.asarray(cv2.resize(somebody(), size_px), np.uint8)
    other = shuffled(one, cell_px=cell_px, seed=2)
    assert np.count_nonzero(one != other) > one.size / 2
    whole = boxes_of((0, 0, *size_px))
    np.testing.assert_array_equal(blurred(one, whole), blurred(other, whole))
    flat = np.repeat(np.repeat(cell_averages(one), cell_px, axis=0), cell_px, axis=1)
    np.testing.assert_array_equal(blurred(one, whole), blurred(flat, whole))


def test_no_feature_of_a_face_is_left() -> None:
    face = np.ascontiguousarray(somebody()[40:190, 70:186])
    hidden = blurred(face, boxes_of((0, 0, face.shape[1], face.shape[0])))
    assert sharpness(hidden) < sharpness(face) / 10


def sharpness(image: Image) -> float:
    return float(np.abs(cv2.Laplacian(image, cv2.CV_32F)).mean())


def test_where_boxes_lie_over_each_other_the_coarser_is_seen() -> None:
    image = noise((200, 200))
    large, small = (20.0, 20.0, 180.0, 180.0), (60.0, 60.0, 100.0, 100.0)
    wanted = blurred(image, boxes_of(large))
    for rows in ((large, small), (small, large)):
        np.testing.assert_array_equal(blurred(image, boxes_of(*rows)), wanted)


def test_a_crowd_is_hidden() -> None:
    image = noise((640, 480))
    corners = np.random.default_rng(3).uniform(0, (600, 440), (300, 2))
    boxes = np.hstack((corners, corners + 40)).astype(np.float32)
    canvas = blurred(image, boxes)
    inside = touched((640, 480), boxes)
    same = (canvas == image).all(axis=2)
    assert same[inside].mean() < 0.01
    assert same[~inside].all()


@pytest.mark.parametrize("size_px", [(1, 1), (1, 7), (7, 1), (3, 3)])
def test_a_tiny_picture_becomes_one_colour(size_px: tuple[int, int]) -> None:
    canvas = blurred(noise(size_px), boxes_of((0, 0, *size_px)))
    assert canvas.shape == (size_px[1], size_px[0], 3)
    assert (canvas == canvas[0, 0]).all()
