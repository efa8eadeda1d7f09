"""The test pattern: colour bars, a clock-like disc and a ball that move, and the frame's number in its own pixels.

The number stands along the lower edge as a row of black and white blocks with the same row inverted below it: 22 bits
and two of parity, each read as a difference of two blocks, so that neither compression nor scaling nor a change of
brightness turns one over.
"""

import math

import cv2
import numpy as np

from streamer.frame import Image

_NUMBER_BITS = 22
_BLOCKS = _NUMBER_BITS + 2
_EVEN_BITS = 0x155555
_ODD_BITS = 0x2AAAAA

_ROW_SHARE = 1 / 16
"""Height of one of the two rows of blocks, as a part of the picture's."""

_LEAST_CONTRAST = 64
"""Of 255: two blocks that differ by less carry no bit."""

_BARS = ((192, 192, 192), (0, 192, 192), (192, 192, 0), (0, 192, 0), (192, 0, 192), (0, 0, 192), (192, 0, 0))
"""White, yellow, cyan, green, magenta, red and blue at three quarters, blue-green-red, as in SMPTE's colour bars."""


class Pattern:
    """Draws the frames of one size.

    size_px: (width, height). fps: makes the shapes move at the same speed at every rate. seed: where they begin.
    """

    def __init__(self, size_px: tuple[int, int], *, fps: float, seed: int = 0) -> None:
        self._width, self._height = size_px
        self._fps = fps
        self._phases = np.random.default_rng(seed).uniform(0, math.tau, 4)
        self._background = _background(self._width, self._height)

    def draw(self, index: int) -> Image:
        """(height, width, 3) uint8 BGR: the picture of frame `index`."""
        image = self._background.copy()
        time_s = index / self._fps
        self._draw_disc(image, time_s)
        self._draw_ball(image, time_s)
        self._draw_number(image, index)
        return image

    def black(self) -> Image:
        """(height, width, 3) uint8: nothing to be seen, no number either."""
        return np.zeros_like(self._background)

    def _draw_disc(self, image: Image, time_s: float) -> None:
        """A dial whose hand turns once in four seconds."""
        radius = min(self._width, self._height) // 8
        center = self._width * 3 // 4, self._height // 2
        angle = math.tau * time_s / 4 + self._phases[0]
        tip = round(center[0] + radius * math.sin(angle)), round(center[1] - radius * math.cos(angle))
        cv2.circle(image, center, radius, (32, 32, 32), cv2.FILLED)
        cv2.line(image, center, tip, (255, 255, 255), max(1, radius // 10))

    def _draw_ball(self, image: Image, time_s: float) -> None:
        """A ball on a path that does not repeat soon."""
        radius = max(2, min(self._width, self._height) // 12)
        x = self._width * (0.5 + 0.4 * math.sin(1.1 * time_s + self._phases[1]))
        y = self._height * (0.4 + 0.3 * math.sin(1.7 * time_s + self._phases[2]))
        cv2.circle(image, (round(x), round(y)), radius, (0, 96, 255), cv2.FILLED)
        cv2.circle(image, (round(x), round(y)), radius, (255, 255, 255), max(1, radius // 8))

    def _draw_number(self, image: Image, index: int) -> None:
        bits = np.array([_code(index) >> place & 1 for place in range(_BLOCKS)], np.uint8)
        row = np.repeat(bits * 255, np.diff(_block_edges(self._width)))[:, np.newaxis]
        top, middle = _row_edges(self._height)
        image[top:middle] = row
        image[middle:] = 255 - row


def read_frame_number(image: Image) -> int | None:
    """The number of the frame that a test pattern shows, modulo 4,194,304; None where none can be read.

    image: (height, width, 3) uint8 BGR, the whole picture, of any size from 160x120, compressed or scaled as it may be.
    """
    height, width = image.shape[:2]
    if width < 2 * _BLOCKS or height < 24:
        return None
    top, middle = _row_edges(height)
    difference = _block_means(image[top:middle]) - _block_means(image[middle:])
    if np.abs(difference).min() < _LEAST_CONTRAST:
        return None
    code = sum(1 << place for place in range(_BLOCKS) if difference[place] > 0)
    number = code & ((1 << _NUMBER_BITS) - 1)
    return number if code == _code(number) else None


def _code(index: int) -> int:
    """The number's bits, and above them the parity of its even and of its odd places."""
    number = index % (1 << _NUMBER_BITS)
    even, odd = (number & _EVEN_BITS).bit_count() & 1, (number & _ODD_BITS).bit_count() & 1
    return number | even << _NUMBER_BITS | odd << (_NUMBER_BITS + 1)


def _block_edges(width: int) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    return np.arange(_BLOCKS + 1) * width // _BLOCKS


def _row_edges(height: int) -> tuple[int, int]:
    """Where the upper row begins and the lower one."""
    return height - 2 * max(1, round(height * _ROW_SHARE)), height - max(1, round(height * _ROW_SHARE))


def _block_means(rows: Image) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """The brightness of the middle of each block of one row, where its neighbours do not reach."""
    margin = rows.shape[0] // 4
    columns = rows[margin : rows.shape[0] - margin].mean(axis=(0, 2))
    edges = _block_edges(rows.shape[1])
    inset = np.diff(edges) // 4
    return np.array([columns[a:b].mean() for a, b in zip(edges[:-1] + inset, edges[1:] - inset, strict=True)])


def _background(width: int, height: int) -> Image:
    """Seven bars of colour above, a ramp from black to white below."""
    bars = np.array(_BARS, np.uint8)[np.arange(width) * len(_BARS) // width]
    ramp = np.repeat(np.linspace(0, 255, width).astype(np.uint8)[:, np.newaxis], 3, axis=1)
    image = np.empty((height, width, 3), np.uint8)
    image[: height * 2 // 3] = bars
    image[height * 2 // 3 :] = ramp
    return image
