"""Text as pictures: OpenCV's own font, smooth at any size, kept once it was made.

It decides what a piece of text looks like and how wide it is, never where it goes. The rest of the overlay calls it.

Text is set four times too large and averaged down, because the strokes of cv2.putText cannot be thinner than a pixel;
its Hershey font (OpenCV 4) and its TrueType font (OpenCV 5) then look equally smooth, and both keep the height that
was asked for.
"""

import math
import unicodedata
from bisect import bisect_right
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.labels import Color

Mask = NDArray[np.uint8]
"""(height, width) uint8: 0 where the paper shows, 255 where the ink covers."""

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)

MIN_CAP_PX = 8
"""Capital letters lower than this cannot be read."""

ELLIPSIS = "..."

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_STROKE = 0.13
_HERSHEY_CAP = 21
_PROBE_SCALE = 4.0
_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"ð": "d", "þ": "th", "ı": "i", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "·": "-", "×": "x"}
)


def ascii_text(text: str) -> str:
    """`text` in the letters that the font has: accents are taken off, what has no like in ASCII is left out."""
    plain = unicodedata.normalize("NFKD", text.translate(_WITHOUT_DECOMPOSITION))
    return " ".join(plain.encode("ascii", "ignore").decode("ascii").split())


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
def text_mask(text: str, cap: int) -> Mask:
    """`text` on one line, `line_px(cap)` high and as wide as its ink; a space wide where it has none."""
    factor = 4 if cap <= 24 else 2
    scale = cap * factor / _cap_px_per_scale()
    stroke = max(1, round(_STROKE * cap * factor))
    margin = cap * factor
    width = cv2.getTextSize(text, _FONT, scale, stroke)[0][0] + 2 * margin
    large = np.zeros((line_px(cap) * factor, -(-width // factor) * factor), np.uint8)
    baseline = (padding_px(cap) + cap) * factor
    cv2.putText(large, text, (margin, baseline), _FONT, scale, 255, stroke, cv2.LINE_AA)
    size_px = (large.shape[1] // factor, large.shape[0] // factor)
    mask = np.asarray(cv2.resize(large, size_px, interpolation=cv2.INTER_AREA), np.uint8)
    inked = np.flatnonzero(mask.max(axis=0) > 24)
    ink = mask[:, inked[0] : inked[-1] + 1].copy() if len(inked) else mask[:, : max(1, cap // 2)].copy()
    ink.setflags(write=False)
    return ink


def text_px(text: str, cap: int) -> int:
    """Width of `text` in pixels."""
    return int(text_mask(text, cap).shape[1])


@lru_cache(maxsize=1024)
def fitted(text: str, cap: int, width_px: int) -> str:
    """`text`, cut with an ellipsis where it is wider than `width_px`; empty where not one letter of it fits."""
    if text_px(text, cap) <= width_px:
        return text
    kept = bisect_right(range(1, len(text)), width_px, key=lambda end: text_px(text[:end].rstrip() + ELLIPSIS, cap))
    return text[:kept].rstrip() + ELLIPSIS if kept else ""


def tile(text: str, cap: int, ink: Color, paper: Color) -> Image:
    """`text` in one colour on another."""
    return np.take(_ramp(ink, paper), text_mask(text, cap), axis=0)


def write(image: Image, text: str, at_px: tuple[int, int], cap: int, ink: Color) -> None:
    """Set `text` on `image` itself with the upper left corner of its line at (x, y); what lies outside is left out."""
    if text:
        blend(image, at_px, *_layers(text, cap, ink))


def blend(image: Image, at_px: tuple[int, int], through: Image, light: Image) -> None:
    """Lay a picture over `image` itself at (x, y), both 0 or more: `through` of 255 of it shows, and `light` is added.

    through, light: (height, width, 3) uint8 of one size; what lies outside the image is left out.
    """
    x, y = at_px
    paper = image[y : y + through.shape[0], x : x + through.shape[1]]
    if paper.size:
        height, width = paper.shape[:2]
        paper[:] = cv2.add(cv2.multiply(paper, through[:height, :width], scale=1 / 255), light[:height, :width])


@lru_cache(maxsize=512)
def contrasting(color: Color) -> Color:
    """Black or white, whichever is easier to read on `color`.

    The larger contrast ratio of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio: black where the relative
    luminance is above sqrt(1.05 * 0.05) - 0.05.
    """
    blue, green, red = (_linear(channel / 255) for channel in color)
    return BLACK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.1791 else WHITE


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


@lru_cache(maxsize=1)
def _cap_px_per_scale() -> float:
    """Measured, stroke included, because cv2.getTextSize gives the height of the line and not of the letter."""
    probe = np.zeros((256, 256), np.uint8)
    stroke = round(_STROKE * _HERSHEY_CAP * _PROBE_SCALE)
    cv2.putText(probe, "H", (64, 192), _FONT, _PROBE_SCALE, 255, stroke, cv2.LINE_AA)
    height = int(np.count_nonzero((probe > 127).any(axis=1)))
    return height / _PROBE_SCALE


@lru_cache(maxsize=128)
def _ramp(ink: Color, paper: Color) -> NDArray[np.uint8]:
    share = np.arange(256)[:, None] / 255
    return np.asarray(np.rint(share * np.array(ink) + (1 - share) * np.array(paper)), np.uint8)


@lru_cache(maxsize=512)
def _layers(text: str, cap: int, ink: Color) -> tuple[Image, Image]:
    """How much of the paper shows through, and the ink's own light, both (height, width, 3)."""
    mask = text_mask(text, cap)
    return np.repeat(255 - mask[:, :, None], 3, axis=2), tile(text, cap, ink, BLACK)
