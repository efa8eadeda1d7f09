"""What a graph does with a picture before its network, found by experiment: pictures go in, and what reaches the first
convolution is compared with what each way of feeding would make of them.

So it does not matter how the graph does it - with loops over the batch, in functions, by operations nobody has seen: a
Feeding is taken only where its numbers are the graph's. Called by choosing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from streamer.models.feeding import Feeding, Fill, Rounding, Values, sized
from streamer.models.lowering.scenery import texture
from streamer.models.resampling import Floats, Sampling

SIZES_PX = ((520, 360), (380, 1000), (250, 210))
"""(width, height) of the pictures: broad, high, and smaller than most networks' input."""

TOLERANCE = 0.02
"""In steps of a pixel's 0..255: how far the numbers may be off, all but a few of them."""

FEW = 0.0005
"""Of the numbers, those that may be further off: where rounding falls to the other side."""

Feed = Callable[[NDArray[Any]], NDArray[Any]]
"""(H, W, 3) of what the signature takes to what the network takes, (1, h, w, 3)."""


def identify(feed: Feed) -> Feeding | None:
    """The Feeding that does what `feed` does; None where none of those known does."""
    pictures = [texture(size_px, seed) for seed, size_px in enumerate(SIZES_PX)]
    wanted = [feed(picture) for picture in pictures]
    shapes = {array.shape for array in wanted}
    if len(shapes) != 1 or wanted[0].ndim != 4 or wanted[0].shape[0] != 1 or wanted[0].shape[3] != 3:
        return None
    if not all(np.isfinite(array).all() for array in wanted):
        return None
    height, width = wanted[0].shape[1:3]
    for way in _ways((width, height)):
        fitted = _fitted(way, pictures[0], wanted[0][0])
        if fitted is not None and all(
            _agrees(fitted, picture, array[0]) for picture, array in zip(pictures[1:], wanted[1:], strict=True)
        ):
            return fitted
    return None


def _ways(size_px: tuple[int, int]) -> Iterator[Feeding]:
    fills: Sequence[Fill] = ("stretch", "corner", "centre")
    for fill, sampling, halving, rounding, swapped in product(
        fills, get_args(Sampling), (False, True), get_args(Rounding), (False, True)
    ):
        if not (halving and fill == "stretch"):
            yield Feeding(
                size_px=size_px, fill=fill, sampling=sampling, halving=halving, rounding=rounding, swapped=swapped
            )


def _fitted(way: Feeding, picture: NDArray[np.uint8], wanted: Floats) -> Feeding | None:
    """The way with the scale, shift and padding that fit best, if they fit."""
    content, rows, columns = _content(way, picture)
    inside = wanted[rows, columns].reshape(-1, 3).astype(np.float64)
    scale, shift = [], []
    for channel in range(3):
        values = content[..., channel].reshape(-1).astype(np.float64)
        slope, offset = np.polyfit(values, inside[:, channel], 1)
        scale.append(_rounded(slope))
        shift.append(_rounded(offset))
    if min(map(abs, scale)) == 0:
        return None
    found = _with(way, scale=scale, shift=shift, pad=_padding(wanted, rows, columns))
    return found if _agrees(found, picture, wanted) else None


def _with(way: Feeding, *, scale: Sequence[float], shift: Sequence[float], pad: Values) -> Feeding:
    return replace(way, scale=_values(scale), shift=_values(shift), pad=pad)


def _values(numbers: Sequence[float]) -> Values:
    return numbers[0], numbers[1], numbers[2]


def _rounded(number: float) -> float:
    """Fitted numbers are a little off; those meant are short, or one over a short one."""
    if abs(number) < 1e-6:
        return 0.0
    for candidate in (float(f"{number:.4g}"), 1 / float(f"{1 / number:.5g}")):
        if abs(candidate - number) <= 1e-5 * abs(number):
            return candidate
    return number


def _content(way: Feeding, picture: NDArray[np.uint8]) -> tuple[Floats, slice, slice]:
    """The picture as it lies on the canvas, in the network's order, and where."""
    size_px = way.content_size_px((picture.shape[1], picture.shape[0]))
    content = sized(way, picture)
    left, top = 0, 0
    if way.fill == "centre":
        left, top = (way.size_px[0] - size_px[0]) // 2, (way.size_px[1] - size_px[1]) // 2
    if way.swapped:
        content = np.ascontiguousarray(content[..., ::-1])
    return content, slice(top, top + size_px[1]), slice(left, left + size_px[0])


def _padding(wanted: Floats, rows: slice, columns: slice) -> Values:
    beside = np.ones(wanted.shape[:2], np.bool_)
    beside[rows, columns] = False
    if not beside.any():
        return 0.0, 0.0, 0.0
    return _values([float(np.median(wanted[..., channel][beside])) for channel in range(3)])


def _agrees(way: Feeding, picture: NDArray[np.uint8], wanted: Floats) -> bool:
    content, rows, columns = _content(way, picture)
    made = np.empty_like(wanted)
    made[:] = way.pad
    made[rows, columns] = content * np.array(way.scale, np.float32) + np.array(way.shift, np.float32)
    steps = np.abs(made - wanted) / np.abs(np.array(way.scale, np.float32))
    return bool(np.count_nonzero(steps > TOLERANCE) <= FEW * steps.size)
