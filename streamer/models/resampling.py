"""TensorFlow's ResizeBilinear, number by number, without TensorFlow.

A graph that cuts the resized values off to whole numbers makes another number of 12.9999 than of 13: what comes after
it is the same only where every sum is rounded as TensorFlow rounds it. OpenCV's own resize is off in the fifth digit.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Sampling = Literal["half_pixel", "corner", "aligned"]
"""Where it reads: between the middles of pixels (half_pixel_centers, as tf.image.resize), from their corners (as
TensorFlow 1), or with the outermost pixels on one another (align_corners)."""

Floats = NDArray[np.float32]


_BAND = 32
"""Rows of the result that are made at once: what they need stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class _Buffers:
    """What one thread works in; fresh memory costs as much as the arithmetic."""

    corners: NDArray[Any]
    lines: Floats
    result: Floats


class Resampler:
    """From pictures of one size, (H, W, 3) uint8 or float32, to (height, width, 3) float32 of another.

    sizes: (width, height) in px. finish: what is done to some rows of the result, in place, while they are at hand.
    The time it takes is that of the result's size, not of the picture's. What a thread is given is its own until it
    asks for the next one.

    source: interpolate_cached and compute_interpolation_weights in tensorflow/core/kernels/image/resize_bilinear_op.cc.
    """

    def __init__(
        self,
        picture_px: tuple[int, int],
        result_px: tuple[int, int],
        *,
        sampling: Sampling,
        finish: Callable[[Floats], None] = lambda _rows: None,
    ) -> None:
        left, right, across = _weights(picture_px[0], result_px[0], sampling)
        upper, lower, down = _weights(picture_px[1], result_px[1], sampling)
        self._width, self._height = result_px
        self._finish = finish
        columns = np.concatenate([left, right])
        self._maps = [
            np.stack(np.meshgrid(columns, np.concatenate([upper[band], lower[band]])), axis=-1).astype(np.int16)
            for band in self._bands()
        ]
        self._across = _spread(across[np.newaxis, :, np.newaxis], (2 * _BAND, self._width, 3))
        self._down = _spread(down[:, np.newaxis, np.newaxis], (self._height, self._width, 3))
        self._mine = threading.local()

    def __call__(self, picture: NDArray[Any]) -> Floats:
        buffers = self._buffers(picture.dtype)
        for band, read in zip(self._bands(), self._maps, strict=True):
            rows = len(read) // 2
            corners, lines, result = buffers.corners[: 2 * rows], buffers.lines[: 2 * rows], buffers.result[band]
            cv2.remap(picture, read, None, cv2.INTER_NEAREST, dst=corners)  # type: ignore[call-overload]
            left, right = corners[:, : self._width], corners[:, self._width :]
            cv2.subtract(right, left, dst=lines, dtype=cv2.CV_32F)
            cv2.multiply(lines, self._across[: 2 * rows], dst=lines)
            cv2.add(left, lines, dst=lines, dtype=cv2.CV_32F)
            upper, lower = lines[:rows], lines[rows:]
            cv2.subtract(lower, upper, dst=result)
            cv2.multiply(result, self._down[band], dst=result)
            cv2.add(upper, result, dst=result)
            self._finish(result)
        return buffers.result

    def _bands(self) -> list[slice]:
        return [slice(row, min(row + _BAND, self._height)) for row in range(0, self._height, _BAND)]

    def _buffers(self, dtype: np.dtype[Any]) -> _Buffers:
        held: dict[str, _Buffers] = self._mine.__dict__
        if dtype.name not in held:
            held[dtype.name] = _Buffers(
                np.empty((2 * _BAND, 2 * self._width, 3), dtype),
                np.empty((2 * _BAND, self._width, 3), np.float32),
                np.empty((self._height, self._width, 3), np.float32),
            )
        return held[dtype.name]


def _spread(values: Floats, shape: tuple[int, ...]) -> Floats:
    """OpenCV multiplies only what is of one shape."""
    return np.ascontiguousarray(np.broadcast_to(values, shape))


def _weights(own: int, wanted: int, sampling: Sampling) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """For each place of the result the two that it lies between, and how far it is from the first."""
    places, one = np.arange(wanted, dtype=np.float32), np.float32(1)
    scale = np.float32(own) / np.float32(wanted)
    if sampling == "aligned" and wanted > 1:
        scale = np.float32(own - 1) / np.float32(wanted - 1)
    half = one / np.float32(2)
    reads = (places + half) * scale - half if sampling == "half_pixel" else places * scale
    floors = np.floor(reads)
    first = np.maximum(floors, 0).astype(np.int64)
    second = np.minimum(np.ceil(reads), own - 1).astype(np.int64)
    return np.minimum(first, own - 1), second, (reads - floors).astype(np.float32)
