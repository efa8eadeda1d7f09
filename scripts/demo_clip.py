#!/usr/bin/env python3
"""Renders a clip for scripts/demo: photographs that scikit-image carries, seen by a camera that is held in a hand.

python scripts/demo_clip.py CLIP.mp4 [--seed N]

Faces and people are in some of its scenes and not in others. Needs no network: only pictures inside scikit-image's
wheel are taken, all of them in the public domain or under CC0. The same seed gives the same clip.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from streamer.clock import NS_PER_S
from streamer.frame import Detections, Frame, Image, Result
from streamer.sinks.recorder import Recorder

SIZE_PX = (640, 480)
"""The photographs have about 500 pixels a side: a larger clip would show no more."""
FPS = 30.0
DURATION_S = 10.0

ENLARGED = 2
"""Photographs are enlarged so much, once and well, that what is left to the moving camera is cheap."""

SHUTTER = 0.6
"""The part of a frame's time for which the shutter is open."""
MAX_BLUR_STEPS = 16

SHAKE_PX = ((0.6, 3.5), (1.7, 1.4), (4.1, 0.5))
SHAKE_DEG = ((0.5, 0.5), (1.3, 0.2))
"""A hand's tremor: frequency in Hz and amplitude; pixels of a clip 640 px wide, and degrees."""

READ_NOISE = 2.0
SHOT_NOISE = 0.1
"""A sensor's noise: its variance at a pixel value v is READ_NOISE ** 2 + SHOT_NOISE * v."""

WALL_BGR = (150, 158, 148)
MAT_BGR = (226, 232, 234)
WOOD_BGR = (30, 42, 58)


@dataclass(frozen=True)
class View:
    """What the camera sees: the centre (x, y) and the width of it, in parts of the picture."""

    x: float
    y: float
    width: float

    def towards(self, other: "View", share: float) -> "View":
        """The view on the way from this one to `other`."""
        x, y, width = (a + share * (b - a) for a, b in zip(astuple(self), astuple(other), strict=True))
        return View(x, y, width)


@dataclass(frozen=True)
class Scene:
    """One picture, the way of the camera over it, and its part of the clip's time."""

    picture: Image
    start: View
    end: View
    share: float


def photograph(name: str) -> Image:
    """One of scikit-image's photographs by the name of its function, (height, width, 3) uint8 BGR."""
    picture = np.asarray(getattr(skimage.data, name)(), np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_RGB2BGR), np.uint8)


def enlarged(picture: Image, factor: float = ENLARGED) -> Image:
    """`picture` at another size."""
    way = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=way), np.uint8)


def scenes(rng: np.random.Generator) -> tuple[Scene, ...]:
    """The clip's scenes, in order."""
    return (
        Scene(enlarged(photograph("astronaut")), View(0.50, 0.41, 0.92), View(0.45, 0.27, 0.60), 0.25),
        Scene(enlarged(photograph("coffee")), View(0.42, 0.55, 0.74), View(0.57, 0.48, 0.66), 0.12),
        Scene(enlarged(photograph("camera")), View(0.48, 0.36, 0.66), View(0.51, 0.44, 0.92), 0.18),
        Scene(enlarged(photograph("chelsea")), View(0.42, 0.50, 0.80), View(0.50, 0.48, 0.72), 0.12),
        Scene(wall(rng), View(0.19, 0.50, 0.35), View(0.81, 0.49, 0.36), 0.33),
    )


def wall(rng: np.random.Generator) -> Image:
    """A wall with framed photographs on it, under a lamp."""
    height, width = 900, 2760
    plaster = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 1.2) * 9
    canvas = np.clip(np.asarray(WALL_BGR, np.float32) + plaster[:, :, None], 0, 255).astype(np.uint8)
    astronaut, cameraman = photograph("astronaut"), photograph("camera")
    for picture, scale, centre_px in (
        (astronaut, 0.95, (430, 450)),
        (photograph("coffee"), 0.5, (930, 290)),
        (photograph("chelsea"), 0.66, (930, 610)),
        (cameraman, 0.95, (1430, 450)),
        (photograph("rocket"), 0.5, (1985, 290)),
        (photograph("coins"), 0.8, (1985, 610)),
        (cv2.flip(astronaut[:420, 60:460], 1), 0.8, (2440, 450)),
    ):
        hang(canvas, enlarged(np.asarray(picture, np.uint8), scale), centre_px)
    return lit(canvas)


def hang(canvas: Image, picture: Image, centre_px: tuple[int, int]) -> None:
    """Put `picture` on `canvas` itself, with a mat, a frame and its shadow; centre_px: (x, y)."""
    mat = cv2.copyMakeBorder(picture, 22, 22, 22, 22, cv2.BORDER_CONSTANT, value=MAT_BGR)
    framed = cv2.copyMakeBorder(mat, 10, 10, 10, 10, cv2.BORDER_CONSTANT, value=WOOD_BGR)
    height, width = framed.shape[:2]
    x, y = centre_px[0] - width // 2, centre_px[1] - height // 2
    shade = np.zeros(canvas.shape[:2], np.float32)
    shade[y + 14 : y + height + 14, x + 8 : x + width + 8] = 0.5
    canvas[:] = canvas * (1 - cv2.GaussianBlur(shade, (0, 0), 11))[:, :, None]
    canvas[y : y + height, x : x + width] = framed


def lit(canvas: Image) -> Image:
    """`canvas` brighter in its middle than at its ends, and above than below."""
    height, width = canvas.shape[:2]
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    light = (1.08 - 0.22 * x**2)[None, :, None] * (0.98 - 0.08 * y)[:, None, None]
    return np.clip(canvas * light, 0, 255).astype(np.uint8)


class Hand:
    """A hand that holds a camera: how far it is from where it should be, at any time."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._phases = rng.uniform(0, math.tau, (3, max(len(SHAKE_PX), len(SHAKE_DEG))))

    def offset(self, at_s: float) -> tuple[float, float, float]:
        """Parts of the view's width to the right and down, and degrees of roll."""
        right, down = (self._sum(SHAKE_PX, row, at_s) / 640 for row in (0, 1))
        return right, down, self._sum(SHAKE_DEG, 2, at_s)

    def _sum(self, waves: Sequence[tuple[float, float]], row: int, at_s: float) -> float:
        phases = self._phases[row]
        return sum(amp * math.sin(math.tau * hz * at_s + phases[i]) for i, (hz, amp) in enumerate(waves))


class Sensor:
    """The noise of a camera's sensor, new on each frame."""

    def __init__(self, rng: np.random.Generator, size_px: tuple[int, int]) -> None:
        width, height = size_px
        self._rng = rng
        self._margin_px = 97
        shape = height + self._margin_px, width + self._margin_px
        # Mostly brightness: a camera's own processing takes most of the colour out of its noise.
        grain = 0.85 * rng.standard_normal((*shape, 1), np.float32) + 0.5 * rng.standard_normal((*shape, 3), np.float32)
        self._grain = grain.astype(np.float32)
        self._deviation = np.sqrt(READ_NOISE**2 + SHOT_NOISE * np.arange(256)).astype(np.float32)

    def expose(self, light: NDArray[np.float32]) -> Image:
        """The picture of `light` (height, width, 3), 0..255."""
        x, y = self._rng.integers(0, self._margin_px, 2)
        height, width = light.shape[:2]
        deviation = cv2.LUT(light.astype(np.uint8), self._deviation)
        noisy = light + deviation * self._grain[y : y + height, x : x + width]
        return np.clip(noisy + 0.5, 0, 255).astype(np.uint8)


def matrix(scene: Scene, hand: Hand, *, at_s: float, length_s: float, size_px: tuple[int, int]) -> NDArray[np.float64]:
    """(2, 3): from a pixel of the clip to one of the scene's picture, `at_s` seconds after the scene's beginning."""
    share = min(1.0, max(0.0, at_s / length_s))
    view = scene.start.towards(scene.end, share * share * (3 - 2 * share))
    right, down, degrees = hand.offset(at_s)
    width, height = size_px
    picture_height, picture_width = scene.picture.shape[:2]
    seen_px = view.width * picture_width
    scale = seen_px / width
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    centre = view.x * picture_width + right * seen_px, view.y * picture_height + down * seen_px
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([turn, np.array(centre) - turn @ ((width - 1) / 2, (height - 1) / 2)])


def exposure(
    picture: Image, first: NDArray[np.float64], last: NDArray[np.float64], size_px: tuple[int, int]
) -> NDArray[np.float32]:
    """What falls on the sensor while the view moves from one matrix to the other: the mean of all between, 0..255."""
    width, height = size_px
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    travel_px = float(np.abs((last - first) @ corners).max()) / math.hypot(*first[:, 0])
    steps = min(MAX_BLUR_STEPS, 1 + math.ceil(travel_px))
    light = np.zeros((height, width, 3), np.float32)
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for share in (np.arange(steps) + 0.5) / steps:
        between = first + share * (last - first)
        seen = cv2.warpAffine(picture, between, size_px, flags=way, borderMode=cv2.BORDER_REFLECT_101)
        cv2.accumulate(seen, light)
    return light / np.float32(steps)


def images(
    *, size_px: tuple[int, int] = SIZE_PX, fps: float = FPS, duration_s: float = DURATION_S, seed: int = 0
) -> Iterator[Image]:
    """The frames of the clip, (height, width, 3) uint8 BGR."""
    rng = np.random.default_rng(seed)
    sensor = Sensor(rng, size_px)
    frames_left, shares_left = round(fps * duration_s), 1.0
    for scene in scenes(rng):
        hand = Hand(rng)
        frames = round(frames_left * scene.share / shares_left)
        frames_left, shares_left = frames_left - frames, shares_left - scene.share
        for number in range(frames):
            begin, end = (
                matrix(scene, hand, at_s=at / fps, length_s=frames / fps, size_px=size_px)
                for at in (number, number + SHUTTER)
            )
            yield sensor.expose(exposure(scene.picture, begin, end, size_px))


def render(
    path: Path,
    *,
    size_px: tuple[int, int] = SIZE_PX,
    fps: float = FPS,
    duration_s: float = DURATION_S,
    seed: int = 0,
) -> None:
    """Write the clip to `path`, an .mp4, in place of what is there. Raises SinkError."""
    recorder = Recorder(path, fps=fps, force=True)
    try:
        for index, image in enumerate(images(size_px=size_px, fps=fps, duration_s=duration_s, seed=seed)):
            frame = Frame(image, index=index, captured_ns=round(index * NS_PER_S / fps), pts_s=index / fps)
            recorder.write(Result(frame, Detections.empty(), image=image))
    finally:
        recorder.close()


def main() -> None:
    """Render one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, metavar="CLIP.mp4")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another hand and other noise")
    given = parser.parse_args()
    render(given.clip, seed=given.seed)


if __name__ == "__main__":
    main()
