"""SavedModel folders: found without TensorFlow, loaded with it, their signature read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamer.errors import ModelLoadError
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow, short_reason
from streamer.models.signature import Signature, TensorSpec, choose_signature

GRAPH_FILE = "saved_model.pb"

_LOOKED_FOR = f"a SavedModel is a folder with {GRAPH_FILE} and variables/ in it"

_OTHER_FORMS = {
    ".pb": "a frozen graph",
    ".h5": "a Keras file",
    ".hdf5": "a Keras file",
    ".keras": "a Keras file",
    ".tflite": "a LiteRT file",
    ".onnx": "an ONNX file",
}


def find_saved_model(path: Path) -> Path:
    """The folder of a SavedModel. Looks only, and needs no TensorFlow.

    Raises ModelLoadError that says what is there instead.
    """
    try:
        if not path.exists():
            raise ModelLoadError("no such file or folder", where=str(path), hint=_LOOKED_FOR)
        if not path.is_dir():
            raise _not_a_folder(path)
        graph = path / GRAPH_FILE
        if not graph.is_file():
            raise _no_graph(path)
        if graph.stat().st_size == 0:
            raise ModelLoadError(f"its {GRAPH_FILE} is empty", where=str(path), hint="copy or export the model again")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelLoadError(f"cannot be read: {reason}", where=str(path)) from error
    return path


def load_saved_model(path: Path, *, signature: str | None) -> tuple[TensorFlowGraph, Signature]:
    """The graph of one signature, ready to run, and what it takes and gives.

    signature: its name; None takes serving_default, or the only one.

    Raises ModelLoadError for a damaged model, SignatureError for a signature that is not there.
    """
    tensorflow = import_tensorflow()
    try:
        loaded = tensorflow.saved_model.load(str(path), tags=["serve"])
    except Exception as error:
        raise ModelLoadError(
            f"the SavedModel is damaged or incomplete: {short_reason(error)}",
            where=str(path),
            hint="copy or export the model again",
        ) from error
    functions = getattr(loaded, "signatures", {})
    name = choose_signature(list(functions), signature)
    function = functions[name]
    inputs, outputs = _specs(function.structured_input_signature[1]), _specs(function.structured_outputs)
    graph = TensorFlowGraph(loaded, function, input_name=inputs[0].name if inputs else "")
    return graph, Signature(name, inputs, outputs)


def _specs(tensors: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, tensor.dtype.name, None if tensor.shape.rank is None else tuple(tensor.shape.as_list()))
        for name, tensor in sorted(tensors.items())
    )


def _not_a_folder(path: Path) -> ModelLoadError:
    if path.name == GRAPH_FILE:
        return ModelLoadError(
            "this is the graph of a SavedModel", where=str(path), hint="give the folder that it is in"
        )
    form = _OTHER_FORMS.get(path.suffix.lower(), "a file")
    return ModelLoadError(f"{form}; this version takes SavedModel folders only", where=str(path), hint=_LOOKED_FOR)


def _no_graph(path: Path) -> ModelLoadError:
    inside = path / "saved_model"
    if (inside / GRAPH_FILE).is_file():
        return ModelLoadError(f"no {GRAPH_FILE} in this folder", where=str(path), hint="give saved_model/ in it")
    what = f"no {GRAPH_FILE} in this folder" if any(path.iterdir()) else "the folder is empty"
    return ModelLoadError(what, where=str(path), hint=_LOOKED_FOR)
