"""Where a network begins, and the graph that is left when the picture is given there."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models import MODEL_INSIDE
from streamer.models.formats.savedmodel import load_saved_model
from streamer.models.lowering.flat import FlatGraph, flat_graph
from streamer.models.lowering.network import FRAME_SHAPE, INPUT, Network, cut_network, network_input
from streamer.models.lowering.tensorflow_network import TensorFlowNetwork
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow
from tests.models.lowering.graphs import Tensor, flat, kernel, noise

SIZE = (32, 48)
"""(height, width) of what the networks here take."""


def _features(x: Tensor) -> Tensor:
    return import_tensorflow().nn.conv2d(x, kernel(3, 3, 3, 4), 2, "SAME")


def _resized(image: Tensor) -> Tensor:
    tf = import_tensorflow()
    return tf.image.resize(tf.cast(image, tf.float32), SIZE)


def _behind_padding(image: Tensor) -> dict[str, Tensor]:
    tf = import_tensorflow()
    padded = tf.pad(_resized(image) / 255.0, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return {"features": tf.nn.conv2d(padded, kernel(3, 3, 3, 4), 2, "VALID")}


def _behind_a_loop(image: Tensor) -> dict[str, Tensor]:
    tf = import_tensorflow()
    resized = tf.map_fn(lambda one: tf.image.resize(one, SIZE), tf.cast(image, tf.float32))
    return {"features": _features(tf.ensure_shape(resized, [1, *SIZE, 3]) / 127.5 - 1.0)}


def _behind_nothing(image: Tensor) -> dict[str, Tensor]:
    return {"features": _features(_resized(image))}


@pytest.mark.parametrize("function", [_behind_padding, _behind_a_loop, _behind_nothing])
def test_the_network_begins_at_its_first_convolution_behind_all_that_resizes(
    function: Callable[[Tensor], dict[str, Tensor]],
) -> None:
    made = flat(function)
    begin = network_input(made)
    assert made.shape(begin) == (1, *SIZE, 3)
    network = cut_network(made, begin, (1, *SIZE, 3), made.outputs)
    assert network.inputs == {INPUT: ("float32", (1, *SIZE, 3))}
    picture = noise((90, 70))
    (fed,) = made.caller([begin])(picture)
    (wanted,) = made.caller([made.outputs["features"]])(picture)
    cut = network.flat()
    (given,) = cut.caller([cut.outputs["features"]])(fed)
    np.testing.assert_array_equal(given, wanted)
    assert not {node.op for node in network.definition.node} & {"ResizeBilinear", "While", "StatelessWhile"}


def test_several_beginnings_are_refused() -> None:
    def call(image: Tensor) -> dict[str, Tensor]:
        x = _resized(image)
        return {"one": _features(x), "other": _features(x * 0.5)}

    with pytest.raises(ModelError, match="in 2 places"):
        network_input(flat(call))


def test_branches_of_one_beginning_are_one() -> None:
    def call(image: Tensor) -> dict[str, Tensor]:
        x = _resized(image)
        return {"one": _features(x), "other": import_tensorflow().nn.relu(_features(x))}

    made = flat(call)
    assert made.shape(network_input(made)) == (1, *SIZE, 3)


def test_a_graph_without_convolutions_has_no_beginning() -> None:
    with pytest.raises(ModelError, match="in 0 places"):
        network_input(flat(lambda image: {"mean": import_tensorflow().reduce_mean(_resized(image), [1, 2])}))


def test_outputs_that_need_more_of_the_picture_are_refused() -> None:
    def call(image: Tensor) -> dict[str, Tensor]:
        tf = import_tensorflow()
        return {"features": _features(_resized(image)) + tf.reduce_max(tf.cast(image, tf.float32))}

    made = flat(call)
    with pytest.raises(ModelError, match="depend on the picture"):
        cut_network(made, network_input(made), (1, *SIZE, 3), made.outputs)


def test_what_is_the_same_for_every_picture_is_left_out_and_named() -> None:
    def call(image: Tensor) -> dict[str, Tensor]:
        tf = import_tensorflow()
        return {"features": _features(_resized(image)), "count": tf.constant([100.0])}

    made = flat(call)
    network = cut_network(made, network_input(made), (1, *SIZE, 3), made.outputs)
    assert network.fixed == ("count",)
    assert set(network.outputs) == {"features"}


def test_a_graph_that_says_the_same_of_every_picture_is_no_network() -> None:
    made = flat(lambda image: {"count": import_tensorflow().constant([100.0]), "itself": image})
    with pytest.raises(ModelError, match="the same for every picture"):
        cut_network(made, made.image, (1, *SIZE, 3), {"count": made.outputs["count"]}, image_dtype="uint8")


def test_the_whole_graph_is_a_network_whose_picture_is_the_signatures() -> None:
    made = flat(_behind_nothing)
    network = cut_network(made, made.image, (1, 70, 90, 3), made.outputs, image_dtype="uint8")
    assert network.inputs == {INPUT: ("uint8", (1, 70, 90, 3))}
    picture = noise((90, 70))
    cut = network.flat()
    (given,), (wanted,) = (graph.caller([graph.outputs["features"]])(picture) for graph in (cut, made))
    np.testing.assert_array_equal(given, wanted)


def _in_px(image: Tensor) -> dict[str, Tensor]:
    """Boxes in pixels of the picture, as many detectors give them."""
    tf = import_tensorflow()
    size = tf.cast(tf.shape(image)[1:3], tf.float32)
    boxes = tf.reshape(tf.sigmoid(_features(_resized(image))), [1, -1, 4])
    return {"boxes": boxes * tf.concat([size, size], 0)}


@pytest.fixture(scope="module")
def model_inside() -> FlatGraph:
    loaded = load_saved_model(MODEL_INSIDE, signature=None)
    assert isinstance(loaded.graph, TensorFlowGraph)
    return flat_graph(loaded.graph)


def _run(network: Network, tensor: NDArray[np.float32], size_px: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
    is_sized = FRAME_SHAPE in network.inputs
    run = TensorFlowNetwork(network.definition.SerializeToString(), outputs=network.outputs, frame_shape=is_sized)
    return run.run(tensor, frame_size_px=size_px)


def test_boxes_that_depend_on_the_pictures_shape_are_given_it() -> None:
    made = flat(_in_px)
    network = cut_network(made, network_input(made), (1, *SIZE, 3), made.outputs)
    assert network.inputs[FRAME_SHAPE] == ("int32", (4,))
    with pytest.raises(ModelError, match="size of the picture"):
        network.flat()
    for size_px in ((90, 70), (31, 200)):
        picture = noise(size_px)
        (fed,) = made.caller([network_input(made)])(picture)
        (wanted,) = made.caller([made.outputs["boxes"]])(picture)
        np.testing.assert_array_equal(_run(network, fed, size_px)["boxes"], wanted)


def test_the_model_inside_can_be_cut_behind_its_resize(model_inside: FlatGraph) -> None:
    begin = network_input(model_inside)
    size_px = (300, 210)
    (fed,) = model_inside.caller([begin])(noise(size_px))
    names = ["detection_boxes", "detection_scores", "raw_detection_boxes"]
    network = cut_network(model_inside, begin, fed.shape, {name: model_inside.outputs[name] for name in names})
    wanted = model_inside.caller([model_inside.outputs[name] for name in names])(noise(size_px))
    given = _run(network, fed, size_px)
    assert FRAME_SHAPE in network.inputs
    for name, array in zip(names, wanted, strict=True):
        np.testing.assert_array_equal(given[name], array, err_msg=name)


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(ModelLoadError, match="TensorFlow does not take it"):
        TensorFlowNetwork(b"junk, not a graph", outputs={"boxes": "b"}, frame_shape=False)
