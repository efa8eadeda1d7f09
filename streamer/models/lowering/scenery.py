"""Pictures to try things on where there are no photographs: made of nothing but numbers, the same every time."""

import cv2
import numpy as np

from streamer.frame import Image


def texture(size_px: tuple[int, int], seed: int) -> Image:
    """A picture with something on every scale, all values in it, and no two channels alike."""
    random = np.random.default_rng(seed)
    width, height = size_px
    total = np.zeros((height, width, 3))
    for side in (4, 16, 64):
        coarse = random.uniform(-1, 1, (side, side, 3))
        total += cv2.resize(coarse, size_px, interpolation=cv2.INTER_CUBIC)
    total += random.uniform(-0.3, 0.3, total.shape)
    low, high = total.min(axis=(0, 1)), total.max(axis=(0, 1))
    return np.asarray(np.rint((total - low) / (high - low) * 255), np.uint8)
