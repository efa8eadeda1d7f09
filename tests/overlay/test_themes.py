"""Themes, corners, widths of lines, numbers of tracks: what each of them changes on a picture."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.frame import Detections, Image
from streamer.labels import Labels
from streamer.overlay import draw
from streamer.overlay.caption import Caption
from streamer.overlay.lettering import luminance
from streamer.overlay.plate import GLASS
from streamer.overlay.tags import _LIGHT, _OPACITY, _light
from streamer.style import BoxStyle, Style, ThemeName

THEMES: tuple[ThemeName, ...] = get_args(ThemeName)
BOX_STYLES: tuple[BoxStyle, ...] = get_args(BoxStyle)
HOSTILE = Labels(
    {0: "person", 1: "\x1b[2J\u202e", 2: "x" * 900, 3: "人" * 90, 4: "🙂🙂", 5: "سيارة", 6: "%s {} \\n", 7: "  "}
)
CAPTION = Caption("camera \x07", ("2026-11-27 19:28:05.123", "19:28:05"))
SIZES = ((176, 144), (320, 240), (640, 480), (1920, 1080))


def canvas(size_px: tuple[int, int], *, value: int = 128) -> Image:
    return np.full((size_px[1], size_px[0], 3), value, np.uint8)


def one(box: tuple[float, float, float, float] = (100, 100, 300, 300), *, track: int | None = None) -> Detections:
    found = Detections(np.array([box], np.float32), np.array([0.87], np.float32), np.array([0], np.int32))
    return found if track is None else replace(found, track_ids=np.array([track], np.int64))


def crowd(count: int, size_px: tuple[int, int], *, seed: int) -> Detections:
    random = np.random.default_rng(seed)
    middle, half = random.uniform(0, 1, (count, 2)), random.uniform(0.02, 0.2, (count, 2))
    boxes = np.hstack([middle - half, middle + half]) * np.tile(size_px, 2)
    found = Detections.from_raw(boxes, random.uniform(0, 1, count), random.integers(0, 9, count), size_px=size_px)
    return replace(found, track_ids=random.integers(-9, 10**18, len(found)))


def changed(before: Image, after: Image) -> np.ndarray:
    return np.asarray((before != after).any(axis=2))


def lines(style: Style, *, value: int = 128) -> Image:
    return draw(canvas((640, 480), value=value), one(), HOSTILE, replace(style, labels=False))


def shows(drawn: Image, color: tuple[int, int, int]) -> np.ndarray:
    return np.asarray((drawn == np.array(color)).all(axis=2))


@given(
    size_px=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    count=st.integers(0, 30),
    seed=st.integers(0, 1000),
    style=st.builds(
        Style,
        boxes=st.booleans(),
        labels=st.booleans(),
        conf=st.booleans(),
        tracks=st.booleans(),
        theme=st.sampled_from(THEMES),
        box_style=st.sampled_from(BOX_STYLES),
        line_px=st.none() | st.integers(1, 64),
    ),
)
@settings(deadline=None, max_examples=150)
def test_any_style_draws_any_detections_on_an_image_of_any_size_which_stays_as_it_was(
    size_px: tuple[int, int], count: int, seed: int, style: Style
) -> None:
    image = canvas(size_px)
    image.setflags(write=False)
    drawn = draw(image, crowd(count, size_px, seed=seed), HOSTILE, style, caption=CAPTION)
    assert drawn.shape == image.shape
    assert not np.shares_memory(drawn, image)
    assert (image == 128).all()
    again = draw(image, crowd(count, size_px, seed=seed), HOSTILE, style, caption=CAPTION)
    np.testing.assert_array_equal(drawn, again)


def test_each_theme_and_each_box_style_looks_different() -> None:
    styles = [Style(theme=theme, box_style=box_style) for theme in THEMES for box_style in BOX_STYLES]
    drawn = {draw(canvas((640, 480)), one(), HOSTILE, style).tobytes() for style in styles}
    assert len(drawn) == len(styles) == 6


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("box_style", BOX_STYLES)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_line_stands_out_from_any_background(theme: ThemeName, box_style: BoxStyle, value: int) -> None:
    drawn = lines(Style(theme=theme, box_style=box_style), value=value)
    across = drawn[110, 90:115].astype(int).mean(axis=1)
    assert across.max() - across.min() > 80


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size_px", SIZES)
def test_a_box_in_a_corner_keeps_its_line_and_its_label(theme: ThemeName, size_px: tuple[int, int]) -> None:
    width, height = size_px
    side = height // 3
    for x, y in ((0, 0), (width - side, 0), (0, height - side), (width - side, height - side)):
        found = one((x, y, x + side, y + side))
        drawn = draw(canvas(size_px), found, HOSTILE, Style(theme=theme, labels=False))
        color = shows(drawn, HOSTILE.color(0))
        assert color[:, x : x + side].any(axis=0).mean() > 0.9
        assert color[y : y + side].any(axis=1).mean() > 0.9
        labelled = draw(canvas(size_px), found, HOSTILE, Style(theme=theme))
        assert changed(drawn, labelled).any()


@pytest.mark.parametrize("theme", THEMES)
def test_corners_leave_the_sides_open(theme: ThemeName) -> None:
    full = changed(canvas((640, 480)), lines(Style(theme=theme)))
    corners = changed(canvas((640, 480)), lines(Style(theme=theme, box_style="corners")))
    for row, column in ((100, 200), (299, 200), (200, 100), (200, 299)):
        assert full[row, column]
        assert not corners[row, column]
    for row, column in ((100, 110), (100, 290), (299, 110), (299, 290)):
        assert corners[row, column]


@pytest.mark.parametrize("theme", THEMES)
def test_a_box_too_small_for_corners_is_drawn_whole(theme: ThemeName) -> None:
    small = one((100, 100, 112, 112))
    full, corners = (
        draw(canvas((640, 480)), small, HOSTILE, Style(theme=theme, box_style=box_style, labels=False))
        for box_style in BOX_STYLES
    )
    np.testing.assert_array_equal(full, corners)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("line_px", [1, 2, 5, 12])
def test_a_line_is_as_wide_as_was_asked(theme: ThemeName, line_px: int) -> None:
    drawn = lines(Style(theme=theme, line_px=line_px))
    assert shows(drawn, HOSTILE.color(0))[200, :200].sum() == line_px


def test_a_line_never_fills_a_small_picture() -> None:
    drawn = draw(canvas((64, 48)), one((5, 5, 60, 40)), HOSTILE, Style(line_px=64, labels=False))
    assert shows(drawn, (128, 128, 128)).mean() > 0.5


def test_themes_differ_in_the_weight_of_their_lines() -> None:
    weights = {theme: int(shows(lines(Style(theme=theme)), HOSTILE.color(0)).sum()) for theme in THEMES}
    assert weights["minimal"] < weights["default"] < weights["high-contrast"]


def test_high_contrast_has_black_and_white_on_both_sides_of_the_colour() -> None:
    row = lines(Style(theme="high-contrast"))[200, 90:115].tolist()
    black, white, color = [0, 0, 0], [255, 255, 255], list(HOSTILE.color(0))
    kinds = [kind for n, kind in enumerate(row) if n == 0 or row[n - 1] != kind]
    assert kinds == [[128] * 3, black, white, color, white, black, [128] * 3]


@pytest.mark.parametrize("class_id", range(40))
def test_letters_on_glass_have_a_contrast_of_at_least_4_5_whatever_is_below(class_id: int) -> None:
    ink = luminance(_light(HOSTILE.color(class_id)))
    assert ink >= _LIGHT
    shade = tuple(round(_OPACITY * channel + (1 - _OPACITY) * 255) for channel in GLASS)
    assert (ink + 0.05) / (luminance((shade[0], shade[1], shade[2])) + 0.05) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
class TestTracks:
    def test_the_number_is_drawn_and_can_be_hidden(self, theme: ThemeName) -> None:
        image, style = canvas((640, 480)), Style(theme=theme)
        plain = draw(image, one(), HOSTILE, style)
        tracked = draw(image, one(track=3), HOSTILE, style)
        assert changed(image, tracked).sum() > changed(image, plain).sum()
        assert not np.array_equal(tracked, draw(image, one(track=4), HOSTILE, style))
        np.testing.assert_array_equal(draw(image, one(track=3), HOSTILE, replace(style, tracks=False)), plain)

    def test_colours_are_those_of_the_class(self, theme: ThemeName) -> None:
        style = Style(theme=theme, labels=False)
        np.testing.assert_array_equal(
            draw(canvas((640, 480)), one(track=3), HOSTILE, style), draw(canvas((640, 480)), one(), HOSTILE, style)
        )

    def test_a_long_name_is_cut_before_its_number_is(self, theme: ThemeName) -> None:
        found = replace(one(track=123456), class_ids=np.array([2], np.int32))
        other = replace(found, track_ids=np.array([123457], np.int64))
        style = Style(theme=theme, conf=False)
        both = [draw(canvas((640, 480)), each, HOSTILE, style) for each in (found, other)]
        differing = changed(*both)
        assert 0 < differing.any(axis=0).sum() < 30
