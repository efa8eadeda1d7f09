"""A Keras file that does more than compute is refused by name before anything of it is built."""

import json
import logging
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.errors import ModelLoadError
from streamer.models.formats.keras import load_keras
from streamer.models.formats.recognise import Found, recognise
from streamer.models.runtimes.tensorflow import import_tensorflow
from streamer.models.safety import keras_files
from streamer.models.safety.checks import check
from streamer.models.safety.keras_files import keras_concerns
from tests.keras_models import behind, edit_keras, joined, layer, network, save_keras, with_lambda

ENDINGS = (".keras", ".h5")


def refused(path: Path) -> str:
    with pytest.raises(ModelLoadError) as caught:
        check(Found(path, "keras"))
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_honest_model_passes(tmp_path: Path, ending: str) -> None:
    assert keras_concerns(save_keras(tmp_path / f"m{ending}")) == ()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_networks_of_keras_pass(tmp_path: Path, ending: str) -> None:
    keras = import_tensorflow().keras
    for name in ("MobileNetV3Small", "EfficientNetB0"):
        model = getattr(keras.applications, name)(weights=None, input_shape=(64, 64, 3), classes=4)
        assert keras_concerns(save_keras(tmp_path / f"{name}{ending}", model)) == ()


def test_operations_and_policies_of_keras_pass(tmp_path: Path) -> None:
    keras = import_tensorflow().keras
    image = keras.Input((8, 8, 3))
    x = keras.ops.sigmoid(keras.layers.Dense(4, activation=keras.ops.relu, dtype="mixed_float16")(image))
    x = keras.layers.TimeDistributed(keras.layers.Dense(3, kernel_constraint="non_neg"))(x) * 2 + 1
    model = keras.Model(image, keras.Sequential([keras.layers.Dropout(0.5, seed=3)])(x))
    model.compile(optimizer="adam", loss=lambda wanted, given: keras.ops.mean(wanted - given))
    assert keras_concerns(save_keras(tmp_path / "m.keras", model)) == ()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_lambda_runs_only_if_it_is_trusted(tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture) -> None:
    canary = tmp_path / "canary"
    path = save_keras(tmp_path / f"m{ending}", with_lambda(canary))
    canary.unlink(missing_ok=True)
    text = refused(path)
    assert "the model is refused: it contains parts that run Python code" in text
    assert "Lambda 'deed'" in text
    assert "--trust-model" in text
    with pytest.raises(ModelLoadError, match="cannot load it"):
        load_keras(path, trust=False)
    assert not canary.exists()
    with caplog.at_level(logging.WARNING, logger="streamer"):
        check(Found(path, "keras"), trust=True)
    assert "the model is trusted, though it contains parts that run Python code" in caplog.text
    load_keras(path, trust=True).graph.run(np.zeros((1, 4, 4, 3), np.float32))
    assert canary.exists()


def named(name: str, **described: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: layer(config, name).update(described)


def activation(**described: Any) -> Callable[[dict[str, Any]], None]:
    whole = {"class_name": "function", "module": "builtins", "config": "relu", "registered_name": "relu", **described}
    return lambda config: layer(config, "conv")["config"].update(activation=whole)


def nested(config: dict[str, Any]) -> None:
    hidden = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {"name": "deep"}}]}}
    layer(config, "norm")["config"]["gamma_initializer"] = hidden


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "os.system": (named("conv", module="os", class_name="system"), "not Keras' own.*: os.system 'conv'"),
    "posix.system as a function": (activation(module="posix", config="system"), r"posix\.system"),
    "a class of Python": (named("conv", module="subprocess", class_name="Popen"), r"subprocess\.Popen"),
    "get_file": (named("conv", module="keras.utils", class_name="get_file"), r"keras\.utils\.get_file"),
    "get_file as a function": (activation(module="keras.utils", config="get_file"), r"keras\.utils\.get_file"),
    "load_model": (named("conv", module="keras.models", class_name="load_model"), r"keras\.models\.load_model"),
    "unsafe mode": (named("conv", module="keras.config", class_name="Enable"), r"keras\.config\.Enable"),
    "deserialize": (activation(module="keras.layers", config="deserialize"), r"keras\.layers\.deserialize"),
    "a path in a name": (named("conv", class_name="core.Lambda"), r"core\.Lambda"),
    "a module like Keras": (named("conv", module="keras_evil.layers"), r"keras_evil\.layers\.Conv2D"),
    "a Lambda deep inside": (nested, "run Python code.*: Lambda 'deep'"),
    "a Lambda by its other name": (named("conv", registered_name="x>Lambda"), "run Python code"),
    "code": (activation(class_name="__lambda__", config={"value": "4wA="}), "run Python code.*__lambda__"),
    "another model": (named("conv", class_name="TFSMLayer", config={"filepath": "/x"}), "read or load .*: .*TFSMLayer"),
    "a vocabulary": (named("conv", class_name="TextVectorization"), "read or load other files"),
    "torch": (named("conv", class_name="TorchModuleWrapper"), "run Python code"),
    "an operation by name": (named("conv", class_name="TFOpLambda"), "call functions of TensorFlow by their names"),
    "a type": (named("conv", class_name="__typespec__", spec_name="X"), "not Keras' own"),
    "a layer of somebody's own": (
        named("conv", module="yolo.layers", class_name="Ghost", registered_name="yolo>Ghost"),
        r"of your own\?.*model\.export\('folder'\)\): yolo\.layers\.Ghost \(yolo>Ghost\) 'conv'",
    ),
}


@pytest.mark.parametrize(("change", "message"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_named_must_be_keras_own(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str, ending: str
) -> None:
    path = edit_keras(save_keras(tmp_path / f"m{ending}", network(named_outputs=False)), change)
    with pytest.raises(ModelLoadError, match=message) as caught:
        check(Found(path, "keras"))
    assert str(caught.value).isprintable()
    assert "--trust-model" in str(caught.value)


SENSELESS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a class that is a list": named("conv", class_name=[1]),
    "a class that is nothing": named("conv", class_name=None),
    "a module that is a number": named("conv", module=7),
    "a function that is a list": activation(config=[1]),
    "a function that is nothing": activation(config=None),
    "a function that is nothing, and no more": lambda config: config.update(
        extra={"class_name": "function", "config": None}
    ),
    "a module that is 0": named("conv", module=0),
    "a registered name that is a list": named("conv", registered_name=[1]),
}


@pytest.mark.parametrize("change", SENSELESS.values(), ids=SENSELESS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_makes_no_sense_is_damage(tmp_path: Path, change: Callable[[dict[str, Any]], None], ending: str) -> None:
    assert "damaged or incomplete" in refused(edit_keras(save_keras(tmp_path / f"m{ending}"), change))


@pytest.mark.parametrize("called", ["m.h5", "m.hdf5", "m.keras"])
def test_an_archive_behind_an_hdf5_file_is_refused_though_trusted(tmp_path: Path, called: str) -> None:
    canary = tmp_path / "canary"
    archive = save_keras(tmp_path / "deed.keras", with_lambda(canary))
    canary.unlink(missing_ok=True)
    path = joined(tmp_path / called, save_keras(tmp_path / "honest.h5"), archive)
    assert recognise(path).form == "keras"
    for trust in (False, True):
        with pytest.raises(ModelLoadError, match="an archive is hidden behind it"):
            check(Found(path, "keras"), trust=trust)
        with pytest.raises(ModelLoadError, match="an archive is hidden behind it"):
            load_keras(path, trust=trust)
    assert not canary.exists()


@pytest.mark.parametrize("called", ["m.h5", "m.keras"])
@pytest.mark.parametrize("front", [b"#" * 512, b"\x89HDF" + bytes(508)])
def test_an_archive_behind_anything_else_is_damaged(tmp_path: Path, called: str, front: bytes) -> None:
    path = behind(front, save_keras(tmp_path / "whole.keras"), tmp_path / called)
    assert zipfile.is_zipfile(path)
    assert "begins neither as an archive nor as an HDF5 file" in refused(path)
    with pytest.raises(ModelLoadError, match="begins neither"):
        load_keras(path, trust=True)


def test_an_hdf5_file_behind_anything_else_is_damaged(tmp_path: Path) -> None:
    import h5py  # noqa: PLC0415 - dear

    path = behind(b"#" * 512, save_keras(tmp_path / "whole.h5"), tmp_path / "m.h5")
    assert h5py.is_hdf5(path)
    assert "begins neither as an archive nor as an HDF5 file" in refused(path)


@pytest.mark.parametrize("called", ["m.h5", "m.keras"])
def test_of_an_archive_with_an_hdf5_file_inside_the_archive_is_looked_at_and_loaded(
    tmp_path: Path, called: str
) -> None:
    import h5py  # noqa: PLC0415 - dear

    canary = tmp_path / "canary"
    deed = {ending: save_keras(tmp_path / f"deed{ending}", with_lambda(canary)) for ending in ENDINGS}
    honest = {ending: save_keras(tmp_path / f"honest{ending}") for ending in ENDINGS}
    canary.unlink(missing_ok=True)

    def both(archive: Path, hdf5: Path) -> Path:
        path = joined(tmp_path / called, behind(b"PK\x03\x04" + bytes(508), hdf5, tmp_path / "inner"), archive)
        assert h5py.is_hdf5(path)
        return path

    path = both(honest[".keras"], deed[".h5"])
    assert keras_concerns(path) == ()
    assert load_keras(path, trust=False).form == "Keras .keras"
    path = both(deed[".keras"], honest[".h5"])
    assert "run Python code" in refused(path)
    with pytest.raises(ModelLoadError, match="cannot load it"):
        load_keras(path, trust=False)
    assert not canary.exists()


def test_many_and_odd_names_make_a_short_message(tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        odd = [{"class_name": f"Odd{n}\x1b[2J" + "x" * 300, "config": {}} for n in range(200)]
        layer(config, "conv")["config"]["extra"] = odd

    text = refused(edit_keras(save_keras(tmp_path / "m.keras"), change))
    assert "and 197 more" in text
    assert len(text) < 900


def rewrite(path: Path, *, more: dict[str, bytes] | None = None, without: str = "") -> Path:
    """The archive again, with other files in it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != without}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (members | (more or {})).items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name",
    ["../canary", "/canary", "assets/../../canary", "assets\\..\\canary", "model.pkl", "model.weights.npz", "C:x"],
)
def test_what_keras_would_not_have_written_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    path = rewrite(save_keras(folder / "m.keras"), more={name: b"was here"})
    for trust in (False, True):
        with pytest.raises(ModelLoadError, match="should not be in it"):
            check(Found(path, "keras"), trust=trust)
    assert [known.name for known in tmp_path.rglob("*") if known.is_file()] == ["m.keras"]


def test_assets_are_keras_own(tmp_path: Path) -> None:
    assert keras_concerns(rewrite(save_keras(tmp_path / "m.keras"), more={"assets/a/b.txt": b"x"})) == ()


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = save_keras(tmp_path / "m.keras")
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "assets/link should not be in it" in refused(path)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_an_archive_without_its_parts_is_damaged(tmp_path: Path, name: str) -> None:
    assert f"{name} is missing" in refused(rewrite(save_keras(tmp_path / "m.keras"), without=name))


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = save_keras(tmp_path / "m.keras")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("config.json", "{}")
    assert "config.json should not be in it" in refused(path)


def test_sizes_without_sense_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = rewrite(save_keras(tmp_path / "bomb.keras"), more={"assets/zeros": bytes(64 << 20)})
    assert "what is in it, 64 MiB from" in refused(bomb)
    deep = rewrite(save_keras(tmp_path / "deep.keras"), more={"config.json": b"[" * 200_000 + b"]" * 200_000})
    assert "damaged or incomplete" in refused(deep)
    monkeypatch.setattr(keras_files, "MAX_CONFIG_BYTES", 100)
    for ending in ENDINGS:
        assert "its description is larger than any model" in refused(save_keras(tmp_path / f"m{ending}"))


def with_external_link(file: Any) -> None:
    import h5py  # noqa: PLC0415 - dear

    file["out"] = h5py.ExternalLink("/etc/hostname", "/x")


def with_external_storage(file: Any) -> None:
    file.create_dataset("a/out", (8,), dtype="u1", external=[("/etc/hostname", 0, 8)])


def with_virtual_storage(file: Any) -> None:
    import h5py  # noqa: PLC0415 - dear

    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/elsewhere.h5", "x", (4,))
    file.create_virtual_dataset("out", layout)


OUT: dict[str, tuple[Callable[[Any], None], str]] = {
    "a link": (with_external_link, "it reaches out of its file: /out is a link to '/etc/hostname'"),
    "storage": (with_external_storage, "the numbers of /a/out lie in another file"),
    "a view": (with_virtual_storage, "the numbers of /out lie in another file"),
}


@pytest.mark.parametrize(("add", "message"), OUT.values(), ids=OUT)
@pytest.mark.parametrize("ending", ENDINGS)
def test_numbers_in_other_files_are_refused(
    tmp_path: Path, add: Callable[[Any], None], message: str, ending: str
) -> None:
    import h5py  # noqa: PLC0415 - dear

    path = save_keras(tmp_path / f"m{ending}")
    inner = path
    if ending == ".keras":
        inner = tmp_path / "weights.h5"
        with zipfile.ZipFile(path) as archive:
            inner.write_bytes(archive.read("model.weights.h5"))
    with h5py.File(inner, "r+") as file:
        add(file)
    if ending == ".keras":
        rewrite(path, more={"model.weights.h5": inner.read_bytes()})
    assert message in refused(path)


def test_links_in_circles_end(tmp_path: Path) -> None:
    import h5py  # noqa: PLC0415 - dear

    path = save_keras(tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        file["again"] = file["/"]
        file["model_weights/up"] = h5py.SoftLink("/")
        file["model_weights/nowhere"] = h5py.SoftLink("/nowhere")
    assert keras_concerns(path) == ()


def test_weights_that_claim_to_be_huge_are_refused(tmp_path: Path) -> None:
    import h5py  # noqa: PLC0415 - dear

    path = save_keras(tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        file.create_dataset("huge", (1 << 40,), dtype="f4", chunks=(1024,))
    assert "what it describes is larger than any model" in refused(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_is_something_else_is_damaged(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"m{ending}"
    for content in (b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"hello", json.dumps([]).encode()):
        path.write_bytes(content)
        assert "damaged or incomplete" in refused(path)


def test_a_refusal_costs_no_import_of_tensorflow(tmp_path: Path) -> None:
    path = edit_keras(save_keras(tmp_path / "m.keras"), named("conv", module="os", class_name="system"))
    code = (
        "import sys; from pathlib import Path\n"
        "from streamer.models.safety.keras_files import keras_concerns\n"
        f"print('os.system' in str(keras_concerns(Path({str(path)!r}))), 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
