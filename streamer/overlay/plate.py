"""The dark glass that the panel and the list of keys stand on."""

from functools import lru_cache

import cv2
import numpy as np

from streamer.frame import Image
from streamer.labels import Color
from streamer.overlay.lettering import Layers, lay
from streamer.overlay.typefaces import Mask

GLASS: Color = (30, 24, 20)
_OPACITY = 0.9
_FACTOR = 4


def draw_plate(
    image: Image, box: tuple[int, int, int, int], *, radius: int, color: Color = GLASS, opacity: float = _OPACITY
) -> None:
    """Lay a rectangle with round corners over `image` itself.

    box: x1 y1 x2 y2 in pixels, x1 and y1 0 or more; what lies outside the image is left out. radius: in pixels.
    """
    x1, y1, x2, y2 = box
    lay(image, (x1, y1), _layers(x2 - x1, y2 - y1, radius, color, opacity))


def on_glass(mask: Mask, ink: Color, *, opacity: float = _OPACITY) -> Layers:
    """The mask's letters in one colour on a rectangle of the glass."""
    inked = mask[:, :, None] / 255
    light = opacity * (1 - inked) * np.array(GLASS) + inked * np.array(ink)
    through = np.repeat((1 - opacity) * (1 - inked), 3, axis=2)
    return np.rint(255 * through).astype(np.uint8), np.rint(light).astype(np.uint8)


@lru_cache(maxsize=8)
def _layers(width: int, height: int, radius: int, color: Color, opacity: float) -> Layers:
    radius = min(radius, width // 2, height // 2)
    shape = np.full((height, width), 255, np.uint8)
    if radius > 0:
        disc = np.zeros((2 * radius * _FACTOR, 2 * radius * _FACTOR), np.uint8)
        cv2.circle(disc, (radius * _FACTOR, radius * _FACTOR), radius * _FACTOR, 255, cv2.FILLED)
        corners = cv2.resize(disc, (2 * radius, 2 * radius), interpolation=cv2.INTER_AREA)
        for rows in (slice(None, radius), slice(-radius, None)):
            for columns in (slice(None, radius), slice(-radius, None)):
                shape[rows, columns] = corners[rows, columns]
    cover = shape[:, :, None] * (opacity / 255)
    through = np.repeat(np.rint(255 * (1 - cover)), 3, axis=2)
    return through.astype(np.uint8), np.rint(cover * np.array(color)).astype(np.uint8)
