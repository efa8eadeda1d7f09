"""The contact sheet: every candidate on every picture, the believed one framed, nothing outside its place."""

import numpy as np
import pytest

from streamer.frame import Detections
from streamer.inspection.sheet import MAX_PICTURES, Mark, Tile, contact_sheet, sheet_of
from streamer.labels import Labels
from tests.inspection.samples import NAMES, boxes, looked, picture

GREEN = (95, 200, 90)


def tile(*, mark: Mark = "", sizes_px: tuple[tuple[int, int], ...] = ((320, 200),), found: bool = False) -> Tile:
    pictures = [picture(size_px) for size_px in sizes_px]
    seen = boxes((20, 20, 180, 120, 0.9, 1)) if found else Detections.empty()
    return Tile("scale 0..1", "1.00: nothing", pictures, [seen] * len(pictures), mark=mark)


def share_of(image: np.ndarray, color: tuple[int, int, int]) -> float:
    return float((image == color).all(axis=2).mean())


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 12, 24])
@pytest.mark.parametrize(
    "sizes_px", [((640, 480),), ((480, 640),), ((4000, 500),), ((30, 20), (200, 900)), ((640, 480),) * 7]
)
def test_a_sheet_of_any_number_of_tiles_has_about_the_shape_of_a_screen(
    count: int, sizes_px: tuple[tuple[int, int], ...]
) -> None:
    sheet = contact_sheet([tile(sizes_px=sizes_px)] * count, Labels(), heading="m", verdict="v")
    height, width = sheet.shape[:2]
    assert sheet.dtype == np.uint8
    assert 300 <= width <= 2700
    assert height <= 6 * width
    assert width <= 8 * height


def test_the_believed_tile_alone_is_framed() -> None:
    plain = contact_sheet([tile(), tile()], Labels(), heading="m", verdict="v")
    framed = contact_sheet([tile(), tile(mark="BELIEVED")], Labels(), heading="m", verdict="v")
    half = plain.shape[1] // 2
    assert share_of(plain, GREEN) == 0
    assert share_of(framed[:, half:], GREEN) > 0.02
    assert share_of(framed[:, : half - 8], GREEN) == 0


def test_boxes_are_drawn_where_they_are_on_the_smaller_picture() -> None:
    seen = tile(found=True)
    with_boxes = contact_sheet([seen], Labels(NAMES), heading="m", verdict="v").astype(int)
    without = contact_sheet([tile()], Labels(NAMES), heading="m", verdict="v").astype(int)
    rows, columns = np.nonzero(np.abs(with_boxes - without).sum(axis=2))
    width, height = seen.sizes_px[0]
    assert columns.max() - columns.min() == pytest.approx(160 / 320 * width, abs=8)
    assert rows.max() - rows.min() == pytest.approx(100 / 200 * height, abs=40)


def test_of_many_pictures_the_first_are_shown() -> None:
    many = tile(sizes_px=((320, 200),) * (MAX_PICTURES + 4))
    assert len(many.sizes_px) == MAX_PICTURES
    assert len({height for _, height in many.sizes_px}) == 1


def test_the_pictures_are_left_as_they_are() -> None:
    seen = looked()
    before = seen.pictures[0].copy()
    sheet_of(seen, Labels(NAMES), model="finder")
    assert (seen.pictures[0] == before).all()
