"""From frames to the tensor that a model takes, and the exact way back for its boxes. It follows an InputPlan.

A model that takes any size is given one size a run: every new shape costs memory that TensorFlow never frees.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.models.plan import InputPlan


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a frame lies in a model's input; all in pixels of the input.

    left, top: where the frame begins; less than 0 where its edges are cut off. width, height: how large the whole frame
    is there. What it does not cover is black.
    """

    frame_size_px: tuple[int, int]
    input_size_px: tuple[int, int]
    left: float
    top: float
    width: float
    height: float

    def boxes_to_frame(self, boxes: NDArray[Any]) -> NDArray[np.float64]:
        """(N, 4) x1 y1 x2 y2 in pixels of the input -> the same in pixels of the frame."""
        (frame_width, frame_height), xyxy = self.frame_size_px, np.asarray(boxes, np.float64)
        scale = frame_width / self.width, frame_height / self.height
        with np.errstate(invalid="ignore", over="ignore"):
            return (xyxy - (self.left, self.top) * 2) * (scale * 2)


class ImageInput:
    """The input of one model, with the size that it has in this run."""

    def __init__(self, plan: InputPlan) -> None:
        self._plan = plan
        self._dtype = np.dtype(plan.spec.dtype)
        mean, std = np.array(plan.mean), np.array(plan.std)
        self._factor, self._shift = (1 / std).astype(np.float32), (mean / std).astype(np.float32)
        self._values = _values_of_pixels(plan, self._dtype)
        self._untouched = self._values is not None and all((row == np.arange(256)).all() for row in self._values)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of what the model is given."""
        return self._plan.size_px

    @property
    def batch(self) -> int:
        """How many images the model takes at once."""
        return self._plan.batch or 1

    def place(self, frame_size_px: tuple[int, int]) -> Placement:
        """Where a frame of this size goes: stretched over all of it, whole in its middle, or filling it, edges cut."""
        (width, height), (input_width, input_height) = frame_size_px, self.size_px
        if self._plan.fit == "stretch":
            return Placement(frame_size_px, self.size_px, 0, 0, input_width, input_height)
        if self._plan.fit == "crop":
            return _cropped(frame_size_px, self.size_px)
        ratio = min(input_width / width, input_height / height)
        placed_width = min(input_width, max(1, round(width * ratio)))
        placed_height = min(input_height, max(1, round(height * ratio)))
        left, top = (input_width - placed_width) // 2, (input_height - placed_height) // 2
        return Placement(frame_size_px, self.size_px, left, top, placed_width, placed_height)

    def to_tensor(self, *images: Image) -> NDArray[Any]:
        """Frames, (H, W, 3) uint8 BGR, as the model takes them: sized, in its order and range, a batch for most.

        images: at least one, at most `batch`; what is left of a batch is zero.
        """
        tensors = [self._tensor(image) for image in images]
        if self._plan.batch is None:
            return tensors[0]
        if self._plan.batch == 1:
            return tensors[0][np.newaxis]
        missing = self._plan.batch - len(tensors)
        return np.stack([*tensors, *(np.zeros_like(tensors[0]) for _ in range(missing))])

    def _tensor(self, image: Image) -> NDArray[Any]:
        tensor: NDArray[Any] = placed(image, self.place((image.shape[1], image.shape[0])))
        if self._plan.channel_order == "rgb":
            tensor = cv2.cvtColor(tensor, cv2.COLOR_BGR2RGB)
        if self._values is None:
            tensor = (tensor.astype(np.float32) * self._factor - self._shift).astype(self._dtype, copy=False)
        elif not self._untouched:
            tensor = np.stack([self._values[channel][tensor[..., channel]] for channel in range(3)], axis=-1)
        else:
            tensor = tensor.astype(self._dtype, copy=False)
        return np.ascontiguousarray(tensor.transpose(2, 0, 1)) if self._plan.layout == "nchw" else tensor


def _values_of_pixels(plan: InputPlan, dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """(3, 256): the integer that stands for each value of a pixel, a row for each channel; None for floats."""
    if dtype.kind not in "iu":
        return None
    pixels = np.arange(256.0)
    rows = [(pixels - mean) / std for mean, std in zip(plan.mean, plan.std, strict=True)]
    quantization = plan.spec.quantization
    if quantization is not None:
        rows = [row / quantization.scale + quantization.zero_point for row in rows]
    limits = np.iinfo(dtype)
    return np.clip(np.rint(rows), limits.min, limits.max).astype(dtype)


def _cropped(frame_size_px: tuple[int, int], input_size_px: tuple[int, int]) -> Placement:
    """The middle of the frame fills the input; what is taken from the frame is a whole number of its pixels."""
    (width, height), (input_width, input_height) = frame_size_px, input_size_px
    ratio = max(input_width / width, input_height / height)
    kept_width = min(width, max(1, round(input_width / ratio)))
    kept_height = min(height, max(1, round(input_height / ratio)))
    scale_x, scale_y = input_width / kept_width, input_height / kept_height
    left, top = -((width - kept_width) // 2) * scale_x, -((height - kept_height) // 2) * scale_y
    return Placement(frame_size_px, input_size_px, left, top, width * scale_x, height * scale_y)


def placed(image: Image, placement: Placement) -> Image:
    """The frame as it lies in the input; itself, not a copy, where it has just that size."""
    input_width, input_height = placement.input_size_px
    if placement.width > input_width or placement.height > input_height:
        scale_x, scale_y = placement.width / image.shape[1], placement.height / image.shape[0]
        left, top = round(-placement.left / scale_x), round(-placement.top / scale_y)
        kept_width, kept_height = round(input_width / scale_x), round(input_height / scale_y)
        image = image[top : top + kept_height, left : left + kept_width]
        return _resized(image, placement.input_size_px)
    left, top, width, height = map(round, (placement.left, placement.top, placement.width, placement.height))
    image = _resized(image, (width, height))
    if (width, height) == placement.input_size_px:
        return image
    canvas = np.zeros((input_height, input_width, 3), np.uint8)
    canvas[top : top + height, left : left + width] = image
    return canvas


def _resized(image: Image, size_px: tuple[int, int]) -> Image:
    if size_px == (image.shape[1], image.shape[0]):
        return image
    shrinks = size_px[0] < image.shape[1]
    resized = cv2.resize(image, size_px, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.astype(np.uint8, copy=False)
