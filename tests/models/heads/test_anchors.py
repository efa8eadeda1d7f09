"""Anchors are those of the sources: as many, in their order, where they have them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from streamer.errors import ConfigError
from streamer.models.card import Anchors, FileAnchors, GridAnchors, MediapipeAnchors, MultiscaleAnchors, SsdAnchors
from streamer.models.heads.anchors import make_anchors

ULFG = GridAnchors(
    strides=(8, 16, 32, 64),
    unit="px",
    shapes=(
        ((10, 10), (16, 16), (24, 24)),
        ((32, 32), (48, 48)),
        ((64, 64), (96, 96)),
        ((128, 128), (192, 192), (256, 256)),
    ),
    clip=True,
)
AIZOO = GridAnchors(
    maps=((33, 33), (17, 17), (9, 9), (5, 5), (3, 3)),
    shapes=tuple(((s, s), (s, s), (s, s), (s, s)) for s in (0.04, 0.08, 0.16, 0.32, 0.64)),
)
RETINAFACE = GridAnchors(
    strides=(8, 16, 32),
    unit="px",
    shapes=(((16, 16), (32, 32)), ((64, 64), (128, 128)), ((256, 256), (512, 512))),
)
PUBLISHED: dict[str, tuple[Anchors, tuple[int, int], int]] = {
    "SSD-FPNLite 320": (MultiscaleAnchors(), (320, 320), 12_804),
    "RetinaNet 640": (MultiscaleAnchors(), (640, 640), 51_150),
    "EfficientDet-D0 512": (MultiscaleAnchors(scales_per_octave=3), (512, 512), 49_104),
    "EfficientDet-Lite0 320": (MultiscaleAnchors(scales_per_octave=3, scale=3, like="automl"), (320, 320), 19_206),
    "SSD-MobileNet 300": (SsdAnchors(), (300, 300), 1_917),
    "BlazeFace short range": (MediapipeAnchors(), (128, 128), 896),
    "BlazeFace full range": (MediapipeAnchors(strides=(4,), per_cell=1), (192, 192), 2_304),
    "BlazeFace back camera": (MediapipeAnchors(strides=(16, 32, 32, 32)), (256, 256), 896),
    "palm detection": (MediapipeAnchors(), (192, 192), 2_016),
    "pose detection": (MediapipeAnchors(strides=(8, 16, 32, 32, 32)), (224, 224), 2_254),
    "ULFG 320": (ULFG, (320, 240), 4_420),
    "ULFG 640": (ULFG, (640, 480), 17_640),
    "AIZOO 260": (AIZOO, (260, 260), 5_972),
    "RetinaFace 640": (RETINAFACE, (640, 640), 16_800),
}


@pytest.mark.parametrize(("card", "size_px", "count"), PUBLISHED.values(), ids=PUBLISHED)
def test_there_are_as_many_as_the_models_have_rows(card: Anchors, size_px: tuple[int, int], count: int) -> None:
    anchors = make_anchors(card, input_size_px=size_px)
    assert anchors.shape == (count, 4)
    assert ((anchors[:, :2] >= 0) & (anchors[:, :2] <= 1)).all()
    assert (anchors[:, 2:] > 0).all()


def test_they_are_made_once_and_nobody_writes_to_them() -> None:
    anchors = make_anchors(MediapipeAnchors(), input_size_px=(128, 128))
    assert make_anchors(MediapipeAnchors(), input_size_px=(128, 128)) is anchors
    assert not anchors.flags.writeable


def test_mediapipe_lays_a_cell_of_every_layer_of_one_stride_side_by_side() -> None:
    anchors = make_anchors(MediapipeAnchors(), input_size_px=(128, 128))
    assert anchors[:2].tolist() == [[1 / 32, 1 / 32, 1, 1]] * 2
    assert anchors[2].tolist() == [3 / 32, 1 / 32, 1, 1]
    assert anchors[512:518].tolist() == [[1 / 16, 1 / 16, 1, 1]] * 6


def test_the_first_layer_of_an_ssd_has_three_boxes_and_the_others_six() -> None:
    anchors = make_anchors(SsdAnchors(), input_size_px=(300, 300))
    first = [[0.1, 0.1], [0.2 * 2**0.5, 0.2 / 2**0.5], [0.2 / 2**0.5, 0.2 * 2**0.5]]
    np.testing.assert_allclose(anchors[:3, 2:], first)
    np.testing.assert_allclose(anchors[:3, :2], 1 / 38)
    scale, following = 0.35, 0.5
    second = [[scale * r**0.5, scale / r**0.5] for r in (1, 2, 0.5, 3, 0.3333)] + [[(scale * following) ** 0.5] * 2]
    np.testing.assert_allclose(anchors[1083:1089, 2:], second)
    np.testing.assert_allclose(anchors[-1], [0.5, 0.5, 0.95**0.5, 0.95**0.5])


def test_the_boxes_of_an_ssd_are_square_on_an_input_that_is_not() -> None:
    anchors = make_anchors(SsdAnchors(), input_size_px=(600, 300))
    np.testing.assert_allclose(anchors[0, 2:] * (600, 300), [30, 30])


def test_multiscale_cells_begin_at_the_edge_where_the_stride_does_not_divide_the_side() -> None:
    anchors = make_anchors(MultiscaleAnchors(), input_size_px=(320, 320)) * 320
    np.testing.assert_allclose(anchors[0], [4, 4, 32, 32])
    np.testing.assert_allclose(anchors[:6, 2:].prod(axis=1) ** 0.5, [32, 32 * 2**0.5] * 3)
    np.testing.assert_allclose(anchors[:6, 2] / anchors[:6, 3], [1, 1, 2, 2, 0.5, 0.5])
    np.testing.assert_allclose(anchors[-54, :2], [0, 0])
    np.testing.assert_allclose(anchors[-1, :2], [256, 256])


def test_automl_shares_the_input_among_the_cells_and_changes_the_ratio_first() -> None:
    card = MultiscaleAnchors(scales_per_octave=3, scale=3, like="automl")
    anchors = make_anchors(card, input_size_px=(320, 320)) * 320
    np.testing.assert_allclose(anchors[:6, 2] / anchors[:6, 3], [1, 2, 0.5] * 2)
    np.testing.assert_allclose(anchors[:6, 2:].prod(axis=1) ** 0.5, [24] * 3 + [24 * 2 ** (1 / 3)] * 3)
    np.testing.assert_allclose(anchors[-1, :2], [320 - 320 / 6, 320 - 320 / 6])


def test_strides_that_do_not_divide_the_side_reach_over_it_and_maps_do_not() -> None:
    anchors = make_anchors(ULFG, input_size_px=(320, 240))
    np.testing.assert_allclose(anchors[-1], [4.5 * 64 / 320, 3.5 * 64 / 240, 256 / 320, 1])
    shared = GridAnchors(maps=((5, 4),), shapes=(((0.5, 2.0),),))
    np.testing.assert_allclose(make_anchors(shared, input_size_px=(320, 240))[-1], [0.9, 0.875, 0.5, 2.0])


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3),
    st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=1, max_size=3),
)
def test_every_shape_is_in_every_cell_row_by_row(
    maps: list[tuple[int, int]], shapes: list[tuple[float, float]]
) -> None:
    card = GridAnchors(maps=tuple(maps), shapes=(tuple(shapes),) * len(maps))
    expected = [
        ((x + 0.5) / columns, (y + 0.5) / rows, *shape)
        for columns, rows in maps
        for y in range(rows)
        for x in range(columns)
        for shape in shapes
    ]
    np.testing.assert_allclose(make_anchors(card, input_size_px=(64, 64)), expected)


def _file(folder: Path, name: str, values: NDArray[np.generic]) -> FileAnchors:
    if name.endswith(".npy"):
        np.save(folder / name, values)
    else:
        np.savetxt(folder / name, values, delimiter=",")
    return FileAnchors(file=name)


@pytest.mark.parametrize("name", ["anchors.npy", "anchors.csv"])
@pytest.mark.parametrize("rows", [1, 5])
def test_a_file_is_read_as_it_is(tmp_path: Path, name: str, rows: int) -> None:
    values = np.random.default_rng(1).random((rows, 4)) + 0.01
    card = _file(tmp_path, name, values)
    np.testing.assert_allclose(make_anchors(card, input_size_px=(1, 1), folder=tmp_path), values)


REFUSED = {
    "three numbers": np.ones((9, 3)),
    "no row": np.ones((0, 4)),
    "boxes without area": np.asarray([[0.5, 0.5, 0.0, 1.0]]),
    "not finite": np.asarray([[0.5, 0.5, np.nan, 1.0]]),
    "text": np.asarray([["a", "b", "c", "d"]]),
    "objects": np.asarray([[{}, {}, {}, {}]]),
}


@pytest.mark.parametrize("values", REFUSED.values(), ids=REFUSED)
def test_a_file_of_something_else_is_refused(tmp_path: Path, values: NDArray[np.generic]) -> None:
    card = _file(tmp_path, "anchors.npy", values)
    with pytest.raises(ConfigError, match=r"anchors\.npy"):
        make_anchors(card, input_size_px=(1, 1), folder=tmp_path)


@pytest.mark.parametrize("name", ["missing.npy", "folder.csv", "damaged.npy", "words.csv"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "damaged.npy").write_bytes(b"\x93NUMPY\x01")
    (tmp_path / "words.csv").write_text("cx,cy,w,h\n")
    with pytest.raises(ConfigError, match="cannot be read as anchors"):
        make_anchors(FileAnchors(file=name), input_size_px=(1, 1), folder=tmp_path)


def test_a_link_beside_the_card_leads_nowhere_else(tmp_path: Path) -> None:
    _file(tmp_path, "anchors.npy", np.ones((1, 4)))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "link.npy").symlink_to(tmp_path / "anchors.npy")
    with pytest.raises(ConfigError, match="outside the card"):
        make_anchors(FileAnchors(file="link.npy"), input_size_px=(1, 1), folder=tmp_path / "model")


def test_more_anchors_than_any_detector_has_are_not_made() -> None:
    card = GridAnchors(strides=(1,), unit="px", shapes=(((1, 1),),))
    with pytest.raises(ConfigError, match="makes 16777216 anchors at 4096x4096"):
        make_anchors(card, input_size_px=(4096, 4096))


def test_what_makes_no_sense_is_refused_by_the_card() -> None:
    with pytest.raises(ValidationError, match="6 layers want as many maps"):
        SsdAnchors(maps=((1, 1),))
    with pytest.raises(ValidationError, match="min_level is above max_level"):
        MultiscaleAnchors(min_level=5, max_level=3)
    with pytest.raises(ValidationError):
        MediapipeAnchors(strides=())
    with pytest.raises(ValidationError):
        GridAnchors(maps=((0, 4),), shapes=(((1, 1),),))
