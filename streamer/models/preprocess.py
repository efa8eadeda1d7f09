"""From frames to the tensor that a model takes, and the exact way back for its boxes.

A model that takes any size is given one size a run: every new shape costs memory that TensorFlow never frees.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.frame import Image
from streamer.models.options import Scale
from streamer.models.signature import TensorSpec

DEFAULT_SIZE_PX = (640, 480)
"""The input size of a model that takes any, where nobody knows how large the frames will be."""

MAX_SIDE_PX = 1280
"""The longer side of such an input at most: detectors shrink it to a few hundred pixels anyway."""

_SCALES: dict[str, tuple[float, float]] = {"0..1": (1 / 255, 0.0), "-1..1": (2 / 255, -1.0), "0..255": (1.0, 0.0)}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a frame lies in a model's input; all in pixels.

    left, top: where it begins. width, height: how large it is there; what is left of the input is black.
    """

    frame_size_px: tuple[int, int]
    input_size_px: tuple[int, int]
    left: int
    top: int
    width: int
    height: int

    def boxes_to_frame(self, boxes: NDArray[Any]) -> NDArray[np.float64]:
        """(N, 4) ymin xmin ymax xmax, 0 to 1 over the input -> (N, 4) x1 y1 x2 y2 in pixels of the frame."""
        (frame_width, frame_height), (input_width, input_height) = self.frame_size_px, self.input_size_px
        xy = np.asarray(boxes, np.float64)[:, [1, 0, 3, 2]]
        scale_x, scale_y = frame_width / self.width, frame_height / self.height
        with np.errstate(invalid="ignore", over="ignore"):
            xy *= (input_width * scale_x, input_height * scale_y) * 2
            xy -= (self.left * scale_x, self.top * scale_y) * 2
        return xy


class ImageInput:
    """The input of one model, with the size that it has in this run."""

    def __init__(
        self, spec: TensorSpec, *, input_size_px: tuple[int, int] | None = None, scale: Scale = "auto"
    ) -> None:
        """`spec` is an image's, as `assign_roles` has it; `input_size_px` counts where the model takes any size.

        Raises ConfigError for a scale that the dtype cannot hold.
        """
        shape = spec.shape or (1, None, None, 3)
        height, width = shape[-3], shape[-2]
        default_width, default_height = _capped(input_size_px or DEFAULT_SIZE_PX)
        self.size_px = (width or default_width, height or default_height)
        self.stretches = width is not None and height is not None
        self.scale = _resolved(scale, spec.dtype)
        self._batched = len(shape) == 4
        self._float = spec.dtype != "uint8"

    def place(self, frame_size_px: tuple[int, int]) -> Placement:
        """Where a frame of this size goes.

        A model of one size gets it stretched, as the fixed_shape_resizer of the Object Detection API does; any other
        gets it whole, with its aspect kept, in the middle.
        """
        (width, height), (input_width, input_height) = frame_size_px, self.size_px
        if self.stretches:
            return Placement(frame_size_px, self.size_px, 0, 0, input_width, input_height)
        ratio = min(input_width / width, input_height / height)
        placed_width = min(input_width, max(1, round(width * ratio)))
        placed_height = min(input_height, max(1, round(height * ratio)))
        left, top = (input_width - placed_width) // 2, (input_height - placed_height) // 2
        return Placement(frame_size_px, self.size_px, left, top, placed_width, placed_height)

    def to_tensor(self, image: Image) -> NDArray[Any]:
        """A frame, (H, W, 3) uint8 BGR, as the model takes it: RGB, sized, scaled, a batch of one for most."""
        placed = _placed(image, self.place((image.shape[1], image.shape[0])))
        tensor: NDArray[Any] = cv2.cvtColor(placed, cv2.COLOR_BGR2RGB)
        if self._float:
            factor, shift = _SCALES[self.scale]
            tensor = tensor.astype(np.float32) * np.float32(factor) + np.float32(shift)
        return tensor[np.newaxis] if self._batched else tensor


def _capped(size_px: tuple[int, int]) -> tuple[int, int]:
    width, height = size_px
    shrink = min(1.0, MAX_SIDE_PX / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


def _resolved(scale: Scale, dtype: str) -> Scale:
    if scale == "auto":
        return "0..255" if dtype == "uint8" else "0..1"
    if dtype == "uint8" and scale != "0..255":
        raise ConfigError(f"the model takes uint8, which cannot hold {scale}", where="--scale", hint="auto or 0..255")
    return scale


def _placed(image: Image, placement: Placement) -> Image:
    size_px = (placement.width, placement.height)
    if size_px != placement.frame_size_px:
        shrinks = placement.width < image.shape[1]
        image = cv2.resize(image, size_px, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR).astype(
            np.uint8, copy=False
        )
    if size_px == placement.input_size_px:
        return image
    input_width, input_height = placement.input_size_px
    canvas = np.zeros((input_height, input_width, 3), np.uint8)
    canvas[placement.top :, placement.left :][: placement.height, : placement.width] = image
    return canvas
