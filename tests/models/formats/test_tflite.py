"""TFLite files as they come: signatures, the operator of SSDs in whatever order, metadata, and files with faults."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamer.errors import ModelLoadError, SignatureError
from streamer.models.card import DecodedHead
from streamer.models.formats.tflite import load_tflite
from streamer.models.formats.tflite_detection import find_post_process
from streamer.models.formats.tflite_file import read_tflite_file
from streamer.models.loaded import Loaded, Role
from tests import tflite_models as made
from tests.conftest import shared
from tests.models.formats.tflite_child import MUTATIONS

SHAPES: Mapping[Role, tuple[int, ...]] = {"boxes": (1, 5, 4), "classes": (1, 5), "scores": (1, 5), "count": (1,)}


def load(tmp_path: Path, content: bytes, signature: str | None = None) -> Loaded:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    return load_tflite(path, signature=signature)


def refused(tmp_path: Path, content: bytes) -> str:
    with pytest.raises(ModelLoadError) as caught:
        load(tmp_path, content)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
@pytest.mark.parametrize("signature", ["serving_default", None])
def test_outputs_have_their_roles_in_whatever_order(
    tmp_path: Path, order: tuple[int, ...], signature: str | None
) -> None:
    loaded = load(tmp_path, made.detector(order=order, signature=signature))
    roles = loaded.hints.roles
    assert set(roles) == set(SHAPES)
    assert {spec.name: spec.shape for spec in loaded.signature.outputs} == {
        roles[role]: shape for role, shape in SHAPES.items()
    }
    outputs = loaded.graph.run(made.colours({5: 0, 10: 2}))
    found = {role: outputs[roles[role]].ravel() for role in SHAPES}
    assert found["count"] == [2]
    np.testing.assert_allclose(found["boxes"][:8], [0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.75, 0.75], atol=1e-6)
    np.testing.assert_array_equal(found["classes"][:2], [0, 2])
    np.testing.assert_allclose(found["scores"][:2], [1, 1], atol=1e-6)


def test_outputs_that_are_made_integers_behind_the_operator_keep_their_roles(tmp_path: Path) -> None:
    def quantised_twice(model: Any) -> None:
        """As the converter leaves it where outputs of uint8 are asked for."""
        from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - of the runtimes

        (graph,) = model.subgraphs
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = 114
        model.operatorCodes.append(code)
        ends = list(graph.outputs)
        for dtype in (9, 3):
            for place, source in enumerate(ends):
                tensor, step = schema.TensorT(), schema.OperatorT()
                tensor.name, tensor.type, tensor.shape, tensor.buffer = f"{dtype}_{place}", dtype, [], 0
                tensor.quantization = schema.QuantizationParametersT()
                tensor.quantization.scale, tensor.quantization.zeroPoint = [1 / 255], [0]
                step.opcodeIndex, step.inputs = len(model.operatorCodes) - 1, [source]
                step.outputs = [len(graph.tensors)]
                ends[place] = len(graph.tensors)
                graph.tensors.append(tensor)
                graph.operators.append(step)
        graph.outputs = ends

    def places(content: bytes) -> dict[Role, int]:
        """Which output of the graph is what."""
        (tmp_path / "model.tflite").write_bytes(content)
        (subgraph,) = read_tflite_file(tmp_path / "model.tflite").subgraphs
        found = find_post_process(subgraph)
        assert found is not None
        return {role: subgraph.outputs.index(tensor) for role, tensor in found.tensors.items()}

    content = made.detector(signature=None)
    assert places(made.edited(content, quantised_twice)) == places(content)


def test_the_operator_says_how_its_outputs_are_to_be_read(tmp_path: Path) -> None:
    loaded = load(tmp_path, made.detector())
    assert (loaded.hints.first_class_id, loaded.hints.class_count) == (0, 3)
    head = loaded.hints.head
    assert isinstance(head, DecodedHead)
    assert (head.boxes, head.order, head.unit) == (loaded.hints.roles["boxes"], "yxyx", "fraction")


def test_a_signature_names_what_goes_in_and_out(tmp_path: Path) -> None:
    loaded = load(tmp_path, made.network())
    assert (loaded.form, loaded.signature.name, loaded.signatures) == (
        "TFLite",
        "serving_default",
        ("serving_default",),
    )
    assert [str(spec) for spec in loaded.signature.inputs] == ["image float32 [1,8,8,3]"]
    assert [str(spec) for spec in loaded.signature.outputs] == ["scores float32 [1,16]"]
    assert loaded.writer.startswith("TensorFlow 2.")


def test_a_file_without_signatures_goes_by_its_tensors(tmp_path: Path) -> None:
    loaded = load(tmp_path, made.detector(signature=None))
    assert (loaded.signature.name, loaded.signatures) == ("main", ())
    assert [spec.name for spec in loaded.signature.inputs] == ["serving_default_image:0"]
    with pytest.raises(SignatureError, match="no signatures"):
        load(tmp_path, made.detector(signature=None), signature="serving_default")


def test_one_of_several_signatures_is_chosen(tmp_path: Path) -> None:
    content = made.two_signatures()
    for name, result in (("darker", 0.25), ("brighter", 1.0)):
        loaded = load(tmp_path, content, signature=name)
        assert sorted(loaded.signatures) == ["brighter", "darker"]
        outputs = loaded.graph.run(np.full((1, 4, 4, 3), 0.5, np.float32))
        assert {key: array.mean() for key, array in outputs.items()} == {f"{name}_picture": result}
    with pytest.raises(SignatureError, match="brighter, darker"):
        load(tmp_path, content)
    with pytest.raises(SignatureError, match="no signature 'nobody'"):
        load(tmp_path, content, signature="nobody")


def test_names_that_are_given_twice_are_told_apart(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        for index in model.subgraphs[0].outputs:
            model.subgraphs[0].tensors[index].name = "Identity"

    loaded = load(tmp_path, made.edited(made.detector(signature=None), change))
    names = ["Identity", "Identity_2", "Identity_3", "Identity_4"]
    assert [spec.name for spec in loaded.signature.outputs] == names
    assert sorted(loaded.graph.run(made.colours({}))) == names


@pytest.mark.parametrize(("numbers", "zero_point"), [("int8", -128), ("uint8", 0)])
def test_integers_say_what_they_stand_for(tmp_path: Path, numbers: made.Numbers, zero_point: int) -> None:
    loaded = load(tmp_path, made.network(numbers))
    (image,) = loaded.signature.inputs
    assert image.dtype == numbers
    assert image.quantization is not None
    assert image.quantization.scale == pytest.approx(1 / 255, rel=1e-3)
    assert image.quantization.zero_point == zero_point
    assert [str(spec) for spec in loaded.signature.outputs] == ["scores float32 [1,16]"]


@pytest.mark.parametrize("numbers", ["float32", "float16", "dynamic", "int8", "uint8"])
def test_weights_are_counted_in_whatever_numbers_they_are(tmp_path: Path, numbers: made.Numbers) -> None:
    parameters = load(tmp_path, made.network(numbers)).parameters
    assert parameters is not None
    assert 3 * 3 * 3 * 64 + 64 * 16 <= parameters < 3000


def test_a_size_that_may_change_is_left_open(tmp_path: Path) -> None:
    loaded = load(tmp_path, made.network(shape=(1, None, None, 3)))
    assert str(loaded.signature.inputs[0]) == "image float32 [1,?,?,3]"


def test_metadata_tells_of_the_image_and_of_the_labels(tmp_path: Path) -> None:
    data = made.metadata(
        [{"name": "image", "mean": [127.5], "std": [128.0], "colour": 1}],
        [{"name": "scores", "files": [("of_bounds.txt", 1), ("classes.txt", 3)]}],
    )
    files = {"of_bounds.txt": b"x", "classes.txt": "cat\nchâteau\n".encode()}
    loaded = load(tmp_path, made.with_files(made.with_metadata(made.network(), {"TFLITE_METADATA": data}), files))
    assert loaded.hints.normalization == ((127.5,), (128.0,))
    assert loaded.hints.channel_order == "rgb"
    assert loaded.hints.labels == "cat\nchâteau\n"
    assert loaded.graph.run(np.zeros((1, 8, 8, 3), np.float32))["scores"].shape == (1, 16)


@pytest.mark.parametrize(
    ("boxes", "order", "unit"),
    [
        (((1, 0, 3, 2), 1, 0), "yxyx", "fraction"),
        (((0, 1, 2, 3), 1, 1), "xyxy", "px"),
        (((0, 1, 2, 3), 3, 0), "cxcywh", "fraction"),
    ],
)
def test_metadata_tells_roles_where_no_operator_does(
    tmp_path: Path, boxes: tuple[tuple[int, ...], int, int], order: str, unit: str
) -> None:
    others = [{"name": name} for name in ("category", "score", "number of detections")]
    data = made.metadata([{}], [{"name": "location", "boxes": boxes}, *others])
    loaded = load(tmp_path, made.with_metadata(made.plain_detector(), {"TFLITE_METADATA": data}))
    assert dict(loaded.hints.roles) == {"boxes": "a", "classes": "b", "scores": "c", "count": "d"}
    head = loaded.hints.head
    assert isinstance(head, DecodedHead)
    assert (head.boxes, head.scores, head.order, head.unit) == ("a", "c", order, unit)
    assert loaded.hints.first_class_id is None


def test_the_operator_is_believed_before_the_metadata(tmp_path: Path) -> None:
    data = made.metadata([{}], [{"name": n} for n in ("score", "location", "number of detections", "category")])
    loaded = load(tmp_path, made.with_metadata(made.detector(), {"TFLITE_METADATA": data}))
    assert loaded.hints.roles["boxes"] == "output_0"


def test_the_only_text_in_the_file_is_its_labels(tmp_path: Path) -> None:
    loaded = load(tmp_path, made.with_files(made.network(), {"labelmap.txt": b"cat\ndog"}))
    assert loaded.hints.labels == "cat\ndog"
    loaded = load(tmp_path, made.with_files(made.network(), {"a.txt": b"cat", "b.txt": b"dog"}))
    assert loaded.hints.labels is None


def test_labels_that_unpack_to_too_much_are_left_alone(tmp_path: Path) -> None:
    loaded = load(tmp_path, made.with_files(made.network(), {"labels.txt": bytes(1 << 22)}))
    assert loaded.hints.labels is None


def test_the_writer_is_the_one_in_the_file(tmp_path: Path) -> None:
    data = made.conversion_metadata("2.9.1")
    content = made.edited(made.network(), lambda model: setattr(model, "metadata", []))
    assert load(tmp_path, content).writer == ""
    assert load(tmp_path, made.with_metadata(content, {"CONVERSION_METADATA": data})).writer == "TensorFlow 2.9.1"
    oldest = {"min_runtime_version": b"1.14.0\0\0\0"}
    assert load(tmp_path, made.with_metadata(content, oldest)).writer == "TFLite, for runtimes from 1.14.0"


def test_several_inputs_are_refused_and_listed(tmp_path: Path) -> None:
    with pytest.raises(SignatureError, match=r"takes 2 inputs.*mask float32"):
        load(tmp_path, made.two_inputs())


def test_operations_that_litert_does_not_have_are_named(tmp_path: Path) -> None:
    text = refused(tmp_path, made.with_custom_operator(made.network(), "FancyPooling"))
    assert "its operation FancyPooling is none that LiteRT has" in text


def test_a_file_for_a_chip_says_so(tmp_path: Path) -> None:
    text = refused(tmp_path, made.with_custom_operator(made.network(), "edgetpu-custom-op"))
    assert "compiled for a Coral Edge TPU" in text
    assert "before it was compiled" in text


def test_operations_of_tensorflow_inside_are_named(tmp_path: Path) -> None:
    text = refused(tmp_path, made.with_flex())
    assert "TensorFlow's own operations, which LiteRT does not have: Bincount" in text


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    assert "its weights are in other files" in refused(tmp_path, made.with_outside_weights(made.network()))


def test_what_is_no_file_of_that_kind_says_so(tmp_path: Path) -> None:
    assert "the file is empty" in refused(tmp_path, b"")
    assert "no TFLite file" in refused(tmp_path, b"PK\3\4 this is something else")
    with pytest.raises(ModelLoadError, match="cannot be read: No such file"):
        load_tflite(tmp_path / "nothing.tflite")
    with pytest.raises(ModelLoadError, match="cannot be read: Is a directory"):
        load_tflite(tmp_path)


def test_names_in_no_known_letters_are_refused_by_litert(tmp_path: Path) -> None:
    content = made.network()
    name = content.index(b"PartitionedCall:0")
    text = refused(tmp_path, content[:name] + b"\xff" + content[name + 1 :])
    assert "LiteRT does not take the file" in text


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9, 0.99])
def test_a_file_that_is_cut_short_is_damaged(tmp_path: Path, share: float) -> None:
    content = made.network()
    assert "damaged or incomplete" in refused(tmp_path, content[: int(share * len(content))])


def _lost_tensor(model: Any) -> None:
    model.subgraphs[0].operators[0].outputs = [999]


def _lost_buffer(model: Any) -> None:
    model.subgraphs[0].tensors[0].buffer = 999


def _lost_input(model: Any) -> None:
    convolution = next(op for op in model.subgraphs[0].operators if op.inputs.size == 3)
    convolution.inputs = [0, -1, convolution.inputs[2]]


def _negative_shape(model: Any) -> None:
    model.subgraphs[0].tensors[0].shapeSignature = [1, -7, 8, 3]


def _no_graph(model: Any) -> None:
    model.subgraphs = []


def _lost_operator(model: Any) -> None:
    model.subgraphs[0].operators[0].opcodeIndex = 999


def _lost_signature(model: Any) -> None:
    model.signatureDefs[0].subgraphIndex = 9


def _buffer_behind_the_end(model: Any) -> None:
    model.buffers[1].offset, model.buffers[1].size = 4096, 1 << 40


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_lost_tensor, "it asks for tensor 999"),
        (_lost_buffer, "it asks for buffer 999"),
        (_lost_input, "it asks for tensor -1"),
        (_negative_shape, "a shape is negative"),
        (_no_graph, "there is no graph in it"),
        (_lost_operator, "it asks for operator code 999"),
        (_lost_signature, "it asks for graph 9"),
        (_buffer_behind_the_end, "a buffer ends at byte"),
    ],
)
def test_what_does_not_hang_together_is_damaged(tmp_path: Path, change: Callable[[Any], None], why: str) -> None:
    assert why in refused(tmp_path, made.edited(made.network(), change))


def test_unpacked_weights_keep_their_shape(tmp_path: Path) -> None:
    """LiteRT 2.3 reads as much as the output has, and ends with SIGSEGV."""

    def change(model: Any) -> None:
        (graph,) = model.subgraphs
        unpacking = next(op for op in graph.operators if model.operatorCodes[op.opcodeIndex].builtinCode == 6)
        tensor = graph.tensors[unpacking.outputs[0]]
        tensor.shape = np.array([*tensor.shape[:-1], 1 << 20], np.int32)

    assert "weights change their shape" in refused(tmp_path, made.edited(made.network("float16"), change))


def test_mutated_files_end_in_an_error_and_not_the_process(tmp_path: Path) -> None:
    for name, content in (("network", made.network("float16")), ("detector", made.detector())):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        child = [sys.executable, "-m", "tests.models.formats.tflite_child", str(path)]
        done = subprocess.run(child, check=False, capture_output=True, text=True, timeout=50)
        assert done.returncode == 0, done.stderr[-2000:]
        loaded, refused, failed = map(int, done.stdout.split()[-3:])
        assert loaded + refused + failed == MUTATIONS
        assert refused > MUTATIONS / 5


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("model", "picture", "score", "box"),
    [
        ("catfeeder", "coral_cat_720p.jpg", 0.98, (0.09, 0.36, 0.98, 0.72)),
        ("drowsiness", "human_ai-upper.jpg", 0.96, (0.10, 0.33, 0.44, 0.56)),
        ("drowsiness", "coral_face.jpg", 0.96, (0.13, 0.49, 0.50, 0.68)),
    ],
)
def test_published_detectors_find_what_they_found(
    model: str, picture: str, score: float, box: tuple[float, ...]
) -> None:
    loaded = load_tflite(shared(f"models/tflite/{model}_detect_quant.tflite"))
    image = cv2.imread(str(shared(f"images/{picture}")))
    assert image is not None
    pixels = cv2.cvtColor(cv2.resize(image, (320, 320)), cv2.COLOR_BGR2RGB)
    outputs = loaded.graph.run(pixels[np.newaxis])
    roles = loaded.hints.roles
    assert [spec.shape for spec in loaded.signature.outputs] == [(1,), (1, 10), (1, 10), (1, 10, 4)]
    assert outputs[roles["count"]] == [10]
    assert outputs[roles["scores"]][0, 0] == pytest.approx(score, abs=0.02)
    assert outputs[roles["classes"]][0, 0] == 0
    np.testing.assert_allclose(outputs[roles["boxes"]][0, 0], box, atol=0.03)


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("model", "takes", "gives"),
    [
        ("zhao_detect", "input_1 float32 [?,625,625,3]", {"dense_1": (1, 8)}),
        (
            "face_detection_short_range",
            "input float32 [1,128,128,3]",
            {"regressors": (1, 896, 16), "classificators": (1, 896, 1)},
        ),
        ("ulfg_slim-320", "input_1 float32 [?,240,320,3]", {"Identity": (1, 4420, 4), "Identity_1": (1, 4420, 2)}),
    ],
)
def test_published_models_run_as_they_are(model: str, takes: str, gives: dict[str, tuple[int, ...]]) -> None:
    loaded = load_tflite(shared(f"models/tflite/{model}.tflite"))
    (image,) = loaded.signature.inputs
    assert str(image) == takes
    assert image.shape is not None
    outputs = loaded.graph.run(np.zeros([n or 1 for n in image.shape], np.float32))
    assert {name: array.shape for name, array in outputs.items()} == gives
    assert loaded.hints.roles == {}
