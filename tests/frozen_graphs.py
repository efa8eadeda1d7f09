"""Frozen graphs that tests make for themselves, as TensorFlow 1 and 2 write them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from streamer.models.runtimes.tensorflow import import_tensorflow

Tensor = Any
"""TensorFlow comes without types."""


def save_graph(path: Path, build: Callable[[Any], object]) -> Path:
    """The graph of whatever `build` adds to it; it is given tf.compat.v1."""
    tf = import_tensorflow()
    graph = tf.Graph()
    with graph.as_default():
        build(tf.compat.v1)
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def api_graph(v1: Any) -> None:
    """As the Object Detection API froze its graphs: image_tensor, four outputs, and one that another node consumes."""
    image = v1.placeholder(v1.uint8, [None, None, None, 3], name="image_tensor")
    seen = v1.cast(v1.reduce_max(image), v1.float32) / 255.0
    boxes = v1.constant(np.array([[[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0]]], np.float32))
    raw = v1.identity(boxes + 0.0 * seen, name="raw_detection_boxes")
    v1.identity(raw, name="detection_boxes")
    v1.identity(v1.constant([[0.9, 0.4]]) * seen, name="detection_scores")
    v1.identity(v1.constant([[1.0, 2.0]]), name="detection_classes")
    v1.identity(v1.constant([2.0]), name="num_detections")


def graph_with_switches(v1: Any) -> None:
    """Raw heads behind dropout and batch normalisation that are told whether they are in training."""
    image = v1.placeholder(v1.float32, [None, 32, 48, 3], name="input")
    training = v1.placeholder(v1.bool, name="is_training")
    keep = v1.placeholder(v1.float32, name="keep_prob")
    rate = v1.placeholder(v1.float32, [], name="dropout_rate")
    threshold = v1.placeholder_with_default(0.5, [], name="threshold")
    shared = v1.cond(training, lambda: image * 0.0, lambda: image * keep * (1.0 - rate))
    weights = v1.constant(np.full((3, 6), 0.5, np.float32))
    heads = v1.tensordot(shared, weights, 1)
    v1.reshape(heads[..., :4], [-1, 1536, 4], name="loc")
    v1.sigmoid(heads[..., 4:] - threshold, name="cls")
    with v1.control_dependencies([v1.debugging.assert_equal(v1.shape(image)[3], 3)]):
        v1.no_op(name="checked")


def graph_with_loop(v1: Any) -> None:
    """A loop of TensorFlow 1, whose body has an end of its own that nobody can ask for."""
    v1.disable_control_flow_v2()
    try:
        image = v1.placeholder(v1.float32, [1, None, None, 3], name="image")

        def body(number: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            v1.identity(total * 3.0, name="left_over")
            return number + 1, total + 1.0

        _, total = v1.while_loop(lambda number, _: number < 3, body, [0, v1.reduce_mean(image)])
        v1.identity(total, name="out")
    finally:
        v1.enable_control_flow_v2()


def unknown_shape_graph(v1: Any) -> None:
    """A placeholder that does not say its shape, and quantised weights, as OpenCV's face detector has them."""
    image = v1.placeholder(v1.float32, name="data")
    small = v1.constant(np.array([0, 128, 255], np.uint8))
    scale = v1.quantization.dequantize(v1.bitcast(small, v1.quint8), 0.0, 1.0)
    v1.multiply(image, scale, name="scaled")


def unfrozen_graph(v1: Any) -> None:
    """Variables without values."""
    image = v1.placeholder(v1.float32, [1, 4, 4, 3], name="input")
    v1.identity(image * v1.get_variable("weight", [3], use_resource=False), name="out")


def save_frozen_function(path: Path, network: Callable[[Tensor], Any], *, spec: Tensor) -> Path:
    """A function of TensorFlow 2 with its variables made constant."""
    tf = import_tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2  # noqa: PLC0415

    function = convert_variables_to_constants_v2(tf.function(network).get_concrete_function(spec))
    path.write_bytes(function.graph.as_graph_def().SerializeToString())
    return path
