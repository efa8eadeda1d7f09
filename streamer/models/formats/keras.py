"""Whole models of Keras, .keras and .h5, loaded. What they may name is decided in safety/keras_files.py before.

Called by loading.py.
"""

import json
import logging
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from streamer.errors import ModelLoadError
from streamer.models.formats.graph_body import range_of_function
from streamer.models.formats.recognise import KerasEnding
from streamer.models.loaded import Hints, Loaded
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow, named_tensors, short_reason
from streamer.models.safety.keras_files import METADATA, what_it_is
from streamer.models.signature import Signature, TensorSpec
from streamer.text import printable

logger = logging.getLogger(__name__)

Model = Any
Tensor = Any
ConcreteFunction = Any
"""Keras and TensorFlow come without types."""

SIGNATURE = "model"
"""What the one way of calling a model of Keras is called."""


_UNKNOWN = re.compile(r"(Could not locate|Unknown|Could not deserialize) (class|function|layer|object)?:? ?'[^']*'")
_ADVICE = re.compile(r" (?:Please ensure|Make sure|Received|Full object config)\b")


def load_keras(path: Path, *, trust: bool) -> Loaded:
    """The model in a .keras or .h5 file, ready to run.

    trust: whether Python code that is in the file may run; Keras' safe mode is off then.

    Raises ModelLoadError for a file that is damaged or two in one, holds layers that Keras does not know, or was
    written by a Keras that this one cannot read.
    """
    ending = what_it_is(path)
    keras = _keras()
    try:
        with _named_after_content(path, ending) as file:
            model = keras.models.load_model(file, compile=False, safe_mode=not trust)
        function = _function(model)
    except Exception as error:
        raise ModelLoadError(
            f"Keras {keras.__version__} cannot load it: {_reason(error)}",
            where=str(path),
            hint="damaged, of another Keras, or with layers of your own? where it was made, write a SavedModel with "
            "model.export('folder')",
        ) from error
    names = [str(name) for name in getattr(model, "output_names", None) or ()]
    outputs = named_tensors(function.structured_outputs, names)
    return Loaded(
        graph=TensorFlowGraph(model, function, input_name=None, output_names=names),
        signature=Signature(SIGNATURE, _specs(_inputs(model)), _specs(outputs)),
        form=f"Keras {ending}",
        signatures=(SIGNATURE,),
        hints=Hints(value_range=range_of_function(function)),
        writer=_writer(path, ending),
        parameters=int(model.count_params()),
    )


def _reason(error: Exception) -> str:
    """What Keras says, without its advice, which is for whoever wrote the layers."""
    unknown = _UNKNOWN.search(str(error))
    return printable(unknown[0], limit=160) if unknown else _ADVICE.split(short_reason(error))[0]


def _keras() -> ModuleType:
    """The Keras of TensorFlow. Raises ModelLoadError where it was told to compute with something else."""
    keras: ModuleType = import_tensorflow().keras
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ModelLoadError(f"Keras computes with {backend}, not with TensorFlow", hint="unset KERAS_BACKEND")
    return keras


@contextmanager
def _named_after_content(path: Path, ending: KerasEnding) -> Iterator[str]:
    """The file under a name by which Keras takes it for what it is: before Keras 3, .keras files were HDF5."""
    if path.name.endswith(ending):
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="streamer-") as folder:
        yield shutil.copyfile(path, str(Path(folder) / f"model{ending}"))


def _function(model: Model) -> ConcreteFunction:
    """The model as one function of its inputs, not in training."""
    tensorflow = import_tensorflow()
    inputs = _inputs(model)
    if not inputs:
        raise ValueError("it does not say what it takes: it was saved before it had seen an input")

    structure = getattr(model, "input", None)

    def call(*tensors: Tensor) -> Tensor:
        given = tensors[0] if structure is None else tensorflow.nest.pack_sequence_as(structure, tensors)
        return model(given, training=False)

    specs = [tensorflow.TensorSpec(tensor.shape, tensor.dtype, name) for name, tensor in inputs.items()]
    return tensorflow.function(call, autograph=False).get_concrete_function(*specs)


def _inputs(model: Model) -> dict[str, Tensor]:
    tensors = getattr(model, "inputs", None) or ()
    return {str(tensor.name): tensor for tensor in tensors}


def _specs(tensors: dict[str, Tensor]) -> tuple[TensorSpec, ...]:
    tensorflow = import_tensorflow()
    return tuple(
        TensorSpec(name, tensorflow.as_dtype(tensor.dtype).name, _shape(tensor)) for name, tensor in tensors.items()
    )


def _shape(tensor: Tensor) -> tuple[int | None, ...] | None:
    shape = import_tensorflow().TensorShape(tensor.shape)
    return None if shape.rank is None else tuple(shape.as_list())


def _writer(path: Path, ending: KerasEnding) -> str:
    """`Keras 3.15.1`, as the file says; empty where it does not."""
    version = _version_in_archive(path) if ending == ".keras" else _version_in_hdf5(path)
    text = version.decode("utf-8", "replace") if isinstance(version, bytes) else version
    return f"Keras {printable(text)}" if isinstance(text, str) else ""


def _version_in_archive(path: Path) -> object:
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read(METADATA))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        logger.debug("%s says no version: %s", path.name, error)
        return None
    return metadata.get("keras_version") if isinstance(metadata, dict) else None


def _version_in_hdf5(path: Path) -> object:
    import h5py  # noqa: PLC0415 - half a second; comes with TensorFlow

    with h5py.File(path, "r") as file:
        return file.attrs.get("keras_version")
