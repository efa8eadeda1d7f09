"""What a graph does with a picture before its first convolution, done here instead: once, from the decoder's frame.

A Feeding says it in numbers; lowering/identifying.py finds them by experiment, and they are used only where they give
what the graph gives. ImageInput of preprocess.py is for what a signature takes, this for what its network takes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.models.resampling import Floats, Resampler, Sampling

Rounding = Literal["none", "floor", "round"]
"""What becomes of the resized values: a graph that goes back to uint8 in between cuts off what is behind the point."""

Fill = Literal["stretch", "corner", "centre"]
"""How the picture lies on the canvas: all over it, or whole in its upper left corner or its middle."""

Values = tuple[float, float, float]

_MUCH_LARGER = 4
"""So many times the pixels that are wanted; what is done to all of them costs more than what is done to those read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """From what a signature takes, (H, W, 3) pixels, to what its network takes, (height, width, 3) float32.

    size_px: (width, height) of the canvas. halving: a picture of more than twice the size it is to have is brought to
    twice that first. swapped: channels change places, red and blue. scale, shift: scale * value + shift, for each
    channel of the network. pad: what lies beside the picture, of the network's values.
    """

    size_px: tuple[int, int]
    fill: Fill = "stretch"
    sampling: Sampling = "half_pixel"
    halving: bool = False
    rounding: Rounding = "none"
    swapped: bool = False
    scale: Values = (1.0, 1.0, 1.0)
    shift: Values = (0.0, 0.0, 0.0)
    pad: Values = (0.0, 0.0, 0.0)

    def content_size_px(self, size_px: tuple[int, int]) -> tuple[int, int]:
        """(width, height) that a picture of `size_px` has on the canvas."""
        if self.fill == "stretch":
            return self.size_px
        ratio = np.float32(min(side / own for side, own in zip(self.size_px, size_px, strict=True)))
        width, height = (max(1, round(float(np.float32(own) * ratio))) for own in size_px)
        return min(width, self.size_px[0]), min(height, self.size_px[1])


class Feeder:
    """A Feeding ready to be used on pictures of channels in a given order and of pixels 0..255.

    order_differs: whether the picture's channels are in another order than the signature takes them. mean, std: what
    the signature takes is (pixel - mean) / std, for each of its channels.
    """

    def __init__(self, feeding: Feeding, *, order_differs: bool, mean: Values, std: Values) -> None:
        self._feeding = feeding
        self._sizer = _Sizer(feeding, self._finish)
        self._swaps = feeding.swapped != order_differs
        of_network = slice(None, None, -1 if feeding.swapped else 1)
        means, stds = np.array(mean)[of_network], np.array(std)[of_network]
        factor = np.array(feeding.scale) / stds
        shift = np.array(feeding.shift) - factor * means
        self._factor, self._shift = factor.astype(np.float32), shift.astype(np.float32)
        self._plain = bool((self._factor == 1).all() and (self._shift == 0).all())
        self._uniform = len(set(self._factor.tolist())) == 1 == len(set(self._shift.tolist()))

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of what the network takes."""
        return self._feeding.size_px

    def tensor(self, image: Image) -> Floats:
        """(1, height, width, 3) float32 of a picture, (H, W, 3) uint8; this thread's until its next call."""
        feeding = self._feeding
        content = self._sizer(image)
        size_px = content.shape[1], content.shape[0]
        if size_px == feeding.size_px:
            return content[np.newaxis]
        width, height = feeding.size_px
        canvas = np.empty((height, width, 3), np.float32)
        canvas[:] = feeding.pad
        left, top = (0, 0)
        if feeding.fill == "centre":
            left, top = (width - size_px[0]) // 2, (height - size_px[1]) // 2
        canvas[top : top + size_px[1], left : left + size_px[0]] = content
        return canvas[np.newaxis]

    def _finish(self, rows: Floats) -> None:
        """From resized values to the network's, in place."""
        rounded(rows, self._feeding.rounding)
        if self._swaps:
            cv2.cvtColor(rows, cv2.COLOR_BGR2RGB, dst=rows)
        if not self._plain:
            rows *= self._factor[0] if self._uniform else self._factor
            rows += self._shift[0] if self._uniform else self._shift


class _Sizer:
    """Resizes as a Feeding wants it; a Resampler is made for each size of picture that comes, of late.

    finish: what is done to the resized values, in place.
    """

    def __init__(self, feeding: Feeding, finish: Callable[[Floats], None]) -> None:
        self._feeding = feeding
        self._finish = finish
        self._resampler = lru_cache(maxsize=8)(self._made)

    def __call__(self, picture: NDArray[Any]) -> Floats:
        """The picture at the size that it has on the canvas: float32, in an array of this thread's."""
        own_px = picture.shape[1], picture.shape[0]
        size_px = self._feeding.content_size_px(own_px)
        if self._feeding.halving:
            between_px = min(2 * size_px[0], own_px[0]), min(2 * size_px[1], own_px[1])
            if between_px not in {size_px, own_px}:
                picture, own_px = self._resampler(own_px, between_px, is_last=False)(picture), between_px
        if own_px != size_px:
            return self._resampler(own_px, size_px, is_last=True)(picture)
        content = picture.astype(np.float32)
        self._finish(content)
        return content

    def _made(self, own_px: tuple[int, int], size_px: tuple[int, int], *, is_last: bool) -> Callable[..., Floats]:
        feeding, finish = self._feeding, self._finish if is_last else _nothing
        exact = feeding.rounding != "none" or feeding.sampling != "half_pixel"
        if exact or math.prod(own_px) > _MUCH_LARGER * math.prod(size_px):
            return Resampler(own_px, size_px, sampling=feeding.sampling, finish=finish)
        return partial(_resized, size_px=size_px, finish=finish)


def _nothing(rows: Floats) -> None:
    """Leave them as they are."""


def _resized(picture: NDArray[Any], *, size_px: tuple[int, int], finish: Callable[[Floats], None]) -> Floats:
    """OpenCV's resize: off in the fifth digit, and faster where the picture is not much larger than what it becomes."""
    result = np.asarray(cv2.resize(picture.astype(np.float32, copy=False), size_px), np.float32)
    finish(result)
    return result


def sized(feeding: Feeding, picture: NDArray[Any]) -> Floats:
    """One picture as a Feeding resizes it, before channels change places and values are scaled."""
    return _Sizer(feeding, lambda rows: rounded(rows, feeding.rounding))(picture)


def rounded(values: Floats, rounding: Rounding) -> None:
    """Whole numbers, in place, where that is wanted."""
    if rounding == "floor":
        np.floor(values, out=values)
    elif rounding == "round":
        np.rint(values, out=values)
