"""The label of one box as a picture: name, number of the track, score. Where it goes is found in placement.py."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from streamer.frame import Image
from streamer.labels import Color
from streamer.overlay.lettering import (
    BLACK,
    WHITE,
    Layers,
    contrasting,
    lay,
    line_px,
    luminance,
    text_mask,
    text_px,
    tile,
)
from streamer.overlay.plate import on_glass
from streamer.overlay.themes import Paper

_OPACITY = 0.85
_LIGHT = 0.45
"""Relative luminance of letters on glass: a contrast of 4.5 with the glass where it lies on white."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One label in its class colour.

    track, score: empty where they are not shown. The score is left out where there is no room for it.
    """

    name: str
    track: str
    score: str
    color: Color
    cap: int
    paper: Paper = "class"
    font: Path | None = None

    @property
    def pad_px(self) -> int:
        """Between the edge and the letters."""
        return max(3, round(0.4 * self.cap))

    @property
    def gap_px(self) -> int:
        """Between two words."""
        return round(0.5 * self.cap)

    @property
    def stripe_px(self) -> int:
        """Width of the class colour beside letters that stand on black; a line of it goes round them."""
        return max(3, round(0.4 * self.cap)) if self.paper == "black" else 0

    def width_px(self, *, short: bool) -> int:
        """Width of the label."""
        pieces = [text_px(piece, self.cap, self.font) for piece in self.pieces(short=short)]
        return self.stripe_px + 2 * self.pad_px + sum(pieces) + self.gap_px * (len(pieces) - 1)

    def pieces(self, *, short: bool) -> list[str]:
        """The words, from left to right."""
        return [piece for piece in (self.name, self.track, "" if short and self.name else self.score) if piece]

    def draw(self, canvas: Image, x: int, y: int, *, short: bool) -> None:
        """Lay it on `canvas` itself, where it must fit, with its upper left corner at (x, y)."""
        if self.paper == "glass":
            lay(canvas, (x, y), _layers(self, short=short))
            return
        plate = _plate(self, short=short)
        canvas[y : y + plate.shape[0], x : x + plate.shape[1]] = plate


@lru_cache(maxsize=1024)
def _plate(tag: Tag, *, short: bool) -> Image:
    """The label as it is laid on the image."""
    paper = tag.color if tag.paper == "class" else BLACK
    plate = np.full((line_px(tag.cap), tag.width_px(short=short), 3), paper, np.uint8)
    at = tag.stripe_px + tag.pad_px
    for piece in tag.pieces(short=short):
        lettering = tile(piece, tag.cap, contrasting(paper), paper, tag.font)
        plate[:, at : at + lettering.shape[1]] = lettering
        at += lettering.shape[1] + tag.gap_px
    if tag.stripe_px:
        cv2.rectangle(plate, (0, 0), (plate.shape[1] - 1, plate.shape[0] - 1), tag.color)
        plate[:, : tag.stripe_px] = tag.color
    plate.setflags(write=False)
    return plate


@lru_cache(maxsize=1024)
def _layers(tag: Tag, *, short: bool) -> Layers:
    """The label on dark glass, its letters in a light tone of the class colour."""
    mask = np.zeros((line_px(tag.cap), tag.width_px(short=short)), np.uint8)
    at = tag.pad_px
    for piece in tag.pieces(short=short):
        letters = text_mask(piece, tag.cap, tag.font)
        mask[:, at : at + letters.shape[1]] = letters
        at += letters.shape[1] + tag.gap_px
    return on_glass(mask, _light(tag.color), opacity=_OPACITY)


def _light(color: Color) -> Color:
    """The colour, with as much white in it as it takes to be read on what is dark."""
    share = 0.0
    while luminance(lightened := _mixed(color, WHITE, share)) < _LIGHT:
        share += 0.1
    return lightened


def _mixed(color: Color, other: Color, share: float) -> Color:
    blue, green, red = (round((1 - share) * one + share * two) for one, two in zip(color, other, strict=True))
    return blue, green, red
