"""Text as pictures: smooth at any size, kept once it was made.

It decides what a piece of text looks like and how wide it is, never where it goes. The rest of the overlay calls it.

Text is set four times too large and averaged down, because the strokes of cv2.putText cannot be thinner than a pixel;
its Hershey font (OpenCV 4) and its TrueType font (OpenCV 5) then look equally smooth, and both keep the height that
was asked for.
"""

import math
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.labels import Color
from streamer.overlay.typefaces import Mask, built_in_mask
from streamer.overlay.typesetting import typesetter

Layers = tuple[Image, Image]
"""A picture that is laid over another, two of (height, width, 3) uint8: how much of 255 of what is below shows through,
and the light that is added."""

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)

MIN_CAP_PX = 8
"""Capital letters lower than this cannot be read."""

ELLIPSIS = "..."

_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"ð": "d", "þ": "th", "ı": "i", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "·": "-", "×": "x"}
)


def ascii_text(text: str) -> str:
    """`text` in ASCII: accents are taken off, what has no like there is left out."""
    plain = unicodedata.normalize("NFKD", text.translate(_WITHOUT_DECOMPOSITION))
    return " ".join(plain.encode("ascii", "ignore").decode("ascii").split())


@lru_cache(maxsize=2048)
def drawable(text: str, font: Path | None = None) -> str:
    """`text` in the letters that there are: what no font here has is replaced by its like in ASCII, or left out.

    Raises ConfigError where `font` is none.
    """
    return ascii_text(text) if font is None and text.isascii() else typesetter(font).drawable(text, plain=ascii_text)


def cap_px(size_px: tuple[int, int]) -> int:
    """Height of a capital letter that suits an image of (width, height): 10 px on 640x480, 19 on full HD, 34 on 4K."""
    width, height = size_px
    side = min(math.sqrt(width * height), 3.0 * min(width, height))
    return max(MIN_CAP_PX, round(4.0 + 0.0105 * side))


def padding_px(cap: int) -> int:
    """What is above and below a capital letter on its line: room for the tails of g and j."""
    return max(3, round(0.42 * cap))


def line_px(cap: int) -> int:
    """Height of a line of text with capitals `cap` pixels high."""
    return cap + 2 * padding_px(cap)


@lru_cache(maxsize=2048)
def text_mask(text: str, cap: int, font: Path | None = None) -> Mask:
    """`text` on one line, `line_px(cap)` high and as wide as its ink; a space wide where it has none.

    font: a file whose letters come before those of OpenCV.
    """
    factor = 4 if cap <= 24 else 2
    above_px, below_px = (padding_px(cap) + cap) * factor, padding_px(cap) * factor
    if font is None and text.isascii():
        large = built_in_mask(text, cap * factor, above_px=above_px, below_px=below_px)
    else:
        large = typesetter(font).line(text, cap * factor, above_px=above_px, below_px=below_px)
    width = -(-large.shape[1] // factor)
    large = np.pad(large, ((0, 0), (0, width * factor - large.shape[1])))
    mask = np.asarray(cv2.resize(large, (width, line_px(cap)), interpolation=cv2.INTER_AREA), np.uint8)
    inked = np.flatnonzero(mask.max(axis=0) > 24)
    ink = mask[:, inked[0] : inked[-1] + 1].copy() if len(inked) else mask[:, : max(1, cap // 2)].copy()
    ink.setflags(write=False)
    return ink


def text_px(text: str, cap: int, font: Path | None = None) -> int:
    """Width of `text` in pixels."""
    return int(text_mask(text, cap, font).shape[1])


@lru_cache(maxsize=1024)
def fitted(text: str, cap: int, width_px: int, font: Path | None = None) -> str:
    """`text`, cut with an ellipsis where it is wider than `width_px`; empty where not one letter of it fits."""
    if text_px(text, cap, font) <= width_px:
        return text

    def cut_px(end: int) -> int:
        return text_px(text[:end].rstrip() + ELLIPSIS, cap, font)

    kept = bisect_right(range(1, len(text)), width_px, key=cut_px)
    return text[:kept].rstrip() + ELLIPSIS if kept else ""


def tile(text: str, cap: int, ink: Color, paper: Color, font: Path | None = None) -> Image:
    """`text` in one colour on another."""
    return np.take(_ramp(ink, paper), text_mask(text, cap, font), axis=0)


def write(image: Image, text: str, at_px: tuple[int, int], cap: int, ink: Color) -> None:
    """Set `text` on `image` itself with the upper left corner of its line at (x, y); what lies outside is left out."""
    if text:
        lay(image, at_px, _written(text, cap, ink))


def lay(image: Image, at_px: tuple[int, int], layers: Layers) -> None:
    """Lay a picture over `image` itself at (x, y), both 0 or more; what lies outside the image is left out."""
    x, y = at_px
    through, light = layers
    paper = image[y : y + through.shape[0], x : x + through.shape[1]]
    if paper.size:
        height, width = paper.shape[:2]
        paper[:] = cv2.add(cv2.multiply(paper, through[:height, :width], scale=1 / 255), light[:height, :width])


def inked(mask: Mask, ink: Color) -> Layers:
    """The mask's letters in one colour, and nothing around them."""
    return np.repeat(255 - mask[:, :, None], 3, axis=2), np.take(_ramp(ink, BLACK), mask, axis=0)


@lru_cache(maxsize=512)
def contrasting(color: Color) -> Color:
    """Black or white, whichever is easier to read on `color`.

    The larger contrast ratio of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio: black where the relative
    luminance is above sqrt(1.05 * 0.05) - 0.05.
    """
    return BLACK if luminance(color) > 0.1791 else WHITE


def luminance(color: Color) -> float:
    """The relative luminance of WCAG 2.2, 0 to 1."""
    blue, green, red = (_linear(channel / 255) for channel in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


@lru_cache(maxsize=128)
def _ramp(ink: Color, paper: Color) -> NDArray[np.uint8]:
    share = np.arange(256)[:, None] / 255
    return np.asarray(np.rint(share * np.array(ink) + (1 - share) * np.array(paper)), np.uint8)


@lru_cache(maxsize=512)
def _written(text: str, cap: int, ink: Color) -> Layers:
    return inked(text_mask(text, cap), ink)
