"""What people give that is no model which can be run here: named, with what to do about it. It loads nothing.

Called by recognise.py.
"""

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.errors import ModelLoadError
from streamer.text import printable

if TYPE_CHECKING:
    import h5py

_ONNX = "an ONNX model: TensorFlow does not run it"
_TORCH = "a PyTorch model: TensorFlow does not run it"
_CHECKPOINT = "part of a checkpoint: weights without a graph"
_DARKNET = "a file of darknet: TensorFlow does not run it"
_PICKLE = "a pickle, which is a program in Python: it is never loaded"
_TENSORRT = "an engine of TensorRT, made for one GPU: TensorFlow does not run it"
_TFJS = "a model for TensorFlow.js"
_OPENVINO = "a model for OpenVINO"
_CAFFE = "a model for Caffe"

_CONVERT_ONNX = "convert it to a SavedModel or .tflite: onnx2tf, or the exporter of whoever trained it"
_CONVERT_TORCH = (
    "export it as a SavedModel or .tflite where it was trained: yolo export format=saved_model, litert-torch"
)
_CONVERT = "look for it as a SavedModel, .pb or .tflite, or convert it where it was made"
_EXPORT = (
    "export it as a SavedModel where it was trained: exporter_main_v2.py of the Object Detection API, model.export()"
)
_CONVERT_TFJS = "give the SavedModel that it was converted from, or convert it back: tfjs-graph-converter"

_BY_ENDING = {
    ".onnx": (_ONNX, _CONVERT_ONNX),
    ".pt": (_TORCH, _CONVERT_TORCH),
    ".pth": (_TORCH, _CONVERT_TORCH),
    ".torchscript": (_TORCH, _CONVERT_TORCH),
    ".safetensors": ("weights without a graph (safetensors)", _EXPORT),
    ".weights": (_DARKNET, _CONVERT),
    ".cfg": (_DARKNET, _CONVERT),
    ".ckpt": (_CHECKPOINT, _EXPORT),
    ".index": (_CHECKPOINT, _EXPORT),
    ".meta": (_CHECKPOINT, _EXPORT),
    ".pkl": (_PICKLE, _EXPORT),
    ".pickle": (_PICKLE, _EXPORT),
    ".joblib": (_PICKLE, _EXPORT),
    ".engine": (_TENSORRT, _CONVERT),
    ".trt": (_TENSORRT, _CONVERT),
    ".plan": (_TENSORRT, _CONVERT),
    ".mlmodel": ("a model for Core ML", _CONVERT),
    ".caffemodel": (_CAFFE, _CONVERT),
    ".prototxt": (_CAFFE, _CONVERT),
    ".npy": ("an array of numpy, no model", _EXPORT),
    ".npz": ("arrays of numpy, no model", _EXPORT),
    ".task": ("a bundle for MediaPipe", "it is a .zip: unpack it, and give the .tflite in it"),
}

_PICKLE_MAGIC = re.compile(rb"\x80[\x02-\x05]")

_BY_BEGINNING = (
    (
        re.compile(rb"version https://git-lfs"),
        ("a pointer of Git LFS, not the file itself", "git lfs pull, or download the file by its raw address"),
    ),
    (
        re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE),
        ("a page or an XML file, no model", "if it was downloaded, its address led to a page about it"),
    ),
    (
        re.compile(rb"\x1f\x8b"),
        ("a compressed file", "an archive is unpacked if its name ends in .tar.gz, .tgz or .zip"),
    ),
    (_PICKLE_MAGIC, (_PICKLE, _EXPORT)),
    (re.compile(rb"\{.*modelTopology", re.DOTALL), (_TFJS, _CONVERT_TFJS)),
    (re.compile(rb"\s*\{"), ("a JSON file, no model", "labels go to --labels, a model card to --card")),
    (
        re.compile(rb"\x08\x01\x12"),
        (
            "the graph of a SavedModel under another name",
            "call it saved_model.pb, lay its variables/ beside it, and give the folder",
        ),
    ),
    (re.compile(rb"\x08[\x03-\x1f]\x12[\x00-\x20][\w.-]"), (_ONNX, _CONVERT_ONNX)),
)
"""How files begin. The last two are messages: a SavedModel's version; the version and the producer of an ONNX model."""

_TEXT_GRAPH = re.compile(rb"\s*(#[^\n]*\n\s*)*(node|item|name|meta_graphs|saved_model_schema_version)\s*:?\s*[{\"']")
_CHECKPOINT_DATA = re.compile(r"\.data-\d{5}-of-\d{5}$")


def what_file_is(path: Path, head: bytes, *, may_be_model: bool) -> ModelLoadError | None:
    """An error for a file that is something else than a model of a known form; None for what may be one.

    head: its first bytes. may_be_model: they are those of a model, so that its name says nothing.
    """
    known = _by_content(path, head)
    if known is None and not may_be_model:
        known = _BY_ENDING.get(path.suffix.lower()) or _by_name(path)
    if known is None:
        return None
    what, hint = known
    return ModelLoadError(what, where=str(path), hint=hint)


def what_folder_is(folder: Path) -> ModelLoadError | None:
    """An error for a folder without a model in it that is known to be something else."""
    names = sorted(path.name for path in folder.iterdir())
    endings = {Path(name).suffix.lower() for name in names}
    known: tuple[str, str] | None = None
    if "saved_model.pbtxt" in names:
        known = ("a SavedModel written as text (saved_model.pbtxt)", "export it again, as saved_model.pb")
    elif "model.json" in names:
        known = (f"{_TFJS} (model.json)", _CONVERT_TFJS)
    elif "tfhub_module.pb" in names:
        known = ("a module of TF Hub without its saved_model.pb", "fetch it again, whole")
    elif {"config.json", "model.weights.h5"} <= set(names):
        known = ("an unpacked .keras file", "give the .keras file itself")
    elif "checkpoint" in names or ".index" in endings:
        known = ("a folder of checkpoints: weights without a graph", _EXPORT)
    elif {".xml", ".bin"} <= endings:
        known = (_OPENVINO, _CONVERT)
    else:
        known = next((_BY_ENDING[ending] for ending in sorted(endings) if ending in _BY_ENDING), None)
    return None if known is None else ModelLoadError(known[0], where=str(folder), hint=known[1])


def _by_content(path: Path, head: bytes) -> tuple[str, str] | None:
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _hdf5(path)
    if _TEXT_GRAPH.match(head):
        return _text(path)
    if _PICKLE_MAGIC.match(head) and path.suffix.lower() in {".pt", ".pth"}:
        return _TORCH, _CONVERT_TORCH
    return next((known for beginning, known in _BY_BEGINNING if beginning.match(head)), None)


def _by_name(path: Path) -> tuple[str, str] | None:
    if _CHECKPOINT_DATA.search(path.name) or path.name == "checkpoint" or ".ckpt" in path.name:
        return _CHECKPOINT, _EXPORT
    return _text(path) if path.suffix.lower() == ".pbtxt" else None


def _archive(path: Path) -> tuple[str, str] | None:
    """None for a .keras file; it is one if the description of a model is in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return None if path.suffix.lower() == ".keras" else ("a damaged archive", "copy it again")
    if "config.json" in names or path.suffix.lower() == ".keras":
        return None
    if any(name.endswith(("/data.pkl", "/constants.pkl")) or name == "data.pkl" for name in names):
        return _TORCH, _CONVERT_TORCH
    if all(name.endswith(".npy") for name in names):
        return _BY_ENDING[".npz"]
    if path.suffix.lower() == ".task":
        return _BY_ENDING[".task"]
    return "an archive", "it is unpacked if its name ends in .zip"


def _text(path: Path) -> tuple[str, str]:
    graphs = sorted(beside.name for beside in path.parent.glob("*.pb"))
    mine = next((name for name in graphs if name.startswith(path.stem)), None)
    give = f"give the .pb beside it: {printable(mine)}" if mine else "give the .pb that it belongs to"
    what = "a text (.pbtxt): a label map, or the description of a graph without its weights"
    return what, f"{give}; a label map goes to --labels"


def _hdf5(path: Path) -> tuple[str, str] | None:
    """None for a whole model of Keras. Weights alone are named, and so is what is missing."""
    import h5py  # noqa: PLC0415 - half a second; comes with TensorFlow

    try:
        with h5py.File(path, "r") as file:
            if "model_config" in file.attrs:
                return None
            layers = _layers(file)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return "a damaged HDF5 file", "copy or save the model again"
    if not layers:
        return "an HDF5 file, but no model of Keras", "save the whole model with model.save('model.keras')"
    named = ", ".join(printable(name) for name in layers[:3]) + (", ..." if len(layers) > 3 else "")
    what = f"the weights of a Keras model without its architecture: {len(layers)} layers ({named}), no model_config"
    return what, "build the model in Python, load_weights() this file, and save it whole: model.save('model.keras')"


def _layers(file: "h5py.File") -> list[str]:
    """Names of the layers whose weights are in a file, as Keras 2 (layer_names) and Keras 3 (layers/) write them."""
    names = file.attrs.get("layer_names")
    if names is not None:
        return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names]
    return sorted(map(str, file["layers"])) if "layers" in file else []
