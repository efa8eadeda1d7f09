"""Where labels go: beside their boxes, inside the image, and not on top of each other while there is room.

It moves rectangles about and draws nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Rectangles = NDArray[np.int32]
"""(..., 4) int32: x1 y1 x2 y2 in pixels, the last two exclusive."""

Box = tuple[int, int, int, int]
"""x1 y1 x2 y2 in pixels, the last two exclusive."""

Corners = NDArray[np.int32]

MOST_HIDDEN: Final = 0.2
"""A label that other labels would cover by more than this is left out: its box shows the class by its colour."""

_ROOMY: Final = 2.5
"""A label may go inside a box that is this many times as high as itself; in a lower one it would hide what is there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Upper left corner of a label, and which of its sizes fits there."""

    x: int
    y: int
    size: int


def place(
    boxes: Rectangles,
    sizes: NDArray[np.int32],
    *,
    size_px: tuple[int, int],
    edge_px: int,
    taken: Box | None = None,
) -> list[Place | None]:
    """A place for the label of each box, best boxes first; None for a label that found none.

    boxes: (N, 4), inside the image: the outer edges of their lines, which labels touch.
    sizes: (N, S, 2) widths and heights of each label, the preferred one first.
    size_px: (width, height) of the image. edge_px: how thick the lines of the boxes are, to stay clear of inside them.
    taken: where something else stands already, which labels hide as little as each other.

    Each label takes the first free place of: above its box, inside its top, below, inside its bottom, each from the
    left and from the right, then the sides; and where all are taken, the one that is covered least.
    """
    candidates, possible = _candidates(boxes[:, None, :], sizes, size_px=size_px, edge_px=edge_px)
    low, high = (np.moveaxis(corners, -1, 1)[..., None] for corners in (candidates[..., :2], candidates[..., 2:]))
    areas = np.maximum(np.prod(high - low, axis=1)[..., 0], 1)
    forbidden = np.where(possible, 0.0, np.inf)
    occupied = np.empty((2, 2, 1, len(boxes) + 1), np.int32)
    placed: list[Place | None] = []
    used = 0
    if taken is not None:
        occupied[..., 0, used] = np.reshape(taken, (2, 2))
        used += 1
    for n in range(len(boxes)):
        covered = _shared(low[n], high[n], *occupied[..., :used]) / areas[n] + forbidden[n]
        best = int(np.argmin(covered))
        if covered[best] > MOST_HIDDEN:
            placed.append(None)
            continue
        occupied[..., 0, used] = candidates[n, best].reshape(2, 2)
        used += 1
        x, y = candidates[n, best, :2].tolist()
        placed.append(Place(x, y, best // (candidates.shape[1] // sizes.shape[1])))
    return placed


def _shared(low: Corners, high: Corners, taken_low: Corners, taken_high: Corners) -> NDArray[np.int32]:
    """(K,) pixels of each candidate that the taken places cover; (2, K, 1) and (2, 1, N) corners, x before y."""
    sides = np.minimum(high, taken_high) - np.maximum(low, taken_low)
    across, down = np.maximum(sides, 0, out=sides)
    return np.asarray(np.einsum("kn,kn->k", across, down))


def _candidates(
    boxes: Rectangles, sizes: NDArray[np.int32], *, size_px: tuple[int, int], edge_px: int
) -> tuple[Rectangles, NDArray[np.bool_]]:
    """(N, S * K, 4) places in order of preference and (N, S * K) whether each is inside the image and hides little."""
    x1, y1, x2, y2 = np.moveaxis(boxes, -1, 0)
    width, height = np.moveaxis(sizes, -1, 0)
    left, right = np.clip(x1, 0, size_px[0] - width), np.clip(x2 - width, 0, size_px[0] - width)
    above, below = y1 - height, y2
    inner_top, inner_bottom = y1 + edge_px, y2 - edge_px - height
    inner_left, inner_right = x1 + edge_px, x2 - edge_px - width
    roomy = (y2 - y1 >= _ROOMY * height) & (x2 - x1 >= width + 2 * edge_px)
    anywhere = np.ones_like(roomy)
    last_y = np.clip(above, 0, size_px[1] - height)
    spots = [
        (left, above, anywhere),
        (inner_left, inner_top, roomy),
        (left, below, anywhere),
        (inner_left, inner_bottom, roomy),
        (right, above, anywhere),
        (inner_right, inner_top, roomy),
        (right, below, anywhere),
        (inner_right, inner_bottom, roomy),
        (x2, np.clip(y1, 0, size_px[1] - height), anywhere),
        (x1 - width, np.clip(y1, 0, size_px[1] - height), anywhere),
        (left, last_y, anywhere),
    ]
    x, y, good = (np.stack(np.broadcast_arrays(width, *column)[1:], axis=-1) for column in zip(*spots, strict=True))
    places = np.stack([x, y, x + width[..., None], y + height[..., None]], axis=-1).astype(np.int32)
    inside = (places[..., :2] >= 0).all(axis=-1) & (places[..., 2:] <= np.array(size_px)).all(axis=-1)
    rows = len(boxes)
    return places.reshape(rows, -1, 4), (good & inside).reshape(rows, -1)
