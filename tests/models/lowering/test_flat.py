"""A function of TensorFlow made flat gives the same numbers, bit for bit, under the same names."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamer.errors import ModelError
from streamer.models.lowering.flat import FlatGraph, after, before, flat_graph
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow
from tests.models.lowering.graphs import Tensor, flat, kernel, loaded_graph, noise

CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def _nested_calls() -> Callable[[Tensor], dict[str, Tensor]]:
    """Three functions deep, one of them called twice, one giving two tensors of which the second is used first."""
    tf = import_tensorflow()

    @tf.function  # type: ignore[untyped-decorator]
    def innermost(x: Tensor) -> tuple[Tensor, Tensor]:
        return tf.reduce_mean(x, [1, 2]), tf.nn.conv2d(x, kernel(3, 3, 3, 4), 2, "SAME")

    @tf.function  # type: ignore[untyped-decorator]
    def inner(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, features = innermost(x)
        return features, mean

    def outer(image: Tensor) -> dict[str, Tensor]:
        x = tf.cast(image, tf.float32)
        features, mean = inner(x)
        others, _ = inner(x * 0.5 + 1.0)
        return {"features": features, "others": others - mean[:, tf.newaxis, tf.newaxis, :1], "itself": image}

    return outer


def _mapped() -> Callable[[Tensor], dict[str, Tensor]]:
    """A loop over the batch, as the Object Detection API resizes."""
    tf = import_tensorflow()

    def call(image: Tensor) -> dict[str, Tensor]:
        resized = tf.map_fn(
            lambda one: tf.image.resize(one, [32, 48]), tf.cast(image, tf.float32), fn_output_signature=tf.float32
        )
        return {"features": tf.nn.conv2d(resized, kernel(3, 3, 3, 4), 2, "SAME")}

    return call


def _with_variables() -> Callable[[Tensor], dict[str, Tensor]]:
    tf = import_tensorflow()
    weights, bias = tf.Variable(kernel(3, 3, 3, 4)), tf.Variable(kernel(4))

    @tf.function  # type: ignore[untyped-decorator]
    def inner(x: Tensor) -> Tensor:
        return tf.nn.bias_add(tf.nn.conv2d(x, weights, 1, "SAME"), bias)

    return lambda image: {"features": inner(tf.cast(image, tf.float32)), "bias": bias}


def _checked() -> Callable[[Tensor], dict[str, Tensor]]:
    """Assertions that other nodes wait for, inside a function and outside it."""
    tf = import_tensorflow()

    @tf.function  # type: ignore[untyped-decorator]
    def inner(x: Tensor) -> Tensor:
        with tf.control_dependencies([tf.debugging.assert_less(tf.reduce_max(x), 300.0)]):
            return tf.identity(x)

    def call(image: Tensor) -> dict[str, Tensor]:
        x = inner(tf.cast(image, tf.float32))
        with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(x)[3], 3), x]):
            return {"features": tf.reduce_sum(x, [1, 2])}

    return call


FUNCTIONS: dict[str, Callable[[], Callable[[Tensor], dict[str, Tensor]]]] = {
    "nested calls": _nested_calls,
    "a loop over the batch": _mapped,
    "variables": _with_variables,
    "assertions": _checked,
}


@pytest.mark.parametrize("what", FUNCTIONS)
def test_a_flat_graph_gives_what_the_function_gives_bit_for_bit(what: str) -> None:
    graph = loaded_graph(FUNCTIONS[what]())
    made = flat_graph(graph)
    names = list(made.outputs)
    call = made.caller([made.outputs[name] for name in names])
    for seed, size_px in enumerate(((41, 30), (64, 80))):
        picture = noise(size_px, seed)
        wanted = graph.run(picture)
        assert wanted.keys() == set(names)
        for name, array in zip(names, call(picture), strict=True):
            np.testing.assert_array_equal(array, wanted[name], err_msg=name)


@pytest.mark.parametrize("what", FUNCTIONS)
def test_neither_calls_nor_variables_are_left(what: str) -> None:
    nodes = flat(FUNCTIONS[what]()).nodes().values()
    operations = {node.op for node in nodes}
    assert not operations & (CALLS | {"ReadVariableOp", "VarHandleOp"})
    assert sum(node.op == "Placeholder" for node in nodes) == 1


def test_it_knows_shapes_and_kinds_of_numbers() -> None:
    tf = import_tensorflow()
    made = flat(_mapped())
    assert made.image_dtype == np.uint8
    assert made.shape(made.outputs["features"]) == (1, 16, 24, 4)
    assert made.dtype(made.outputs["features"]) == tf.float32.as_datatype_enum


def test_two_pictures_are_refused() -> None:
    tf = import_tensorflow()
    specs = [tf.TensorSpec([1, 8, 8, 3], tf.float32, name=name) for name in ("left", "right")]
    concrete = tf.function(lambda left, right: {"sum": left + right}).get_concrete_function(*specs)
    with pytest.raises(ModelError, match="2 inputs"):
        flat_graph(TensorFlowGraph(concrete, concrete, input_name=None))


def test_a_graph_that_fails_when_it_is_called_is_a_model_error() -> None:
    tf = import_tensorflow()

    def call(image: Tensor) -> dict[str, Tensor]:
        with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(image)[1], 8, message="eight, please")]):
            return {"mean": tf.reduce_mean(tf.cast(image, tf.float32))}

    made = flat(call)
    run = made.caller(list(made.outputs.values()))
    run(noise((8, 8)))
    with pytest.raises(ModelError, match="eight, please"):
        run(noise((8, 9)))


def test_what_comes_before_and_after_a_node() -> None:
    made: FlatGraph = flat(_mapped())
    nodes: dict[str, Any] = made.nodes()
    convolution = next(name for name, node in nodes.items() if node.op == "Conv2D")
    image = made.image.split(":")[0]
    assert image in before(nodes, [convolution])
    assert convolution in after(nodes.values(), [image])
    assert image not in after(nodes.values(), [convolution])
