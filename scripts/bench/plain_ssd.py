#!/usr/bin/env python3
"""A plain SSD-MobileNetV2 with random weights, to measure on what everybody has, where nothing can be downloaded.

    python scripts/bench/plain_ssd.py FOLDER [--side 320] [--classes 90] [--nms combined|per-class] [--like CLIP]

Writes a SavedModel into FOLDER: uint8 [1,?,?,3] in; resize and normalisation, MobileNetV2, SSDLite heads on six maps,
2,034 anchors at 320, decoded boxes, a sigmoid for each class, and non-max suppression in the graph; outputs are called
as the Object Detection API calls them. It has seen nothing, but its numbers are those of a trained one: the statistics
of its batch normalisation are of pictures, and a handful of boxes a picture have a score above one half. The same
arguments give the same model. --like: a video or pictures to take them of, so that it sees as few boxes there as a
trained one would.

--nms: combined is one CombinedNonMaxSuppression; per-class is a NonMaxSuppressionV5 for each class and a sort of what
they leave, as the Object Detection API does it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.models.lowering.scenery import texture
from streamer.models.runtimes.tensorflow import import_tensorflow
from streamer.sources.glances import glances

Tensor = Any
Model = Any
"""TensorFlow comes without types."""

Nms = Literal["combined", "per-class"]

SEED = 7
MAPS = 6
BACKBONE_MAPS = ("block_13_expand_relu", "out_relu")
EXTRA_CHANNELS = (512, 256, 256, 128)
FIRST_SHAPES = ((0.1, 1.0), (0.2, 2.0), (0.2, 0.5))
"""Scale and aspect on the first map, which has fewer, as reduce_boxes_in_lowest_layer of the API makes it."""
ASPECTS = (1.0, 2.0, 0.5, 3.0, 1 / 3)
SCALES = (*np.linspace(0.2, 0.95, MAPS).tolist(), 1.0)
"""Of anchors; the last one is for the additional square of the last map."""
BOX_SCALES = (10.0, 10.0, 5.0, 5.0)
"""Of Faster R-CNN's box coder, as the API has them."""

IOU = 0.6
LEAST_SCORE = 1e-8
MOST = 100
ABOVE_HALF = 20
"""So many scores of a calibration picture, before suppression."""
LOGIT_SPREAD = 1.0
"""So that few scores lie between nothing and one half, as in a trained network."""
CALIBRATION_PICTURES = 8


class PlainSsd:
    """Liu et al., SSD, 2016, with the separable heads of Sandler et al., MobileNetV2, 2018.

    side: of the square that a picture is brought to, px. width: of MobileNetV2, its alpha. pictures: (H, W, 3) uint8
    BGR, whose statistics it takes.
    """

    def __init__(self, *, side: int, classes: int, nms: Nms, width: float, pictures: Sequence[Image]) -> None:
        self._tf = import_tensorflow()
        self._tf.keras.utils.set_random_seed(SEED)
        self._side, self._classes, self._nms, self._pictures = side, classes, nms, pictures
        self.network = self._network(width)
        self._calibrate()
        self.anchors = anchors(self._maps)

    def detect(self, input_tensor: Tensor) -> dict[str, Tensor]:
        """The signature: [1,H,W,3] uint8 to finished detections."""
        tf = self._tf
        resized = tf.image.resize(tf.cast(input_tensor, tf.float32), [self._side, self._side])
        offsets, logits = self.network(resized / 127.5 - 1.0, training=False)
        boxes, scores = self._decoded(offsets[0]), tf.sigmoid(logits[0])
        found = self._combined(boxes, scores) if self._nms == "combined" else self._per_class(boxes, scores)
        names = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
        return {name: value[tf.newaxis] for name, value in zip(names, found, strict=True)}

    def save(self, folder: Path) -> None:
        """As a SavedModel."""
        tf = self._tf
        module = tf.Module()
        module.network = self.network
        spec = tf.TensorSpec([1, None, None, 3], tf.uint8, name="input_tensor")
        function = tf.function(self.detect, autograph=False)
        tf.saved_model.save(module, str(folder), signatures=function.get_concrete_function(spec))

    def _network(self, width: float) -> Model:
        """From [1,side,side,3] in -1..1 to offsets [1,N,4] and logits [1,N,classes]."""
        keras = self._tf.keras
        backbone = keras.applications.MobileNetV2(
            (self._side, self._side, 3), alpha=width, include_top=False, weights=None
        )
        maps = [backbone.get_layer(name).output for name in BACKBONE_MAPS]
        for channels in EXTRA_CHANNELS:
            x = self._normalised(keras.layers.Conv2D(channels // 2, 1, use_bias=False)(maps[-1]))
            x = self._normalised(keras.layers.DepthwiseConv2D(3, 2, "same", use_bias=False)(x))
            maps.append(self._normalised(keras.layers.Conv2D(channels, 1, use_bias=False)(x)))
        self._maps = [(int(tensor.shape[1]), int(tensor.shape[2])) for tensor in maps]
        heads = [
            [self._head(tensor, columns, name=f"{name}_{n}") for n, tensor in enumerate(maps)]
            for name, columns in (("offsets", 4), ("logits", self._classes))
        ]
        return keras.Model(backbone.input, [keras.layers.Concatenate(1)(parts) for parts in heads])

    def _normalised(self, x: Tensor) -> Tensor:
        layers = self._tf.keras.layers
        return layers.ReLU(6.0)(layers.BatchNormalization(epsilon=1e-3)(x))

    def _head(self, feature: Tensor, columns: int, *, name: str) -> Tensor:
        layers = self._tf.keras.layers
        shapes = len(FIRST_SHAPES) if name.endswith("_0") else len(ASPECTS) + 1
        x = self._normalised(layers.DepthwiseConv2D(3, 1, "same", use_bias=False)(feature))
        x = layers.Conv2D(shapes * columns, 1, name=name)(x)
        return layers.Reshape([-1, columns])(x)

    def _calibrate(self) -> None:
        """Let batch normalisation take its statistics from pictures, and bring what the heads give to usual values."""
        tf, network = self._tf, self.network
        size_px = self._side, self._side
        pictures = np.stack([cv2.resize(picture, size_px)[..., ::-1] for picture in self._pictures])
        given = tf.constant(pictures / np.float32(127.5) - np.float32(1))
        normalising = [layer for layer in network.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
        for layer in normalising:
            layer.momentum = 0.0
        network(given, training=True)
        for layer in normalising:
            layer.momentum = 0.99
        for n in range(MAPS):
            self._spread(f"offsets_{n}", given, spread=1.0)
            self._spread(f"logits_{n}", given, spread=LOGIT_SPREAD)
        logits = np.sort(network(given, training=False)[1].numpy().reshape(-1))
        bias = -float(logits[-ABOVE_HALF * len(self._pictures)])
        for n in range(MAPS):
            layer = network.get_layer(f"logits_{n}")
            layer.bias.assign_add(tf.fill(layer.bias.shape, bias))

    def _spread(self, name: str, given: Tensor, *, spread: float) -> None:
        """Scale the weights of one layer so that what it gives has no mean and the standard deviation `spread`."""
        layer = self.network.get_layer(name)
        values = self._tf.keras.Model(self.network.input, layer.output)(given, training=False).numpy()
        factor = spread / max(float(values.std()), 1e-6)
        layer.kernel.assign(layer.kernel * factor)
        layer.bias.assign_sub(values.mean(axis=(0, 1, 2)) * factor)

    def _decoded(self, offsets: Tensor) -> Tensor:
        """[N,4] ymin xmin ymax xmax, 0 to 1."""
        tf = self._tf
        y, x, height, width = np.split(self.anchors, 4, axis=1)
        ty, tx, th, tw = tf.split(offsets / np.array(BOX_SCALES, np.float32), 4, axis=1)
        cy, cx = ty * height + y, tx * width + x
        h, w = tf.exp(th) * height, tf.exp(tw) * width
        return tf.clip_by_value(tf.concat([cy - h / 2, cx - w / 2, cy + h / 2, cx + w / 2], axis=1), 0.0, 1.0)

    def _combined(self, boxes: Tensor, scores: Tensor) -> Sequence[Tensor]:
        tf = self._tf
        found = tf.image.combined_non_max_suppression(
            boxes[tf.newaxis, :, tf.newaxis],
            scores[tf.newaxis],
            max_output_size_per_class=MOST,
            max_total_size=MOST,
            iou_threshold=IOU,
            score_threshold=LEAST_SCORE,
        )
        count = tf.cast(found.valid_detections[0], tf.float32)
        return found.nmsed_boxes[0], found.nmsed_scores[0], found.nmsed_classes[0] + 1, count

    def _per_class(self, boxes: Tensor, scores: Tensor) -> Sequence[Tensor]:
        tf = self._tf
        rows, kept, classes = [], [], []
        for n in range(self._classes):
            chosen, values = tf.image.non_max_suppression_with_scores(
                boxes, scores[:, n], MOST, iou_threshold=IOU, score_threshold=LEAST_SCORE
            )
            rows.append(tf.gather(boxes, chosen))
            kept.append(values)
            classes.append(tf.fill(tf.shape(values), float(n + 1)))
        flat = tf.concat(kept, 0)
        count = tf.minimum(MOST, tf.shape(flat)[0])
        best, order = tf.math.top_k(flat, count)
        missing = MOST - count
        found = tf.pad(tf.gather(tf.concat(rows, 0), order), [[0, missing], [0, 0]])
        labels = tf.pad(tf.gather(tf.concat(classes, 0), order), [[0, missing]])
        parts = (found, tf.pad(best, [[0, missing]]), labels)
        shapes = ([MOST, 4], [MOST], [MOST])
        shaped = (tf.ensure_shape(part, shape) for part, shape in zip(parts, shapes, strict=True))
        return *shaped, tf.cast(count, tf.float32)


def anchors(maps: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    """(N, 4): y, x, height, width of the centre, 0 to 1, in the order of the heads. maps: (rows, columns) of each."""
    found = []
    for n, (rows, columns) in enumerate(maps):
        shapes = list(FIRST_SHAPES) if n == 0 else [(SCALES[n], aspect) for aspect in ASPECTS]
        sides = [(scale / aspect**0.5, scale * aspect**0.5) for scale, aspect in shapes]
        if n:
            sides.append(((SCALES[n] * SCALES[n + 1]) ** 0.5,) * 2)
        found += [
            ((row + 0.5) / rows, (column + 0.5) / columns, *side)
            for row in range(rows)
            for column in range(columns)
            for side in sides
        ]
    return np.array(found, np.float32)


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=320, help="px of the square that pictures are brought to")
    parser.add_argument("--classes", type=int, default=90)
    parser.add_argument("--nms", choices=get_args(Nms), default="combined")
    parser.add_argument("--width", type=float, default=1.0, help="of MobileNetV2, its alpha")
    parser.add_argument("--like", metavar="CLIP", help="pictures of what it is to be run on")
    asked = parser.parse_args()
    seen = [texture((asked.side, asked.side), seed) for seed in range(CALIBRATION_PICTURES)]
    if asked.like is not None:
        seen = glances(asked.like, count=CALIBRATION_PICTURES)
    model = PlainSsd(side=asked.side, classes=asked.classes, nms=asked.nms, width=asked.width, pictures=seen)
    model.save(asked.folder)
    print(f"{asked.folder}: {model.network.count_params():,} weights, {len(model.anchors):,} anchors")


if __name__ == "__main__":
    main()
