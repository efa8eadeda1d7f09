"""Frozen graphs: inputs and outputs are told from the nodes, switches are set, and it runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.errors import ModelError, ModelLoadError
from streamer.models.formats.frozen_graph import load_frozen_graph
from streamer.models.loaded import Loaded
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.conftest import shared
from tests.frozen_graphs import (
    api_graph,
    graph_with_loop,
    graph_with_switches,
    save_frozen_function,
    save_graph,
    unfrozen_graph,
    unknown_shape_graph,
)
from tests.saved_models import SsdMobileNet


def described(loaded: Loaded) -> tuple[list[str], list[str]]:
    return [str(spec) for spec in loaded.signature.inputs], [str(spec) for spec in loaded.signature.outputs]


def test_a_graph_of_the_object_detection_api(tmp_path: Path) -> None:
    loaded = load_frozen_graph(save_graph(tmp_path / "a.pb", api_graph))
    inputs, outputs = described(loaded)
    assert inputs == ["image_tensor uint8 [?,?,?,3]"]
    assert outputs == [
        "raw_detection_boxes float32 [1,2,4]",
        "detection_boxes float32 [1,2,4]",
        "detection_scores float32 [1,2]",
        "detection_classes float32 [1,2]",
        "num_detections float32 [1]",
    ]
    assert (loaded.form, loaded.signature.name, loaded.signatures) == ("frozen graph", "graph", ("graph",))
    assert loaded.parameters == 8 + 2 + 2 + 1
    given = loaded.graph.run(np.full((1, 8, 8, 3), 255, np.uint8))
    np.testing.assert_allclose(given["detection_scores"], [[0.9, 0.4]], atol=1e-6)
    np.testing.assert_array_equal(given["detection_boxes"], given["raw_detection_boxes"])
    assert loaded.graph.runtime.startswith("TensorFlow 2.")


def test_switches_are_set_as_for_a_model_in_use(tmp_path: Path) -> None:
    loaded = load_frozen_graph(save_graph(tmp_path / "a.pb", graph_with_switches))
    inputs, outputs = described(loaded)
    assert inputs == ["input float32 [?,32,48,3]"]
    assert outputs == ["loc float32 [?,1536,4]", "cls float32 of any rank"]
    given = loaded.graph.run(np.ones((1, 32, 48, 3), np.float32))
    np.testing.assert_allclose(given["loc"], 1.5)
    np.testing.assert_allclose(given["cls"], 1 / (1 + np.exp(-1.0)), atol=1e-6)


def test_what_is_inside_a_loop_is_no_output(tmp_path: Path) -> None:
    loaded = load_frozen_graph(save_graph(tmp_path / "a.pb", graph_with_loop))
    assert [spec.name for spec in loaded.signature.outputs] == ["out"]
    np.testing.assert_allclose(loaded.graph.run(np.ones((1, 2, 2, 3), np.float32))["out"], 4.0)


def test_a_shape_that_is_not_known_stays_unknown(tmp_path: Path) -> None:
    loaded = load_frozen_graph(save_graph(tmp_path / "a.pb", unknown_shape_graph))
    assert loaded.signature.inputs[0].shape is None
    assert described(loaded)[0] == ["data float32 of any rank"]
    given = loaded.graph.run(np.ones((1, 2, 2, 3), np.float32))
    np.testing.assert_allclose(given["scaled"][0, 0, 0], [0.0, 128 / 255, 1.0], atol=1e-6)


def test_a_function_of_tensorflow_2_with_its_variables_made_constant(tmp_path: Path) -> None:
    tf = import_tensorflow()
    network = SsdMobileNet(3)
    spec = tf.TensorSpec([1, network.SIDE_PX, network.SIDE_PX, 3], tf.float32, name="image")
    loaded = load_frozen_graph(save_frozen_function(tmp_path / "a.pb", network.heads, spec=spec))
    assert described(loaded)[0] == ["image float32 [1,224,224,3]"]
    assert sorted(spec.shape for spec in loaded.signature.outputs if spec.shape) == [(1, 1470, 4), (1, 1470, 8)]
    assert loaded.parameters == sum(int(np.prod(known.shape)) for known in network.variables)
    image = np.random.default_rng(2).uniform(-1, 1, (1, 224, 224, 3)).astype(np.float32)
    wanted = sorted((np.asarray(tensor) for tensor in network.heads(image).values()), key=lambda array: array.shape[-1])
    given = sorted(loaded.graph.run(image).values(), key=lambda array: array.shape[-1])
    for one, other in zip(given, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "int8", "int32", "float64"])
def test_an_input_of_any_number_is_passed_on(tmp_path: Path, dtype: str) -> None:
    def build(v1: Any) -> None:
        v1.add(v1.placeholder(dtype, [1, 2, 2, 3], name="image"), v1.constant(1, dtype), name="out")

    loaded = load_frozen_graph(save_graph(tmp_path / "a.pb", build))
    assert loaded.signature.inputs[0].dtype == dtype
    assert loaded.graph.run(np.ones((1, 2, 2, 3), dtype))["out"].max() == 2


def test_a_numpy_array_comes_out_though_numpy_has_no_bfloat16(tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        v1.cast(v1.placeholder("float32", [1, 2, 2, 3], name="image"), v1.bfloat16, name="out")

    given = load_frozen_graph(save_graph(tmp_path / "a.pb", build)).graph.run(np.ones((1, 2, 2, 3), np.float32))
    assert given["out"].dtype == np.float32


def test_a_device_that_is_not_here_is_forgotten(tmp_path: Path) -> None:
    def build(v1: Any) -> None:
        with v1.device("/job:worker/device:GPU:7"):
            v1.identity(v1.placeholder("float32", [1, 2, 2, 3], name="image") * 2.0, name="out")

    given = load_frozen_graph(save_graph(tmp_path / "a.pb", build)).graph.run(np.ones((1, 2, 2, 3), np.float32))
    assert given["out"].max() == 2


def no_input(v1: Any) -> None:
    v1.identity(v1.constant([1.0]), name="scores")


def no_output(v1: Any) -> None:
    v1.placeholder("float32", [1, 2, 2, 3], name="image")


def no_number(v1: Any) -> None:
    v1.as_string(v1.placeholder("float32", [1, 2, 2, 3], name="image"), name="out")


REFUSED: dict[str, tuple[Callable[[Any], object], str]] = {
    "not frozen": (unfrozen_graph, "the graph is not frozen: its 1 variables have no values.*freeze the graph"),
    "no input": (no_input, "has no placeholder that its results depend on"),
    "no output": (no_output, "has no results"),
    "text alone": (no_number, "has no results"),
}


@pytest.mark.parametrize(("build", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_whole_network_is_refused(tmp_path: Path, build: Callable[[Any], object], message: str) -> None:
    with pytest.raises(ModelLoadError, match=message):
        load_frozen_graph(save_graph(tmp_path / "a.pb", build))


def test_a_graph_that_makes_no_sense_is_damaged(tmp_path: Path) -> None:
    path = save_graph(tmp_path / "a.pb", api_graph)
    path.write_bytes(path.read_bytes().replace(b"image_tensor", b"image_tensoR", 1))
    with pytest.raises(ModelLoadError, match="damaged or incomplete") as caught:
        load_frozen_graph(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_a_closed_graph_runs_no_more(tmp_path: Path) -> None:
    graph = load_frozen_graph(save_graph(tmp_path / "a.pb", api_graph)).graph
    graph.close()
    graph.close()
    with pytest.raises(ModelError, match="closed"):
        graph.run(np.zeros((1, 8, 8, 3), np.uint8))


PUBLIC = {
    "converted/handtrack_ssd_mnv2_fpnlite_320_frozen.pb": (
        "image_tensor uint8 [1,?,?,3]",
        {"detection_boxes", "detection_scores", "detection_classes", "num_detections", "raw_detection_boxes"},
    ),
    "converted/faceboxes_frozen.pb": ("image_tensor uint8 [?,?,?,3]", {"boxes", "scores", "num_boxes"}),
    "pb/aizoo_face_mask_detection.pb": (
        "data_1 float32 [?,260,260,3]",
        {"loc_branch_concat_1/concat", "cls_branch_concat_1/concat"},
    ),
    "pb/opencv_face_detector_uint8.pb": ("data float32 of any rank", {"mbox_loc", "mbox_conf_flatten"}),
}


@pytest.mark.needs_shared
@pytest.mark.parametrize(("name", "said"), PUBLIC.items(), ids=PUBLIC)
def test_public_graphs(name: str, said: tuple[str, set[str]]) -> None:
    loaded = load_frozen_graph(shared(f"models/{name}"))
    assert described(loaded)[0] == [said[0]]
    assert {spec.name for spec in loaded.signature.outputs} >= said[1]
    assert loaded.parameters is not None
    assert loaded.parameters > 1_000_000
    spec = loaded.signature.inputs[0]
    sizes = zip(spec.shape or (1, 300, 300, 3), (1, 300, 300, 3), strict=True)
    given = loaded.graph.run(np.zeros([known or usual for known, usual in sizes], spec.dtype))
    assert set(given) >= said[1]
