"""Where the shapes of letters come from: OpenCV's built-in font, and font files, shaped by HarfBuzz.

A face says which letters it has and turns a run of them, all in one direction, into ink. Which face takes which letters
is decided in typesetting.py.

OpenCV 5 has the scripts whose letters just stand side by side (Latin, Cyrillic, Greek, Hebrew, Chinese, Japanese,
Korean), and sets question marks for the others; OpenCV 4 has ASCII. Neither joins letters, as Arabic and Hindi want it.
"""

import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
"""(height, width) uint8: 0 where the paper shows, 255 where the ink covers."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_STROKE = 0.13
_HERSHEY_CAP = 21
_PROBE_SCALE = 4.0

_SIDE_BY_SIDE = frozenset(
    (
        *("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW"),
        *("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "FULLWIDTH", "HALFWIDTH"),
    )
)
"""First words of the names of characters that need no shaping: each looks the same whatever stands beside it."""

_LIGHT_IN_OPENCV = frozenset(("GREEK", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"))
"""Scripts that its bold font lacks: they come from another one, whose strokes look faint beside it."""

_FATTER = 0.06
"""By how much those strokes are made wider, as a share of the height of a capital letter."""

_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")

_CAP_PER_EM = 0.714
"""Height of a capital letter where a font has none."""

_BOLD_PER_EM = 0.02
"""Font files are a little fattened: beside OpenCV's bold letters, regular ones look faint on a picture."""

_UNITS_PER_PX = 64
_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """A run of letters.

    left, top: the mask's upper left corner, from where the pen begins on the baseline; y goes down.
    advance: how far the pen goes on to the right. All in pixels.
    """

    mask: Mask
    left: int
    top: int
    advance: int


class Face(Protocol):
    """Letters of one make."""

    def has(self, cluster: str) -> bool:
        """Whether it can draw a letter with its marks truly."""

    def ink(self, run: str, cap: int, *, right_to_left: bool) -> Ink:
        """`run`, in reading order, with capital letters `cap` pixels high."""


class BuiltIn:
    """The font inside OpenCV."""

    @staticmethod
    def has(cluster: str) -> bool:
        return cluster.isascii() or all(map(_opencv_has, cluster))

    @staticmethod
    def ink(run: str, cap: int, *, right_to_left: bool) -> Ink:
        if right_to_left:
            run = run[::-1].translate(_MIRRORED)
        mask = built_in_mask(run, cap, above_px=2 * cap, below_px=cap)
        if any(script(character) in _LIGHT_IN_OPENCV for character in run):
            reach = max(1, round(_FATTER * cap))
            mask = np.asarray(cv2.dilate(mask, np.ones((reach, reach), np.uint8)), np.uint8)
        return Ink(mask, -cap, -2 * cap, mask.shape[1] - 2 * cap)


def built_in_mask(text: str, cap: int, *, above_px: int, below_px: int) -> Mask:
    """`text` in OpenCV's font, `cap` pixels from the left, with its baseline `above_px` from the top."""
    scale = cap / _cap_px_per_scale()
    stroke = max(1, round(_STROKE * cap))
    width = cv2.getTextSize(text, _FONT, scale, stroke)[0][0] + 2 * cap
    mask = np.zeros((above_px + below_px, width), np.uint8)
    cv2.putText(mask, text, (cap, above_px), _FONT, scale, 255, stroke, cv2.LINE_AA)
    return mask


class Outlines:
    """A font file, by HarfBuzz: it shapes the letters, and fills their outlines.

    Fonts whose letters are pictures (those of coloured emoji) have no outlines, and so no letters here.
    """

    def __init__(self, path: Path, index: int = 0) -> None:
        """path, index: a file, and which of its fonts. Raises OSError, and ValueError for a file that is no font."""
        import uharfbuzz  # noqa: PLC0415 - seldom wanted: English labels come from OpenCV

        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
        self._hb: Any = uharfbuzz
        try:
            face = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(path)), index)
        except uharfbuzz.HarfBuzzError as error:
            raise ValueError(f"is no font: {error}") from error
        self._letters: Any = face.unicodes
        if not len(self._letters):
            raise ValueError("is no font, or one without letters")
        self._font: Any = uharfbuzz.Font(face)
        self._em = int(face.upem)
        self._font.scale = (self._em, self._em)
        self._font.synthetic_bold = (_BOLD_PER_EM, _BOLD_PER_EM, False)

    def has(self, cluster: str) -> bool:
        shown = [character for character in cluster if character not in _VARIATION_SELECTORS]
        return all(ord(character) in self._letters for character in shown) and all(map(self._has_outline, shown))

    def ink(self, run: str, cap: int, *, right_to_left: bool) -> Ink:
        units = self._cap_units / cap
        pen = self._hb.RasterDraw()
        pen.scale_factor = (units, units)
        x = 0
        for glyph, position in self._shaped(run, right_to_left=right_to_left):
            pen.transform = (1, 0, 0, 1, x + position.x_offset, position.y_offset)
            pen.draw_glyph(self._font, glyph.codepoint)
            x += position.x_advance
        drawn = pen.render()
        if drawn is None or not drawn.buffer:
            return Ink(np.zeros((1, 1), np.uint8), 0, 0, round(x / units))
        extents = drawn.extents
        upwards = np.frombuffer(drawn.buffer, np.uint8).reshape(extents.height, extents.stride)
        top = -(extents.y_origin + extents.height)
        return Ink(upwards[::-1, : extents.width], extents.x_origin, top, round(x / units))

    def _shaped(self, run: str, *, right_to_left: bool) -> list[tuple[Any, Any]]:
        buffer = self._hb.Buffer()
        buffer.add_str(run)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if right_to_left else "ltr"
        self._hb.shape(self._font, buffer, {})
        return list(zip(buffer.glyph_infos, buffer.glyph_positions, strict=True))

    def _has_outline(self, character: str) -> bool:
        if character.isspace():
            return True
        glyph = self._font.get_nominal_glyph(ord(character))
        extents = None if glyph is None else self._font.get_glyph_extents(glyph)
        return extents is not None and self._hb.RasterDraw().draw_glyph_or_fail(self._font, glyph)

    @cached_property
    def _cap_units(self) -> float:
        glyph = self._font.get_nominal_glyph(ord("H"))
        extents = None if glyph is None else self._font.get_glyph_extents(glyph)
        return float(extents.y_bearing) if extents is not None and extents.y_bearing > 0 else _CAP_PER_EM * self._em


def script(character: str) -> str:
    """The script of a letter, as the first word of its Unicode name; empty for what belongs to any."""
    if unicodedata.category(character)[0] != "L":
        return ""
    return unicodedata.name(character, "").partition(" ")[0]


def _opencv_has(character: str) -> bool:
    category = unicodedata.category(character)
    if category[0] in "MC" or (category[0] == "L" and script(character) not in _SIDE_BY_SIDE):
        return False
    return character.isspace() or not _is_missing(character)


@lru_cache(maxsize=4096)
def _is_missing(character: str) -> bool:
    """OpenCV 5 sets one question mark for a letter that it lacks, OpenCV 4 one for each byte of it in UTF-8."""
    drawn = _probe(character)
    return any(np.array_equal(drawn, _probe("?" * count)) for count in range(1, 5))


def _probe(text: str) -> Mask:
    return built_in_mask(text, 16, above_px=32, below_px=16)


@lru_cache(maxsize=1)
def _cap_px_per_scale() -> float:
    """Measured, stroke included, because cv2.getTextSize gives the height of the line and not of the letter."""
    probe = np.zeros((256, 256), np.uint8)
    stroke = round(_STROKE * _HERSHEY_CAP * _PROBE_SCALE)
    cv2.putText(probe, "H", (64, 192), _FONT, _PROBE_SCALE, 255, stroke, cv2.LINE_AA)
    height = int(np.count_nonzero((probe > 127).any(axis=1)))
    return height / _PROBE_SCALE
