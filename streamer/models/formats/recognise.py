"""Which form a model has, told from what lies there without loading it: by content first, by name last.

What is no model that can be run is named, with what to do about it: others.py. Called by opening.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamer.errors import ModelLoadError
from streamer.text import printable

Form = Literal["savedmodel", "frozen_graph", "opencv_dnn", "keras", "tflite"]

GRAPH_FILE = "saved_model.pb"

KERAS_WEIGHTS = "model.weights.h5"
"""What lies in every .keras file, and is no model of its own."""

LOOKED_FOR = f"a SavedModel is a folder with {GRAPH_FILE} and variables/ in it; .pb, .tflite, .keras and .h5 are files"

HEAD_BYTES = 4096
"""How much of a file is read to tell what it is."""

TEXT_GRAPH_BYTES = 1 << 16
"""How far into a .pbtxt its first node is looked for: comments may stand before it."""

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"

KerasEnding = Literal[".keras", ".h5"]

_ENDINGS: dict[str, Form] = {
    ".pb": "frozen_graph",
    ".tflite": "tflite",
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
}

_NODE = re.compile(rb"^\s*node\s*:?\s*\{", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A model on the disk.

    path: the folder of a SavedModel, or the file. text_graph: the .pbtxt that OpenCV's dnn wants beside a .pb.
    """

    path: Path
    form: Form
    text_graph: Path | None = None


def recognise(path: Path) -> Found:
    """The model at `path`: a file, the folder of a SavedModel, or a folder that holds one model.

    Needs neither TensorFlow nor OpenCV, and reads no more than it takes to tell. Raises ModelLoadError that says what
    is there instead.
    """
    try:
        if not path.exists():
            raise ModelLoadError("no such file or folder", where=str(path), hint=LOOKED_FOR)
        return _in_folder(path) if path.is_dir() else _file(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelLoadError(f"cannot be read: {printable(reason)}", where=str(path)) from error


def is_text_graph(path: Path) -> bool:
    """Whether a .pbtxt is a graph written as text, and not a label map."""
    with path.open("rb") as file:
        return _NODE.search(file.read(TEXT_GRAPH_BYTES)) is not None


def keras_ending(head: bytes) -> KerasEnding | None:
    """What a Keras file is, by its first bytes alone: .keras for an archive, .h5 for HDF5; None for neither.

    Who looks at a file and who loads it both ask here: what is at its end, or how it is called, says nothing.
    """
    if head.startswith(ZIP):
        return ".keras"
    return ".h5" if head.startswith(HDF5) else None


def head_of(path: Path) -> bytes:
    """The first bytes of a file, by which it is told what it is."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _in_folder(folder: Path) -> Found:
    inside = [place for place in (folder, folder / "saved_model") if (place / GRAPH_FILE).is_file()]
    below = inside or sorted(graph.parent for graph in folder.glob(f"*/{GRAPH_FILE}"))
    if inside or len(below) == 1:
        return _saved_model(below[0])
    unpacked = (folder / "config.json").is_file() and (folder / KERAS_WEIGHTS).is_file()
    files = [] if unpacked else [file for file in _files(folder) if _kind_of(file, head_of(file)) is not None]
    if len(files) == 1 and not below:
        return _file(files[0])
    raise _no_model(folder, [*below, *files])


def _no_model(folder: Path, several: list[Path]) -> ModelLoadError:
    from streamer.models.formats.others import what_folder_is  # noqa: PLC0415 - only who is refused pays for it

    where = str(folder)
    if several:
        names = ", ".join(printable(path.name) for path in several[:4]) + (", ..." if len(several) > 4 else "")
        return ModelLoadError(f"there are {len(several)} models in this folder: {names}", where=where, hint="give one")
    if not any(folder.iterdir()):
        return ModelLoadError("the folder is empty", where=where, hint=LOOKED_FOR)
    return what_folder_is(folder) or ModelLoadError(f"no {GRAPH_FILE} in this folder", where=where, hint=LOOKED_FOR)


def _saved_model(folder: Path) -> Found:
    if (folder / GRAPH_FILE).stat().st_size == 0:
        raise ModelLoadError(f"its {GRAPH_FILE} is empty", where=str(folder), hint="copy or export the model again")
    return Found(folder, "savedmodel")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith("."))


def _file(path: Path) -> Found:
    from streamer.models.formats.others import what_file_is  # noqa: PLC0415 - only who is refused pays for it

    if not path.is_file():
        raise ModelLoadError("neither a file nor a folder", where=str(path), hint=LOOKED_FOR)
    head = head_of(path)
    if not head:
        raise ModelLoadError("the file is empty", where=str(path), hint="copy or export the model again")
    if path.name == GRAPH_FILE:
        raise ModelLoadError("this is the graph of a SavedModel", where=str(path), hint="give the folder that it is in")
    if any((folder / GRAPH_FILE).is_file() for folder in _may_be_part_of(path)):
        raise ModelLoadError("this is a part of a SavedModel", where=str(path), hint="give the SavedModel's folder")
    other = what_file_is(path, head, may_be_model=_form_by_content(head) is not None)
    if other is not None:
        raise other
    form = _kind_of(path, head) or ("keras" if keras_ending(head) else None)
    if form is None:
        raise ModelLoadError("a file of no known form", where=str(path), hint=LOOKED_FOR)
    text_graph = _companion(path) if form == "frozen_graph" else None
    return Found(path, "opencv_dnn" if text_graph else form, text_graph)


def _may_be_part_of(path: Path) -> tuple[Path, ...]:
    """Where the graph would be if the file were one of those that a SavedModel has besides it."""
    if path.name in {"fingerprint.pb", "keras_metadata.pb"}:
        return (path.parent,)
    return (path.parent.parent,) if path.parent.name == "variables" else ()


def _kind_of(path: Path, head: bytes) -> Form | None:
    """What a file is, by its content; by its name where the content says nothing. None for no model."""
    return _form_by_content(head) or _ENDINGS.get(path.suffix.lower())


def _form_by_content(head: bytes) -> Form | None:
    if head[4:8] == b"TFL3":
        return "tflite"
    if keras_ending(head) == ".h5":
        return "keras"
    return "frozen_graph" if _begins_as_graph(head) else None


def _begins_as_graph(head: bytes) -> bool:
    """Whether the bytes are a GraphDef's: field 1 is a node, whose field 1 is a name and whose field 2 an operation."""
    if not head.startswith(b"\x0a"):
        return False
    start = next((n + 1 for n, byte in enumerate(head[1:6], start=1) if byte < 0x80), 0)
    name_bytes = head[start + 1] if start and len(head) > start + 1 else 0x80
    operation = start + 2 + name_bytes
    return head[start : start + 1] == b"\x0a" and name_bytes < 0x80 and head[operation : operation + 1] == b"\x12"


def _companion(graph: Path) -> Path | None:
    """The text graph beside a .pb: of the same name, else of the longest name that the graph's begins with."""
    stem = graph.stem.casefold()
    texts = [path for path in _files(graph.parent) if path.suffix.lower() == ".pbtxt" and is_text_graph(path)]
    beginning = [path for path in texts if _begins(stem, path.stem.casefold())]
    return max(beginning, key=lambda path: len(path.stem), default=None)


def _begins(stem: str, other: str) -> bool:
    return bool(other) and stem.startswith(other) and not stem[len(other) : len(other) + 1].isalnum()
