"""Whether a camera still shows anything: the same picture again and again, black, or covered.

It looks at some pixels of five frames a second, so that it costs next to nothing. Who asks it, and says so, is
watched.py.
"""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.clock import NS_PER_S
from streamer.frame import Image

Trouble = Literal["", "frozen", "black", "covered"]

AFTER_NS: dict[Trouble, int] = {"": NS_PER_S, "frozen": 10 * NS_PER_S, "black": 3 * NS_PER_S, "covered": 5 * NS_PER_S}
"""How long it must look so before it is said; that all is well again, too."""

BLACK_LEVEL = 28
"""Nothing brighter than this, in 255: black of limited range (16), and the noise of a sensor in the dark."""

FEW = 0.002
"""Of the pixels, so many may be brighter: hot pixels, and the lamp of the camera itself."""

LEAST_DETAIL = 0.5
"""Levels, in 255, that a cell differs from its neighbours by, over what a slope and noise explain.

Less shows nothing. Even shadows have up to 0.3, the palest of 44 clips that show anything 0.9."""

APART_NS = NS_PER_S // 5
"""Between two looks."""

_ROWS = 90
_CELLS = (32, 18)

_FLAT_PERCENT = 20
"""Of differences between neighbours, those that are less come from noise and not from what is seen."""

_NOISE_OF_FLAT = 1 / 0.358
"""Of normal noise: 20 % of all differences are less than 0.358 of its deviation."""

_DETAIL_OF_NOISE = 1.2
"""What the mean of one pixel's noise adds to the detail of a cell; measured, and a third more."""


class PictureCheck:
    """Looks at each frame of one camera, in order."""

    def __init__(self) -> None:
        self.trouble: Trouble = ""
        """What is wrong, as of the last look."""
        self.since_ns = 0
        """Since when."""
        self._looked_ns = -APART_NS
        self._last: NDArray[np.uint8] | None = None
        self._same_since_ns = 0
        self._looks: Trouble = ""
        self._looks_since_ns = 0

    def look(self, image: Image, now_ns: int) -> bool:
        """Look at the frame captured at `now_ns`; whether `trouble` has changed."""
        if now_ns - self._looked_ns < APART_NS:
            return False
        self._looked_ns = now_ns
        grey = _sampled(image)
        if self._last is None or self._last.shape != grey.shape or not np.array_equal(self._last, grey):
            self._last, self._same_since_ns = grey, now_ns
        looks = _kind_of(grey, same_ns=now_ns - self._same_since_ns)
        if looks != self._looks:
            self._looks = looks
            self._looks_since_ns = self._same_since_ns if looks == "frozen" else now_ns
        if looks == self.trouble or now_ns - self._looks_since_ns < AFTER_NS[looks]:
            return False
        self.trouble, self.since_ns = looks, self._looks_since_ns
        return True


def detail(grey: NDArray[np.uint8]) -> float:
    """How much there is to see, in levels of 255: the mean of what cells differ from the slope around them by.

    grey: (H, W) uint8. What noise alone would give is taken off; a shadow that grows evenly has no detail.
    """
    width, height = min(_CELLS[0], grey.shape[1]), min(_CELLS[1], grey.shape[0])
    cells = cv2.resize(grey.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    seen = float(np.abs(cv2.Laplacian(cells, cv2.CV_32F, borderType=cv2.BORDER_REFLECT_101)).mean()) / 4
    steps = np.abs(np.diff(grey.astype(np.int16), axis=1)).ravel()
    nth = steps.size * _FLAT_PERCENT // 100
    flat = float(np.partition(steps, nth)[nth]) if steps.size else 0.0
    noise = flat * _NOISE_OF_FLAT * np.sqrt(width * height / grey.size)
    return max(0.0, seen - _DETAIL_OF_NOISE * float(noise))


def _sampled(image: Image) -> NDArray[np.uint8]:
    apart = max(1, image.shape[0] // _ROWS)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image[::apart, ::apart]), cv2.COLOR_BGR2GRAY), np.uint8)


def _kind_of(grey: NDArray[np.uint8], *, same_ns: int) -> Trouble:
    """What it looks like. A black picture that does not move is black: that says more."""
    if np.count_nonzero(grey > BLACK_LEVEL) <= FEW * grey.size:
        return "black"
    if same_ns >= NS_PER_S:
        return "frozen"
    return "covered" if detail(grey) < LEAST_DETAIL else ""
