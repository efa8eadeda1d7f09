"""Blurring that cannot be undone: of each box only a handful of averages is left. Pure; privacy.py says which boxes."""

from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image

CELLS_ACROSS = 4
"""Averages across the shorter side of a box, of which a face, without its margin, has three. At 15 across a face people
begin to fail to tell who it is (Bachmann, Identification of spatially quantised images of faces, 1991)."""

CELLS_ALONG = 10
"""The most averages along the longer side: a strip of a face that the frame's edge cuts off gets no finer ones."""

MIN_CELL_PX = 4
"""The smallest cell: one pixel would be no average."""


def blurred(image: Image, boxes: NDArray[np.float32]) -> Image:
    """A copy of `image` that holds of each box no more than the averages of its cells, drawn as one smooth surface.

    boxes: (N, 4) x1 y1 x2 y2 in pixels, of any size and anywhere; every pixel that one touches is replaced. Where boxes
    lie over each other the larger one's surface is seen, which is the coarser.
    """
    canvas = np.array(image, order="C")
    for x1, y1, x2, y2 in _pixels(boxes, image):
        averages = cell_averages(image[y1:y2, x1:x2])
        canvas[y1:y2, x1:x2] = cv2.resize(averages, (x2 - x1, y2 - y1), interpolation=cv2.INTER_CUBIC)
    return canvas


def cell_averages(region: Image) -> Image:
    """What is left of `region`: (rows, columns, 3), CELLS_ACROSS by CELLS_ALONG at most.

    Cells are square and of whole pixels, which is several times faster; what they leave over at the sides is not even
    averaged.
    """
    height, width = region.shape[:2]
    side_px = max(min(width, height) // CELLS_ACROSS, ceil(max(width, height) / CELLS_ALONG), MIN_CELL_PX)
    columns, rows = max(1, width // side_px), max(1, height // side_px)
    across, down = columns * min(side_px, width), rows * min(side_px, height)
    left, top = (width - across) // 2, (height - down) // 2
    whole = region[top : top + down, left : left + across]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _pixels(boxes: NDArray[np.float32], image: Image) -> list[tuple[int, int, int, int]]:
    """The boxes in whole pixels of the image, the smallest first; those outside it are left out."""
    height, width = image.shape[:2]
    limits = (width, height, width, height)
    edges = np.clip(np.hstack((np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:]))), 0, limits).astype(np.int64)
    found = [(x1, y1, x2, y2) for x1, y1, x2, y2 in edges.tolist() if x1 < x2 and y1 < y2]
    return sorted(found, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
