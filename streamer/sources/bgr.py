"""Whatever a capture hands over, as the one form of image that travels: blue-green-red, 8 bits, C-contiguous."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image


def to_bgr(image: NDArray[Any] | None) -> Image | None:
    """(height, width, 3) uint8 BGR; None where there is no picture in `image`.

    Takes gray (height, width[, 1]), BGR and BGRA, of 8 or 16 bits; of 16 the upper 8 are kept. An image that already
    has the right form is returned as it is, not copied.
    """
    if image is None or image.size == 0 or image.ndim not in {2, 3}:
        return None
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        return None
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif channels == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    elif channels != 3:
        return None
    return np.ascontiguousarray(image)
