"""The network again, in Keras, from the weights that dump.py wrote.

Batch normalisation is folded into the convolutions. Imports no PyTorch: it runs where TensorFlow is. Layers carry the
names of network.py's modules.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Weights = Mapping[str, npt.NDArray[np.float32]]
Tensor = Any

BATCH_NORM_EPSILON = 1e-3
INPUT_MEAN = 127.5
INPUT_SCALE = 1 / 64
STRIDES_PX = (8, 16, 32)
CLASSES = 2


class Twin:
    """Builds the Keras model, layer by layer, and remembers what every named unit answers."""

    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        self._config = config
        self._weights = weights
        self.units: dict[str, Tensor] = {}
        """By the names of network.py: the symbolic outputs, for checking."""

    def build(self, height_px: int | None, width_px: int | None) -> keras.Model:
        """A model of float32 RGB images (N, H, W, 3) in 0..255: logits (N, L, 2) and encoded boxes (N, L, 2, 4)."""
        images = keras.Input((height_px, width_px, 3), name="images")
        features = keras.layers.Rescaling(INPUT_SCALE, offset=-INPUT_MEAN * INPUT_SCALE, name="normalise")(images)
        levels = self._pyramid(self._backbone(features))
        heads = [self._head(f"heads.{index}", level) for index, level in enumerate(levels)]
        logits = keras.layers.Concatenate(axis=1, name="logits")(
            [keras.layers.Reshape((-1, CLASSES), name=f"logits.{row}")(head[0]) for row, head in enumerate(heads)]
        )
        boxes = keras.layers.Concatenate(axis=1, name="boxes")(
            [keras.layers.Reshape((-1, CLASSES, 4), name=f"boxes.{row}")(head[1]) for row, head in enumerate(heads)]
        )
        return keras.Model(images, [logits, boxes], name="faces_and_people")

    def build_probe(self, model: keras.Model) -> keras.Model:
        """The same layers, answering with every unit's output."""
        return keras.Model(model.inputs, self.units)

    def _backbone(self, features: Tensor) -> list[Tensor]:
        features = self._unit("backbone.stem", features, stride=2)
        features = self._unit("backbone.early", features, stride=2)
        for block in range(self._config["early_blocks"]):
            features = self._residual(f"backbone.early_blocks.{block}", features, stride=1)
        levels = []
        for row, stage in enumerate(self._config["stages"]):
            for block in range(stage["blocks"]):
                features = self._residual(f"backbone.stages.{row}.{block}", features, stride=1 if block else 2)
            levels.append(features)
        return levels

    def _pyramid(self, levels: list[Tensor]) -> list[Tensor]:
        levels = [self._unit(f"pyramid.laterals.{row}", level, linear=True) for row, level in enumerate(levels)]
        for row in reversed(range(len(levels) - 1)):
            above = keras.layers.UpSampling2D(2, interpolation="nearest", name=f"pyramid.rise.{row}")(levels[row + 1])
            both = keras.layers.Add(name=f"pyramid.join.{row}")([levels[row], above])
            levels[row] = self._separable(f"pyramid.smooths.{row}", both)
        for row in range(len(levels) - 1):
            below = self._separable(f"pyramid.descents.{row}", levels[row], stride=2)
            levels[row + 1] = keras.layers.Add(name=f"pyramid.add.{row}")([levels[row + 1], below])
        return levels

    def _head(self, name: str, features: Tensor) -> tuple[Tensor, Tensor]:
        answers = []
        for tower, output in (("score_tower", "scores"), ("box_tower", "boxes")):
            tensor = features
            for block in range(self._config["tower_blocks"]):
                tensor = self._separable(f"{name}.{tower}.{block}", tensor)
            kernel, bias = self._weights[f"{name}.{output}.weight"], self._weights[f"{name}.{output}.bias"]
            answers.append(_convolution(f"{name}.{output}", kernel, bias, stride=1)(tensor))
        self.units[f"{name}:0"], self.units[f"{name}:1"] = answers
        return answers[0], answers[1]

    def _residual(self, name: str, features: Tensor, *, stride: int) -> Tensor:
        result = self._unit(f"{name}.expand", features)
        result = self._unit(f"{name}.depthwise", result, stride=stride)
        result = self._unit(f"{name}.project", result, linear=True)
        if stride == 1 and result.shape[-1] == features.shape[-1]:
            result = keras.layers.Add(name=f"{name}.add")([features, result])
        self.units[name] = result
        return result

    def _separable(self, name: str, features: Tensor, *, stride: int = 1) -> Tensor:
        result = self._unit(f"{name}.depthwise", features, stride=stride, linear=True)
        self.units[name] = self._unit(f"{name}.pointwise", result)
        return self.units[name]

    def _unit(self, name: str, features: Tensor, *, stride: int = 1, linear: bool = False) -> Tensor:
        kernel, bias = fold(self._weights, name)
        if stride > 1:  # Keras' own "same" would pad the far side only
            features = keras.layers.ZeroPadding2D(kernel.shape[-1] // 2, name=f"{name}.pad")(features)
        features = _convolution(f"{name}.conv", kernel, bias, stride=stride)(features)
        if not linear:
            features = keras.layers.ReLU(max_value=6.0, name=f"{name}.relu6")(features)
        self.units[name] = features
        return features


def fold(weights: Weights, name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Kernel (out, in, h, w) and bias of a unit's convolution with its batch normalisation folded in."""
    scale = weights[f"{name}.norm.weight"].astype(np.float64) / np.sqrt(
        weights[f"{name}.norm.running_var"].astype(np.float64) + BATCH_NORM_EPSILON
    )
    kernel = weights[f"{name}.conv.weight"] * scale[:, None, None, None]
    bias = weights[f"{name}.norm.bias"] - weights[f"{name}.norm.running_mean"] * scale
    return kernel.astype(np.float32), bias.astype(np.float32)


def _convolution(
    name: str, kernel: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], *, stride: int
) -> keras.layers.Layer:
    """A layer with these weights; a kernel of one input channel and several outputs is depthwise."""
    outputs, inputs, side_px, _ = kernel.shape
    padding = "valid" if stride > 1 else "same"
    if inputs == 1 and outputs > 1:
        layer = keras.layers.DepthwiseConv2D(side_px, strides=stride, padding=padding, name=name)
        layer.build((None, None, None, outputs))
        layer.set_weights([kernel.transpose(2, 3, 0, 1), bias])
    else:
        layer = keras.layers.Conv2D(outputs, side_px, strides=stride, padding=padding, name=name)
        layer.build((None, None, None, inputs))
        layer.set_weights([kernel.transpose(2, 3, 1, 0), bias])
    return layer
