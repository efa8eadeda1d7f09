"""What range of numbers a model takes is told by what its graph does first with them, in every form."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.models.formats.frozen_graph import load_frozen_graph
from streamer.models.formats.keras import load_keras
from streamer.models.formats.rescaling import Operation, range_of, told_range
from streamer.models.formats.savedmodel import load_saved_model
from streamer.models.formats.tflite import load_tflite
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.frozen_graphs import save_frozen_function
from tests.keras_models import save_keras, writing
from tests.tflite_models import converted, network

Tensor = Any

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

Step = tuple[str, Any]


class Chain:
    """A graph of one step behind the other: x0, x1, ... with the constant c0 in the step from x0."""

    def __init__(self, *steps: Step, first: bool = True) -> None:
        self._steps = steps
        self._first = first

    def readers(self, tensor: str) -> list[Operation]:
        number = int(tensor[1:])
        if number >= len(self._steps):
            return []
        kind, value = self._steps[number]
        inputs = (tensor,) if value is None else (tensor, f"c{number}") if self._first else (f"c{number}", tensor)
        return [Operation(kind, f"op{number}", inputs, f"x{number + 1}")]

    def constant(self, tensor: str) -> Any:
        return np.asarray(self._steps[int(tensor[1:])][1]) if tensor.startswith("c") else None

    def inside(self, operation: Operation, tensor: str) -> None:
        pass


TOLD = {
    "a 255th": ([("Mul", 1 / 255)], "0..255"),
    "over 255": ([("RealDiv", 255.0)], "0..255"),
    "over 127.5, less 1": ([("Div", 127.5), ("Sub", 1.0)], "0..255"),
    "less 127, over 128": ([("Sub", 127.0), ("Mul", 1 / 128)], "0..255"),
    "less the means of Caffe": ([("Sub", [103.94, 116.78, 123.68])], "0..255"),
    "ImageNet, of pixels": ([("Sub", MEAN * 255), ("RealDiv", STD * 255)], "0..255"),
    "ImageNet, of fractions": ([("Sub", MEAN), ("RealDiv", STD)], "0..1"),
    "cast before": ([("Cast", None), ("Transpose", None), ("Mul", 1 / 255)], "0..255"),
    "a 255th, then what was learnt": ([("Mul", 1 / 255), ("Mul", [1.7, 0.3, 2.2]), ("Add", [0.1, 0.2, 0.3])], "0..255"),
    "twice, less 1": ([("Mul", 2.0), ("AddV2", -1.0)], "0..1"),
    "less a half": ([("Sub", 0.5)], "0..1"),
    "255 times": ([("Mul", 255.0)], "0..1"),
    "half, and a half": ([("Mul", 0.5), ("Add", 0.5)], "-1..1"),
    "127.5 times, and 127.5": ([("Mul", 127.5), ("Add", 127.5)], "-1..1"),
    "nothing": ([("Identity", None)], None),
    "times 1": ([("Mul", 1.0)], None),
    "a little shift": ([("Sub", MEAN), ("Conv2D", None)], None),
    "what was learnt": ([("Mul", [1.7, 0.3, 2.2]), ("Add", [0.1, 0.2, 0.3])], None),
    "mirrored values": ([("Mul", -1 / 255)], None),
    "not a number for each channel": ([("Mul", [1 / 255] * 4)], None),
    "behind a convolution": ([("Conv2D", None), ("Mul", 1 / 255)], None),
}


@pytest.mark.parametrize(("steps", "told"), TOLD.values(), ids=TOLD)
def test_the_first_steps_tell_the_range_or_nothing(steps: list[Step], told: str | None) -> None:
    assert told_range(Chain(*steps), "x0") == told


def test_what_is_taken_from_a_constant_is_no_picture_less_something() -> None:
    assert told_range(Chain(("Sub", 255.0), ("Mul", 1 / 255), first=False), "x0") is None


def test_a_chain_without_an_end_is_left() -> None:
    class Ring(Chain):
        def readers(self, tensor: str) -> list[Operation]:
            return [Operation("Identity", "again", (tensor,), tensor)]

    assert told_range(Ring(), "x0") is None


def test_the_ends_of_a_range_may_be_a_little_off() -> None:
    assert [range_of(*ends) for ends in ((0, 0.996), (-1, 0.9922), (0, 254), (-2.1, 2.6), (0, 6))] == [
        "0..1",
        "-1..1",
        "0..255",
        None,
        None,
    ]


def _boxes(scaled: Callable[[Tensor], Tensor]) -> Callable[[Tensor], dict[str, Tensor]]:
    """A network of two outputs behind the picture. The converter to TFLite folds factors into a convolution."""
    tf = import_tensorflow()

    def call(image: Tensor) -> dict[str, Tensor]:
        features = tf.nn.conv2d(tf.nn.max_pool2d(scaled(image), 2, 2, "VALID"), tf.ones([2, 2, 3, 5]), 2, "VALID")
        cells = tf.reshape(features, [1, 4, 5])
        return {"boxes": cells[..., :4], "scores": tf.sigmoid(cells[..., 4])}

    return call


FIRST_STEPS: dict[str, tuple[Callable[[Tensor], Tensor], str | None]] = {
    "255": (lambda image: image / 255.0, "0..255"),
    "127.5": (lambda image: image / 127.5 - 1.0, "0..255"),
    "twice": (lambda image: image * 2.0 - 1.0, "0..1"),
    "ImageNet": (lambda image: (image - MEAN.astype("f4")) / STD.astype("f4"), "0..1"),
    "as it is": (lambda image: image, None),
}


@pytest.mark.parametrize(("scaled", "told"), FIRST_STEPS.values(), ids=FIRST_STEPS)
def test_every_form_of_one_network_tells_the_same(
    scaled: Callable[[Tensor], Tensor], told: str | None, tmp_path: Path
) -> None:
    tf = import_tensorflow()
    spec = tf.TensorSpec([1, 8, 8, 3], tf.float32, name="image")
    call = _boxes(scaled)
    module = tf.Module()
    module.call = tf.function(call, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.call.get_concrete_function())
    frozen = save_frozen_function(tmp_path / "frozen.pb", call, spec=spec)
    lite = tmp_path / "lite.tflite"
    lite.write_bytes(converted(call, (1, 8, 8, 3)))
    loaded = [load_saved_model(tmp_path / "saved", signature=None), load_frozen_graph(frozen), load_tflite(lite)]
    assert [model.hints.value_range for model in loaded] == [told] * 3
    for model in loaded:
        model.graph.close()


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_rescaling_layer_that_stands_first_tells(ending: str, tmp_path: Path) -> None:
    loaded = load_keras(save_keras(tmp_path / f"model{ending}"), trust=False)
    assert loaded.hints.value_range == "0..255"
    loaded.graph.close()


@pytest.mark.parametrize("saved_as", ["model.keras", "exported"])
def test_a_normalisation_that_was_adapted_to_pixels_tells(saved_as: str, tmp_path: Path) -> None:
    keras = import_tensorflow().keras
    normalised = keras.layers.Normalization()
    normalised.adapt(np.random.default_rng(3).integers(0, 256, (9, 8, 8, 3)).astype(np.float32))
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Conv2D(5, 4, strides=4)(normalised(image)))
    path = tmp_path / saved_as
    with writing():
        model.save(path) if path.suffix else model.export(path, verbose=False)
    loaded = load_keras(path, trust=False) if path.suffix else load_saved_model(path, signature=None)
    assert loaded.hints.value_range == "0..255"
    loaded.graph.close()


def test_integers_say_themselves_what_they_stand_for(tmp_path: Path) -> None:
    tf = import_tensorflow()
    path = save_frozen_function(
        tmp_path / "frozen.pb",
        lambda image: tf.cast(image, tf.float32) / 255.0,
        spec=tf.TensorSpec([1, 8, 8, 3], tf.uint8),
    )
    loaded = load_frozen_graph(path)
    assert loaded.hints.value_range is None
    loaded.graph.close()


def test_a_network_that_makes_integers_of_its_floats_first_tells_by_their_scale(tmp_path: Path) -> None:
    from tests.tflite_models import edited  # noqa: PLC0415 - beside what it is used for

    def takes_floats(model: Any) -> None:
        """As the converter leaves a network of int8 whose ends stay floats: QUANTIZE behind the input."""
        from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - of the runtimes

        (graph,) = model.subgraphs
        image, code = schema.TensorT(), schema.OperatorCodeT()
        image.shape, image.type, image.name, image.buffer = graph.tensors[graph.inputs[0]].shape, 0, "floats", 0
        code.builtinCode = code.deprecatedBuiltinCode = 114
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs = len(model.operatorCodes), [len(graph.tensors)]
        operator.outputs = [graph.inputs[0]]
        model.operatorCodes.append(code)
        graph.tensors.append(image)
        graph.operators.insert(0, operator)
        graph.inputs = [len(graph.tensors) - 1]
        model.signatureDefs = None

    path = tmp_path / "model.tflite"
    path.write_bytes(edited(network("int8"), takes_floats))
    loaded = load_tflite(path)
    assert (loaded.signature.inputs[0].dtype, loaded.hints.value_range) == ("float32", "0..1")
    loaded.graph.close()
