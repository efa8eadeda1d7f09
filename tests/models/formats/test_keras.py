"""Whole models of Keras: loaded, described, run; what is of somebody's own is refused with what to do about it."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.errors import ModelError, ModelLoadError
from streamer.models.formats.keras import load_keras
from streamer.models.loaded import Loaded
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.keras_models import WEIGHTS, Model, edit_keras, network, save_keras

IMAGE = np.random.default_rng(8).uniform(0, 255, (1, 32, 48, 3)).astype(np.float32)


def described(loaded: Loaded) -> tuple[list[str], list[str]]:
    return [str(spec) for spec in loaded.signature.inputs], [str(spec) for spec in loaded.signature.outputs]


def test_a_keras_file_gives_what_the_model_gives(tmp_path: Path) -> None:
    model = network()
    loaded = load_keras(save_keras(tmp_path / "m.keras", model), trust=False)
    assert described(loaded) == (
        ["image float32 [?,32,48,3]"],
        ["b float32 [?,15,23,4]", "s float32 [?,15,23,2]"],
    )
    assert (loaded.form, loaded.signatures, loaded.parameters) == ("Keras .keras", ("model",), WEIGHTS)
    assert loaded.writer == f"Keras {import_tensorflow().keras.__version__}"
    for name, wanted in model(IMAGE).items():
        np.testing.assert_allclose(loaded.graph.run(IMAGE)[name], np.asarray(wanted), atol=1e-5)


def test_an_h5_file_names_its_outputs_after_their_layers(tmp_path: Path) -> None:
    model = network(named_outputs=False)
    loaded = load_keras(save_keras(tmp_path / "m.h5", model), trust=False)
    assert described(loaded) == (
        ["image float32 [?,32,48,3]"],
        ["boxes float32 [?,15,23,4]", "scores float32 [?,15,23,2]"],
    )
    assert (loaded.form, loaded.parameters) == ("Keras .h5", WEIGHTS)
    assert loaded.writer == f"Keras {import_tensorflow().keras.__version__}"
    given = loaded.graph.run(IMAGE)
    for name, wanted in zip(("boxes", "scores"), model(IMAGE), strict=True):
        np.testing.assert_allclose(given[name], np.asarray(wanted), atol=1e-5)


def test_an_h5_file_of_keras_2_loads(tmp_path: Path) -> None:
    def as_keras_2(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            settings = layer["config"]
            if "batch_shape" in settings:
                settings["batch_input_shape"] = settings.pop("batch_shape")
            settings["dtype"] = "float32"
            settings.pop("quantization_config", None)
            for key in ("kernel_initializer", "bias_initializer"):
                if isinstance(settings.get(key), dict):
                    for name in ("module", "registered_name"):
                        settings[key].pop(name)
            nodes = layer["inbound_nodes"]
            histories = [node["args"][0]["config"]["keras_history"] for node in nodes]
            layer["inbound_nodes"] = [[[*history, {}]] for history in histories]
            for name in ("module", "registered_name", "build_config"):
                layer.pop(name, None)

    model = network(named_outputs=False)
    path = edit_keras(save_keras(tmp_path / "m.h5", model), as_keras_2)
    given = load_keras(path, trust=False).graph.run(IMAGE)
    np.testing.assert_allclose(given["boxes"], np.asarray(model(IMAGE)[0]), atol=1e-5)


def test_a_file_is_taken_for_what_it_holds_and_not_for_its_name(tmp_path: Path) -> None:
    for real, called in (("m.h5", "old.keras"), ("m.keras", "model.bin")):
        path = shutil.copyfile(save_keras(tmp_path / real), tmp_path / called)
        loaded = load_keras(path, trust=False)
        assert loaded.form == f"Keras {Path(real).suffix}"
        assert len(loaded.graph.run(IMAGE)) == 2


def test_a_network_of_any_size_and_one_of_bytes(tmp_path: Path) -> None:
    any_size = load_keras(save_keras(tmp_path / "a.keras", network(any_size=True)), trust=False)
    assert described(any_size)[0] == ["image float32 [?,?,?,3]"]
    assert any_size.graph.run(np.zeros((1, 65, 33, 3), np.float32))["b"].shape == (1, 32, 16, 4)
    of_bytes = load_keras(save_keras(tmp_path / "b.keras", network(dtype="uint8")), trust=False)
    assert described(of_bytes)[0] == ["image uint8 [?,32,48,3]"]
    assert of_bytes.graph.run(IMAGE.astype(np.uint8))["b"].shape == (1, 15, 23, 4)


def sequential() -> Model:
    keras = import_tensorflow().keras
    return keras.Sequential([keras.Input((4, 4, 3), name="picture"), keras.layers.Flatten(), keras.layers.Dense(2)])


def one_of_several_inputs() -> Model:
    keras = import_tensorflow().keras
    image, other = keras.Input((4, 4, 3), name="image"), keras.Input((3,), name="other")
    return keras.Model({"image": image, "other": other}, keras.layers.Add()([image, keras.layers.Dense(3)(other)]))


def named_input() -> Model:
    keras = import_tensorflow().keras
    image = keras.Input((4, 4, 3), name="image")
    return keras.Model({"image": image}, keras.layers.Dense(2, name="out")(image))


MODELS: dict[str, tuple[Callable[[], Model], list[str], int]] = {
    "sequential": (sequential, ["picture float32 [?,4,4,3]"], 1),
    "two inputs": (one_of_several_inputs, ["image float32 [?,4,4,3]", "other float32 [?,3]"], 0),
    "an input by name": (named_input, ["image float32 [?,4,4,3]"], 1),
}


@pytest.mark.parametrize(("make", "inputs", "runs"), MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_other_ways_to_build_a_model(
    tmp_path: Path, make: Callable[[], Model], inputs: list[str], runs: int, ending: str
) -> None:
    loaded = load_keras(save_keras(tmp_path / f"m{ending}", make()), trust=False)
    assert described(loaded)[0] == inputs
    if runs:
        (array,) = loaded.graph.run(np.zeros((1, 4, 4, 3), np.float32)).values()
        assert array.shape[-1] == 2


def test_half_precision_comes_out_as_numbers_that_numpy_knows(tmp_path: Path) -> None:
    keras = import_tensorflow().keras
    image = keras.Input((4, 4, 3), name="image")
    model = keras.Model(image, keras.layers.Dense(2, dtype="mixed_bfloat16")(image))
    (array,) = load_keras(save_keras(tmp_path / "m.keras", model), trust=False).graph.run(IMAGE[:, :4, :4]).values()
    assert array.dtype == np.float32


def own_layer(config: dict[str, Any]) -> None:
    described = next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == "conv")
    described.update(class_name="GhostConv", registered_name="yolo>GhostConv", module="yolo.layers")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_layer_of_somebodys_own_is_named_with_what_to_do(tmp_path: Path, ending: str) -> None:
    path = edit_keras(save_keras(tmp_path / f"m{ending}"), own_layer)
    with pytest.raises(ModelLoadError, match=r"GhostConv.*model\.export\('folder'\)") as caught:
        load_keras(path, trust=True)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 450 + len(str(tmp_path))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = save_keras(tmp_path / "m.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data[:500] if name.endswith(".h5") else data)
    with pytest.raises(ModelLoadError, match="cannot load it"):
        load_keras(path, trust=False)


@pytest.mark.parametrize("metadata", [b"\xff", b"[]", b"{}", json.dumps({"keras_version": 3}).encode(), None])
def test_a_file_that_says_no_version_is_read_all_the_same(tmp_path: Path, metadata: bytes | None) -> None:
    path = save_keras(tmp_path / "m.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "metadata.json"}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (members | ({} if metadata is None else {"metadata.json": metadata})).items():
            archive.writestr(name, data)
    assert load_keras(path, trust=False).writer == ""


def test_another_backend_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_keras(tmp_path / "m.keras")
    monkeypatch.setattr(import_tensorflow().keras.backend, "backend", lambda: "torch")
    with pytest.raises(ModelLoadError, match=r"Keras computes with torch.*unset KERAS_BACKEND"):
        load_keras(path, trust=False)


def test_a_closed_model_runs_no_more(tmp_path: Path) -> None:
    graph = load_keras(save_keras(tmp_path / "m.keras"), trust=False).graph
    graph.close()
    graph.close()
    with pytest.raises(ModelError, match="closed"):
        graph.run(IMAGE)
