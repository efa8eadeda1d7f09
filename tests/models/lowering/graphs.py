"""Graphs for the tests of lowering: functions of TensorFlow as the formats load them, and flat."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.models.lowering.flat import FlatGraph, flat_graph
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow

Tensor = Any
"""TensorFlow comes without types."""


def loaded_graph(
    function: Callable[..., Any], *, shape: tuple[int | None, ...] = (1, None, None, 3), dtype: str = "uint8"
) -> TensorFlowGraph:
    """A function of one picture, as one that was loaded."""
    tf = import_tensorflow()
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec(shape, dtype, name="image"))
    return TensorFlowGraph(function, concrete, input_name=None)


def flat(
    function: Callable[..., Any], *, shape: tuple[int | None, ...] = (1, None, None, 3), dtype: str = "uint8"
) -> FlatGraph:
    """The same, flat."""
    return flat_graph(loaded_graph(function, shape=shape, dtype=dtype))


def noise(size_px: tuple[int, int], seed: int = 0) -> NDArray[np.uint8]:
    """A batch of one picture, (1, H, W, 3)."""
    width, height = size_px
    return np.random.default_rng(seed).integers(0, 256, (1, height, width, 3), np.uint8)


def kernel(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Weights of a convolution."""
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)
