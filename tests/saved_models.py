"""SavedModels that tests make for themselves: tiny ones with every fault, and a small real SSD-MobileNet."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamer.models.runtimes.tensorflow import import_tensorflow

Tensor = Any
"""TensorFlow comes without types."""

BOXES = ((0.1, 0.2, 0.5, 0.6), (0.3, 0.3, 0.9, 0.8), (0.0, 0.0, 1.0, 1.0))
"""ymin xmin ymax xmax, 0 to 1."""

SCORES = (0.9, 0.8, 0.2)
CLASSES = (1.0, 2.0, 3.0)

API_NAMES = {
    "boxes": "detection_boxes",
    "scores": "detection_scores",
    "classes": "detection_classes",
    "count": "num_detections",
}

SSD_CLASSES = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel")
"""What the untrained network says that it sees; ids from 1."""


def save_constant(
    folder: Path,
    *,
    boxes: ArrayLike = BOXES,
    scores: ArrayLike = SCORES,
    classes: ArrayLike = CLASSES,
    count: float | None = None,
    names: Mapping[str, str | None] | None = None,
    input_shape: tuple[int | None, ...] = (1, None, None, 3),
    input_dtype: str = "uint8",
    signature: str = "serving_default",
    extra_input: bool = False,
    fail_at_call: int = 0,
) -> Path:
    """A detector that says the same of every image.

    names: what its outputs are called, by their part; None leaves one out.
    count: what num_detections says; None for the number of rows.
    fail_at_call: which call, from 1, raises; 0 for none.
    """
    called = {**API_NAMES, **(names or {})}
    rows = {"boxes": boxes, "scores": scores, "classes": classes}
    values = {part: np.asarray(value)[np.newaxis] for part, value in rows.items()}
    values["count"] = np.array([len(np.asarray(scores)) if count is None else count], np.float32)
    values = {part: v.astype(np.float32) if v.dtype == np.float64 else v for part, v in values.items()}

    tf = import_tensorflow()
    calls = tf.Variable(0, dtype=tf.int64)

    def call(image: Tensor, **_: Tensor) -> dict[str, Tensor]:
        checks = []
        if fail_at_call:
            call = calls.assign_add(1)
            checks = [tf.debugging.assert_none_equal(call, tf.constant(fail_at_call, tf.int64), message="it broke")]
        with tf.control_dependencies([*checks, tf.shape(image)]):
            return {name: tf.constant(values[part]) for part, name in called.items() if name is not None}

    specs = {"image": tf.TensorSpec(input_shape, input_dtype, name="image")}
    if extra_input:
        specs["threshold"] = tf.TensorSpec([], tf.float32, name="threshold")
    return _save(call, specs, folder, signature=signature, variables=[calls])


def save_red_finder(
    folder: Path,
    *,
    input_shape: tuple[int | None, ...] = (1, None, None, 3),
    input_dtype: str = "uint8",
    red_from: float = 200,
    other_to: float = 60,
) -> Path:
    """A detector of red: one box around the pixels that are red, its score the share of the box that they fill.

    red_from, other_to: what the red channel must reach, and the others must not, in the values that the model takes.
    """
    tf = import_tensorflow()

    def find_in(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        picture = tf.cast(image, tf.float32)
        red = (picture[..., 0] >= red_from) & (picture[..., 1] <= other_to) & (picture[..., 2] <= other_to)
        size = tf.cast(tf.shape(red), tf.float32)
        at = tf.cast(tf.where(red), tf.float32)
        seen = tf.shape(at)[0] > 0
        low, high = tf.reduce_min(at, axis=0) / size, (tf.reduce_max(at, axis=0) + 1) / size
        filled = tf.cast(tf.shape(at)[0], tf.float32) / tf.reduce_prod((high - low) * size)
        box = tf.where(seen, tf.concat([low, high], 0), tf.zeros(4))
        return box[tf.newaxis], tf.where(seen, filled, 0.0)[tf.newaxis], tf.cast(seen, tf.float32)

    def find(image: Tensor) -> dict[str, Tensor]:
        pictures = image if len(input_shape) == 4 else image[tf.newaxis]
        boxes, scores, count = tf.map_fn(find_in, pictures, fn_output_signature=(tf.float32,) * 3)
        parts = {"boxes": boxes, "scores": scores, "classes": tf.ones_like(scores), "count": count}
        return {API_NAMES[part]: value for part, value in parts.items()}

    return _save(find, {"image": tf.TensorSpec(input_shape, input_dtype, name="image")}, folder)


def build_ssd_mobilenet(folder: Path, *, seed: int = 7) -> Path:
    """An SSD-MobileNet with random weights, exported as the Object Detection API exports: uint8 in, boxes out.

    Depthwise-separable blocks, two feature maps, six anchors a cell, box decoding and non-max suppression in the
    graph. Untrained, but a network: the same picture gives the same boxes, another one gives others.
    """
    tf = import_tensorflow()
    network = SsdMobileNet(seed)

    def detect(input_tensor: Tensor) -> dict[str, Tensor]:
        return network.detect(input_tensor)

    spec = tf.TensorSpec([1, None, None, 3], tf.uint8, name="input_tensor")
    return _save(detect, {"input_tensor": spec}, folder, variables=network.variables)


def save_ssd_labels(folder: Path) -> Path:
    """The label map of the SSD-MobileNet, beside it, where streamer looks for it."""
    path = folder / "label_map.pbtxt"
    items = (f"item {{\n  id: {n}\n  name: '{name}'\n}}\n" for n, name in enumerate(SSD_CLASSES, start=1))
    path.write_text("".join(items), encoding="utf-8")
    return path


class SsdMobileNet:
    """Liu et al., SSD: Single Shot MultiBox Detector, 2016, on MobileNet (Howard et al., 2017) at a quarter width."""

    SIDE_PX = 224
    BLOCKS = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (96, 2), (96, 1), (128, 2))
    MAPS = (6, 7)
    ASPECTS = (1.0, 2.0, 0.5, 3.0, 1 / 3)
    SCALES = (0.2, 0.5, 0.9)
    LOGIT_BIAS = -4.2
    """Untrained logits are about normal: so few of some thousands are above one half."""

    def __init__(self, seed: int) -> None:
        self.variables: list[Tensor] = []
        self._tf = import_tensorflow()
        self._random = np.random.default_rng(seed)
        self.stem = self._weights(3, 3, 3, 16)
        self.depthwise: list[Tensor] = []
        self.pointwise: list[Tensor] = []
        channels = 16
        for width, _ in self.BLOCKS:
            self.depthwise.append(self._weights(3, 3, channels, 1))
            self.pointwise.append(self._weights(1, 1, channels, width))
            channels = width
        anchors = len(self.ASPECTS) + 1
        widths = [self.BLOCKS[n][0] for n in self.MAPS]
        self.box_heads = [self._weights(1, 1, width, anchors * 4) for width in widths]
        self.class_heads = [self._weights(1, 1, width, anchors * len(SSD_CLASSES)) for width in widths]

    def detect(self, image: Tensor) -> dict[str, Tensor]:
        tf = self._tf
        scaled = tf.image.resize(tf.cast(image, tf.float32) / 127.5 - 1.0, [self.SIDE_PX, self.SIDE_PX])
        raw = self.heads(scaled)
        boxes = _decoded(raw["offsets"][0], self.anchors())
        found = tf.image.combined_non_max_suppression(
            boxes[tf.newaxis, :, tf.newaxis],
            tf.sigmoid(raw["logits"]),
            max_output_size_per_class=20,
            max_total_size=100,
            iou_threshold=0.3,
            score_threshold=0.05,
        )
        return {
            "detection_boxes": found.nmsed_boxes,
            "detection_scores": found.nmsed_scores,
            "detection_classes": found.nmsed_classes + 1,
            "num_detections": tf.cast(found.valid_detections, tf.float32),
        }

    def heads(self, scaled: Tensor) -> dict[str, Tensor]:
        """Offsets from the anchors, [1,N,4], and logits, [1,N,classes], of a picture of SIDE_PX in -1..1."""
        tf = self._tf
        offsets, logits = [], []
        for n, feature in enumerate(self._features(scaled)):
            offsets.append(tf.reshape(tf.nn.conv2d(feature, self.box_heads[n], 1, "SAME"), [1, -1, 4]))
            classes = tf.nn.conv2d(feature, self.class_heads[n], 1, "SAME")
            logits.append(tf.reshape(classes, [1, -1, len(SSD_CLASSES)]))
        return {"offsets": tf.concat(offsets, 1), "logits": tf.concat(logits, 1) + self.LOGIT_BIAS}

    def anchors(self) -> NDArray[np.float32]:
        """(N, 4): y, x, height, width of the centre, 0 to 1, in the order of the heads."""
        strides = [int(np.prod([stride for _, stride in self.BLOCKS[: n + 1]])) * 2 for n in self.MAPS]
        return np.concatenate([self._anchors(n, self.SIDE_PX // stride) for n, stride in enumerate(strides)])

    def _features(self, scaled: Tensor) -> list[Tensor]:
        tf = self._tf
        x = _activated(tf.nn.conv2d(scaled, self.stem, 2, "SAME"))
        kept = []
        for n, (_, stride) in enumerate(self.BLOCKS):
            x = _activated(tf.nn.depthwise_conv2d(x, self.depthwise[n], [1, stride, stride, 1], "SAME"))
            x = _activated(tf.nn.conv2d(x, self.pointwise[n], 1, "SAME"))
            if n in self.MAPS:
                kept.append(x)
        return kept

    def _anchors(self, feature: int, cells: int) -> NDArray[np.float32]:
        """(cells * cells * 6, 4): y, x, height, width of the centre, 0 to 1."""
        scale, following = self.SCALES[feature], self.SCALES[feature + 1]
        shapes = [(scale / aspect**0.5, scale * aspect**0.5) for aspect in self.ASPECTS]
        shapes.append(((scale * following) ** 0.5,) * 2)
        centres = (np.arange(cells) + 0.5) / cells
        anchors = [(y, x, height, width) for y in centres for x in centres for height, width in shapes]
        return np.array(anchors, np.float32)

    def _weights(self, *shape: int) -> Tensor:
        spread = (2.0 / np.prod(shape[:3] if shape[3] != 1 else shape[:2])) ** 0.5
        self.variables.append(self._tf.Variable(self._random.normal(0.0, spread, shape).astype(np.float32)))
        return self.variables[-1]


def _activated(x: Tensor) -> Tensor:
    """Normalised over the picture, as batch normalisation would be after training; then ReLU6."""
    tf = import_tensorflow()
    mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
    return tf.nn.relu6((x - mean) * tf.math.rsqrt(variance + 1e-3))


def _decoded(offsets: Tensor, anchors: NDArray[np.float32]) -> Tensor:
    """Offsets of Faster R-CNN's box coder, with the Object Detection API's scale factors 10, 10, 5, 5."""
    tf = import_tensorflow()
    y, x, height, width = np.split(anchors, 4, axis=1)
    ty, tx, th, tw = tf.split(offsets, 4, axis=1)
    cy, cx = ty / 10 * height + y, tx / 10 * width + x
    h, w = tf.exp(th / 5) * height, tf.exp(tw / 5) * width
    return tf.concat([cy - h / 2, cx - w / 2, cy + h / 2, cx + w / 2], axis=1)


def _save(
    call: Callable[..., Mapping[str, Tensor]],
    specs: Mapping[str, Tensor],
    folder: Path,
    *,
    signature: str = "serving_default",
    variables: Sequence[Tensor] = (),
) -> Path:
    tf = import_tensorflow()
    module = tf.Module()
    module.kept = list(variables)
    function = tf.function(call).get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures={signature: function})
    return folder
