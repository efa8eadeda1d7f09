"""Drawn pictures of nothing: discs, rings, colour wheels, balls, bars, letters.

Photographs without people show rooms, streets and animals. Few show one large round thing, and to a network that has
seen tight portraits and no such pictures, a coffee cup or a logo is a face.
"""

import colorsys
import math
from collections.abc import Callable

import cv2
import numpy as np

from train_detector.data import Image, Labels, Sample

LONGER_SIDE_PX = 320
SHORTEST_SIDE_PX = 200
MOST_THINGS = 6
PLAIN_SHARE = 0.3
"""Of the pictures, that show one colour and no thing: without them the dark was a person."""

_LETTERS = "ABCDEFGHKLMNPRSTUVWXYZ0123456789"

Place = tuple[int, int]
Colour = tuple[float, float, float]
Thing = Callable[[np.random.Generator, Image, Place, float], None]
"""Draws itself on the picture at a place (x, y), with a radius in pixels."""


def draw_nothing(rng: np.random.Generator) -> Sample:
    """A picture without anybody on it, of the photographs' size: a ground, often one large thing, and small ones."""
    size = [LONGER_SIDE_PX, int(rng.integers(SHORTEST_SIDE_PX, LONGER_SIDE_PX + 1))]
    height, width = rng.permutation(size).tolist()
    if rng.random() < PLAIN_SHARE:
        return _nothing_on(_plain(rng, height, width))
    image = _ground(rng, height, width)
    if rng.random() < 0.6:
        centre = (int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.35, 0.65)))
        _any_thing(rng)(rng, image, centre, rng.uniform(0.2, 0.6) * min(size))
    for _ in range(int(rng.integers(0, MOST_THINGS + 1))):
        place = (int(rng.integers(width)), int(rng.integers(height)))
        _any_thing(rng)(rng, image, place, rng.uniform(0.03, 0.25) * min(size))
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.5)), np.uint8)
    return _nothing_on(image)


def _nothing_on(image: Image) -> Sample:
    return Sample(image, Labels(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.bool_)))


def _plain(rng: np.random.Generator, height: int, width: int) -> Image:
    """One colour, dark more often than not: a covered camera, a wall, the night."""
    colour = np.array(_colour(rng)) * rng.random() ** 2
    noise = rng.normal(0, rng.uniform(0, 6), (height, width, 1))
    return np.clip(colour + noise, 0, 255).astype(np.uint8)


def _any_thing(rng: np.random.Generator) -> Thing:
    return THINGS[int(rng.integers(len(THINGS)))]


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), rng.random() ** 1.5, rng.uniform(0.05, 1.0))
    return 255 * red, 255 * green, 255 * blue


def _ground(rng: np.random.Generator, height: int, width: int) -> Image:
    """One colour, or two that run into each other, with a texture of any coarseness."""
    start, end = np.array(_colour(rng)), np.array(_colour(rng))
    if rng.random() < 0.5:
        end = start
    angle = rng.uniform(0, math.tau)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / LONGER_SIDE_PX
    share = np.clip(0.5 + (x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle), 0, 1)[..., None]
    coarse = cv2.resize(
        rng.normal(0, 1, (int(rng.integers(2, 80)), int(rng.integers(2, 80)), 1)).astype(np.float32), (width, height)
    )
    texture = coarse.reshape(height, width, 1) * rng.uniform(0, 40)
    return np.clip(start + (end - start) * share + texture, 0, 255).astype(np.uint8)


def _disc(rng: np.random.Generator, image: Image, centre: Place, radius: float) -> None:
    axes = (int(radius) + 1, int(radius * rng.uniform(0.6, 1.0)) + 1)
    cv2.ellipse(image, centre, axes, rng.uniform(0, 180), 0, 360, _colour(rng), cv2.FILLED, cv2.LINE_AA)
    if rng.random() < 0.5:
        cv2.ellipse(image, centre, axes, 0, 0, 360, _colour(rng), int(rng.integers(1, 8)), cv2.LINE_AA)


def _rings(rng: np.random.Generator, image: Image, centre: Place, radius: float) -> None:
    colours = [_colour(rng) for _ in range(int(rng.integers(2, 4)))]
    count = int(rng.integers(2, 9))
    flat = rng.uniform(0.4, 1.0)
    for number in range(count):
        reach = radius * (1 - number / count)
        axes = (int(reach) + 1, int(reach * flat) + 1)
        cv2.ellipse(image, centre, axes, 0, 0, 360, colours[number % len(colours)], cv2.FILLED, cv2.LINE_AA)


def _wheel(rng: np.random.Generator, image: Image, centre: Place, radius: float) -> None:
    """A pie of colours, or the circle of all hues."""
    hues = rng.random() < 0.3
    sectors = 60 if hues else int(rng.integers(3, 13))
    turn = rng.uniform(0, 360)
    axes = (int(radius) + 1, int(radius) + 1)
    for number in range(sectors):
        arc = (360 * number / sectors, 360 * (number + 1) / sectors)
        colour = [255 * part for part in colorsys.hsv_to_rgb(number / sectors, 1, 1)] if hues else _colour(rng)
        cv2.ellipse(image, centre, axes, turn, *arc, colour, cv2.FILLED, cv2.LINE_AA)


def _ball(rng: np.random.Generator, image: Image, centre: Place, radius: float) -> None:
    """Lit from one side, with a light on it."""
    base, angle = np.array(_colour(rng)), rng.uniform(0, math.tau)
    for reach in np.linspace(1.0, 0.1, 12):
        shift = (1 - reach) * radius * 0.5
        place = (int(centre[0] + shift * math.cos(angle)), int(centre[1] + shift * math.sin(angle)))
        bright = np.clip(base * (1.25 - 0.7 * reach), 0, 255).tolist()
        cv2.circle(image, place, int(radius * reach) + 1, bright, cv2.FILLED, cv2.LINE_AA)


def _bars(rng: np.random.Generator, image: Image, centre: Place, radius: float) -> None:
    count = int(rng.integers(2, 12))
    step = max(1, int(2 * radius / count))
    left, top = int(centre[0] - radius), int(centre[1] - radius * rng.uniform(0.3, 1.0))
    upright = rng.random() < 0.5
    for number in range(count):
        x, y = (left + number * step, top) if upright else (left, top + number * step)
        size = (step, int(2 * radius)) if upright else (int(2 * radius), step)
        cv2.rectangle(image, (x, y), (x + size[0], y + size[1]), _colour(rng), cv2.FILLED)


def _polygon(rng: np.random.Generator, image: Image, centre: Place, radius: float) -> None:
    angles = np.sort(rng.uniform(0, math.tau, int(rng.integers(3, 9))))
    reach = radius * rng.uniform(0.4, 1.0, len(angles))
    points = np.stack([centre[0] + reach * np.cos(angles), centre[1] + reach * np.sin(angles)], axis=1)
    cv2.fillPoly(image, [points.astype(np.int32)], _colour(rng), cv2.LINE_AA)


def _writing(rng: np.random.Generator, image: Image, centre: Place, radius: float) -> None:
    colour, lines = _colour(rng), int(rng.integers(1, 6))
    scale = radius / 22 / lines
    for number in range(lines):
        text = "".join(rng.choice(list(_LETTERS), int(rng.integers(1, 9))))
        place = (int(centre[0] - radius), int(centre[1] + (number - lines / 2) * 30 * scale))
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, max(1, int(2 * scale)), cv2.LINE_AA)


def _dots(rng: np.random.Generator, image: Image, centre: Place, radius: float) -> None:
    """A heap of small round things: coins, cells, fruit."""
    one = np.array(_colour(rng))
    for _ in range(int(rng.integers(3, 25))):
        x, y = rng.normal(centre, radius / 2)
        colour = np.clip(one + rng.normal(0, 25, 3), 0, 255).tolist()
        cv2.circle(image, (int(x), int(y)), int(radius * rng.uniform(0.06, 0.3)) + 1, colour, cv2.FILLED, cv2.LINE_AA)


THINGS: tuple[Thing, ...] = (_disc, _rings, _wheel, _ball, _bars, _polygon, _writing, _dots)
