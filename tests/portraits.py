"""Drawn people: what a detector of faces finds, without a photograph of anybody.

Drawn large and made small at the end, so that every line is smooth.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.labels import Color

GRID = 480
"""All places are in a square of this side."""

FACE = (148, 100, 332, 340)
"""x1 y1 x2 y2 of the face, without hair, in that square."""

_ENLARGED = 4
_UPRIGHT = (0, 360)


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks; colours are blue-green-red."""

    skin: Color = (140, 170, 215)
    hair: Color = (40, 50, 70)
    shirt: Color = (120, 80, 50)
    background: Color = (190, 180, 170)
    long_hair: bool = False
    beard: bool = False
    glasses: bool = False
    mask: bool = False


LOOKS = (
    Look(),
    Look(skin=(60, 85, 130), hair=(20, 22, 28), shirt=(60, 140, 200), background=(150, 165, 150), beard=True),
    Look(skin=(165, 195, 235), hair=(60, 120, 190), shirt=(90, 60, 130), background=(120, 140, 160), long_hair=True),
    Look(skin=(95, 130, 180), hair=(25, 30, 40), shirt=(80, 120, 70), background=(200, 195, 190), glasses=True),
)


class _Canvas:
    """A square picture whose places are those of GRID."""

    def __init__(self, background: Color) -> None:
        side = GRID * _ENLARGED
        self.image: Image = np.full((side, side, 3), background, np.uint8)

    def ellipse(
        self,
        centre: tuple[int, int],
        radii: tuple[int, int],
        color: Color,
        *,
        turn: int = 0,
        arc: tuple[int, int] = _UPRIGHT,
        line: int | None = None,
    ) -> None:
        """Filled, or a line of that width."""
        x, y = (value * _ENLARGED for value in centre)
        across, down = (value * _ENLARGED for value in radii)
        width = cv2.FILLED if line is None else line * _ENLARGED
        cv2.ellipse(self.image, (x, y), (across, down), turn, *arc, color, width, cv2.LINE_AA)

    def line(self, start: tuple[int, int], end: tuple[int, int], color: Color, width: int) -> None:
        ends = [(x * _ENLARGED, y * _ENLARGED) for x, y in (start, end)]
        cv2.line(self.image, ends[0], ends[1], color, width * _ENLARGED, cv2.LINE_AA)

    def shade(
        self, centre: tuple[int, int], radii: tuple[int, int], inside: tuple[tuple[int, int], tuple[int, int]]
    ) -> None:
        """Darken softly, within an ellipse."""
        side = self.image.shape[0]
        shadow, mask = np.zeros((side, side), np.float32), np.zeros((side, side), np.uint8)
        for canvas, (middle, size) in ((shadow, (centre, radii)), (mask, inside)):
            place, reach = [(x * _ENLARGED, y * _ENLARGED) for x, y in (middle, size)]
            cv2.ellipse(canvas, place, reach, 0, *_UPRIGHT, 1, cv2.FILLED)
        soft = cv2.GaussianBlur(shadow, (0, 0), 20 * _ENLARGED) * mask
        self.image = (self.image * (1 - 0.25 * soft[..., None])).astype(np.uint8)

    def smaller(self, side_px: int) -> Image:
        small = cv2.resize(self.image, (side_px, side_px), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)


def portrait(look: Look = LOOKS[0], *, side_px: int = GRID, seed: int = 0) -> Image:
    """Head and shoulders, seen from the front, as a square picture with a camera's blur and noise."""
    canvas = _Canvas(look.background)
    _draw_head(canvas, look)
    for x in (200, 280):
        _draw_eye(canvas, look, x)
    _draw_nose_and_mouth(canvas, look)
    if look.glasses:
        _draw_glasses(canvas)
    if look.mask:
        canvas.ellipse((240, 290), (88, 62), (200, 190, 150))
    image = cv2.GaussianBlur(canvas.smaller(side_px), (0, 0), 0.8)
    noise = np.random.default_rng(seed).normal(0, 4, image.shape)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


def face_box(left: int, top: int, side_px: int) -> NDArray[np.float64]:
    """x1 y1 x2 y2 of the face of a portrait that lies there."""
    return np.array(FACE) * side_px / GRID + (left, top, left, top)


def _darker(color: Color, share: float) -> Color:
    blue, green, red = (int(value * share) for value in color)
    return blue, green, red


def _draw_head(canvas: _Canvas, look: Look) -> None:
    dim = _darker(look.skin, 0.85)
    if look.long_hair:
        canvas.ellipse((240, 290), (125, 190), look.hair)
    canvas.ellipse((240, 520), (190, 170), look.shirt, arc=(180, 360))
    canvas.line((240, 320), (240, 372), dim, 70)
    canvas.ellipse((240, 190), (108, 135), look.hair)
    for x in (145, 335):
        canvas.ellipse((x, 225), (14, 26), dim)
    canvas.ellipse((240, 220), (92, 120), look.skin)
    if look.beard:
        canvas.ellipse((240, 290), (80, 52), look.hair, arc=(0, 180))
        canvas.ellipse((240, 276), (44, 12), look.hair)
    canvas.ellipse((240, 130), (100, 55), look.hair, arc=(180, 360))
    canvas.ellipse((215, 128), (80, 26), look.hair, turn=-10)
    canvas.shade((300, 235), (40, 105), ((240, 220), (92, 120)))


def _draw_eye(canvas: _Canvas, look: Look, x: int) -> None:
    canvas.ellipse((x, 212), (21, 11), (245, 245, 245))
    canvas.ellipse((x, 212), (10, 10), (60, 80, 90))
    canvas.ellipse((x, 212), (5, 5), (10, 10, 10))
    canvas.ellipse((x + 3, 209), (2, 2), (255, 255, 255))
    canvas.ellipse((x, 212), (22, 12), (30, 40, 60), arc=(185, 355), line=4)
    canvas.ellipse((x, 196), (28, 12), look.hair, arc=(200, 340), line=7)


def _draw_nose_and_mouth(canvas: _Canvas, look: Look) -> None:
    canvas.ellipse((240, 262), (17, 9), _darker(look.skin, 0.75), arc=(10, 170), line=4)
    canvas.line((234, 215), (228, 255), _darker(look.skin, 0.88), 4)
    canvas.ellipse((240, 292), (33, 13), (95, 95, 185))
    canvas.line((208, 291), (272, 291), (60, 60, 120), 3)


def _draw_glasses(canvas: _Canvas) -> None:
    for x in (200, 280):
        canvas.ellipse((x, 214), (33, 26), (30, 30, 35), line=4)
    canvas.line((233, 212), (247, 212), (30, 30, 35), 4)
