"""The form of a model is told by its content; what is no model is named, with what to do about it."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.errors import ModelLoadError
from streamer.models.formats.recognise import Found, recognise
from tests.conftest import shared
from tests.frozen_graphs import api_graph, save_graph
from tests.keras_models import network, save_keras, writing
from tests.saved_models import save_constant

TFLITE = b"\x1c\x00\x00\x00TFL3" + bytes(64)

TEXT_GRAPH = "# made by hand\nnode {\n  name: 'data'\n  op: 'Placeholder'\n}\n"
LABEL_MAP = "item {\n  id: 1\n  name: 'face'\n}\n"


def refused(path: Path) -> str:
    with pytest.raises(ModelLoadError) as caught:
        recognise(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each form."""
    folder = tmp_path_factory.mktemp("models")
    save_constant(folder / "saved")
    save_keras(folder / "net.keras")
    save_keras(folder / "net.h5")
    with writing():
        network().save_weights(str(folder / "net.weights.h5"))
    save_graph(folder / "graph.pb", api_graph)
    (folder / "net.tflite").write_bytes(TFLITE)
    return folder


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("saved", "savedmodel"),
        ("net.keras", "keras"),
        ("net.h5", "keras"),
        ("graph.pb", "frozen_graph"),
        ("net.tflite", "tflite"),
    ],
)
def test_each_form_is_recognised_by_content(models: Path, tmp_path: Path, name: str, form: str) -> None:
    assert recognise(models / name) == Found(models / name, form)  # type: ignore[arg-type]
    if (models / name).is_file():
        other = shutil.copyfile(models / name, tmp_path / "model.bin")
        assert recognise(other).form == form


def test_a_savedmodel_is_found_one_level_inside(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "saved", tmp_path / "export/saved_model")
    (tmp_path / "export/checkpoint").mkdir()
    shutil.copyfile(models / "graph.pb", tmp_path / "export/frozen_inference_graph.pb")
    assert recognise(tmp_path / "export") == Found(tmp_path / "export/saved_model", "savedmodel")
    shutil.copytree(models / "saved", tmp_path / "serving/1")
    assert recognise(tmp_path / "serving") == Found(tmp_path / "serving/1", "savedmodel")
    shutil.copytree(models / "saved", tmp_path / "serving/2")
    assert "there are 2 models in this folder: 1, 2 (give one)" in refused(tmp_path / "serving")


def test_a_folder_with_one_model_file_is_that_file(models: Path, tmp_path: Path) -> None:
    (tmp_path / "labelmap.txt").write_text("face\n")
    (tmp_path / "detect.tflite").write_bytes(TFLITE)
    assert recognise(tmp_path) == Found(tmp_path / "detect.tflite", "tflite")
    shutil.copyfile(models / "graph.pb", tmp_path / "graph.pb")
    assert "there are 2 models in this folder: detect.tflite, graph.pb" in refused(tmp_path)


def test_a_folder_with_nothing_but_weights_says_so(models: Path, tmp_path: Path) -> None:
    shutil.copyfile(models / "net.weights.h5", tmp_path / "net.weights.h5")
    with pytest.raises(ModelLoadError, match="without its architecture"):
        recognise(tmp_path)


COMPANIONS = {
    "of the same name": ("net.pb", {"net.pbtxt": TEXT_GRAPH}, "net.pbtxt"),
    "of a shorter name": ("net_uint8.pb", {"net.pbtxt": TEXT_GRAPH}, "net.pbtxt"),
    "the longest name": ("net_a_b.pb", {"net.pbtxt": TEXT_GRAPH, "net_a.pbtxt": TEXT_GRAPH}, "net_a.pbtxt"),
    "a label map": ("net.pb", {"net.pbtxt": LABEL_MAP}, None),
    "of another model": ("net.pb", {"other.pbtxt": TEXT_GRAPH}, None),
    "half a word": ("network.pb", {"net.pbtxt": TEXT_GRAPH}, None),
    "none": ("net.pb", {}, None),
}


@pytest.mark.parametrize(("graph", "texts", "companion"), COMPANIONS.values(), ids=COMPANIONS)
def test_a_text_graph_beside_a_frozen_one_makes_it_opencvs(
    models: Path, tmp_path: Path, graph: str, texts: dict[str, str], companion: str | None
) -> None:
    path = shutil.copyfile(models / "graph.pb", tmp_path / graph)
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    wanted = Found(path, "frozen_graph") if companion is None else Found(path, "opencv_dnn", tmp_path / companion)
    assert recognise(path) == wanted


def _zip(*names: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "x")

    return make


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "nothing": ("model.pb", lambda _: None, "no such file or folder .*saved_model.pb"),
    "an empty file": ("model.pb", Path.touch, "the file is empty"),
    "text": ("model", _bytes(b"hello"), "a file of no known form"),
    "ONNX": ("a.onnx", _bytes(b"\x08\x08\x12\x07pytorch"), "an ONNX model.*onnx2tf"),
    "ONNX under another name": ("a.pb", _bytes(b"\x08\x08\x12\x07pytorch"), "an ONNX model"),
    "PyTorch": ("a.pt", _zip("archive/data.pkl", "archive/version"), "a PyTorch model.*yolo export"),
    "old PyTorch": ("a.pth", _bytes(pickle.dumps({"a": 1})), "a PyTorch model"),
    "a pickle": ("model.pkl", _bytes(pickle.dumps({"a": 1})), "a pickle, which is a program in Python"),
    "a pickle named .h5": ("model.h5", _bytes(pickle.dumps({"a": 1})), "a pickle"),
    "an old pickle": ("model.pkl", _bytes(b"(dp0\n."), "a pickle"),
    "darknet": ("yolov3.weights", _bytes(bytes(32)), "a file of darknet"),
    "a checkpoint": ("model.ckpt.index", _bytes(bytes(32)), "part of a checkpoint.*exporter_main_v2"),
    "its data": ("model.ckpt-1.data-00000-of-00001", _bytes(bytes(32)), "part of a checkpoint"),
    "a label map": ("labels.pbtxt", _bytes(LABEL_MAP.encode()), "a label map, or .*--labels"),
    "a text graph": ("graph.pbtxt", _bytes(TEXT_GRAPH.encode()), "without its weights .*give the .pb"),
    "TensorRT": ("a.engine", _bytes(bytes(32)), "an engine of TensorRT"),
    "TensorFlow.js": ("model.json", _bytes(json.dumps({"modelTopology": {}}).encode()), "TensorFlow.js"),
    "a pointer": ("a.tflite", _bytes(b"version https://git-lfs.github.com/spec/v1\n"), "Git LFS.*git lfs pull"),
    "a page": ("a.h5", _bytes(b"<!DOCTYPE html><html>"), "a page"),
    "numpy": ("a.npz", _zip("a.npy"), "arrays of numpy"),
    "MediaPipe": ("a.task", _zip("a.tflite"), "a bundle for MediaPipe.*unpack it"),
    "a SavedModel's graph": ("saved_model.pb", _bytes(b"\x08\x01\x12\x00"), "graph of a SavedModel .*give the folder"),
    "the same, renamed": ("a.pb", _bytes(b"\x08\x01\x12\x00"), "graph of a SavedModel under another name"),
    "half an HDF5 file": ("a.h5", _bytes(b"\x89HDF\r\n\x1a\n" + bytes(20)), "a damaged HDF5 file"),
    "a name with NUL": ("a\0b", lambda _: None, "."),
}


@pytest.mark.parametrize(("name", "make", "message"), FILES.values(), ids=FILES)
def test_other_files_are_named(tmp_path: Path, name: str, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / name)
    with pytest.raises(ModelLoadError, match=message) as caught:
        recognise(tmp_path / name)
    assert str(caught.value).isprintable()


FOLDERS = {
    "empty": ((), "the folder is empty"),
    "other": (("a",), "no saved_model.pb in this folder"),
    "empty graph": (("saved_model.pb",), "its saved_model.pb is empty"),
    "as text": (("saved_model.pbtxt",), "a SavedModel written as text"),
    "checkpoints": (("checkpoint", "ckpt-0.index", "ckpt-0.data-00000-of-00001"), "a folder of checkpoints"),
    "TensorFlow.js": (("model.json", "group1-shard1of1.bin"), "TensorFlow.js"),
    "an unpacked .keras": (("config.json", "metadata.json", "model.weights.h5"), "an unpacked .keras file"),
    "ONNX": (("a.onnx", "README"), "an ONNX model"),
    "OpenVINO": (("a.xml", "a.bin"), "for OpenVINO"),
}


@pytest.mark.parametrize(("names", "message"), FOLDERS.values(), ids=FOLDERS)
def test_other_folders_are_named(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert message in refused(tmp_path)


def test_weights_without_an_architecture_are_told(models: Path) -> None:
    text = refused(models / "net.weights.h5")
    assert "without its architecture" in text
    assert "model.save('model.keras')" in text


@pytest.mark.needs_shared
def test_public_weights_without_an_architecture_are_told() -> None:
    assert "10 layers (input_1, conv1, PReLU1, ...), no model_config" in refused(shared("models/keras/mtcnn_pnet.h5"))


@pytest.mark.needs_shared
def test_the_public_face_detector_goes_to_opencv_and_its_neighbour_does_not() -> None:
    found = recognise(shared("models/pb/opencv_face_detector_uint8.pb"))
    assert (found.form, found.text_graph) == ("opencv_dnn", shared("models/pb/opencv_face_detector.pbtxt"))
    assert recognise(shared("models/pb/aizoo_face_mask_detection.pb")).form == "frozen_graph"


def test_parts_of_a_savedmodel_point_to_its_folder(models: Path) -> None:
    for part in ("fingerprint.pb", "variables/variables.index"):
        assert "this is a part of a SavedModel" in refused(models / "saved" / part)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.pb")
    assert "neither a file nor a folder" in refused(tmp_path / "model.pb")


def test_what_cannot_be_read_is_an_error_of_the_model(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(ModelLoadError, match="cannot be read: Permission denied"):
        recognise(models / "net.tflite")


def test_telling_the_form_costs_no_import(models: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from streamer.models.formats.recognise import recognise\n"
        f"for name in ('saved', 'net.keras', 'graph.pb', 'net.tflite', 'net.h5'):\n"
        f"    recognise(Path({str(models)!r}, name))\n"
        "print('tensorflow' in sys.modules, 'cv2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
