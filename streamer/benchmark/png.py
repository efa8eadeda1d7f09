"""A drawing as pixels, two for each unit, in the lettering of the overlay."""

import cv2
import numpy as np

from streamer.benchmark.timeline import Box, Drawing, Words
from streamer.frame import Image
from streamer.labels import Color
from streamer.overlay.lettering import padding_px, text_px, write

_SCALE = 2


def picture(drawing: Drawing) -> Image:
    """(height, width, 3) uint8 BGR, on white."""
    image = np.full((round(drawing.height * _SCALE), round(drawing.width * _SCALE), 3), 255, np.uint8)
    for box in drawing.boxes:
        _fill(image, box)
    for words in drawing.words:
        _write(image, words)
    return image


def _fill(image: Image, box: Box) -> None:
    x1, y1 = round(box.x * _SCALE), round(box.y * _SCALE)
    x2 = max(x1 + 1, round((box.x + box.width) * _SCALE))
    y2 = max(y1 + 1, round((box.y + box.height) * _SCALE))
    cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), _bgr(box.color), cv2.FILLED)


def _write(image: Image, words: Words) -> None:
    cap = round(words.cap * _SCALE)
    share = {"start": 0.0, "middle": 0.5, "end": 1.0}[words.anchor]
    x = round(words.x * _SCALE - share * text_px(words.text, cap))
    y = round(words.y * _SCALE) - cap - padding_px(cap)
    write(image, words.text, (max(0, x), max(0, y)), cap, _bgr(words.color))


def _bgr(color: str) -> Color:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red
