"""Which label files lie beside a model: by the model's name, or by a usual name where no other model can be meant.

They are looked for, not read. Called by naming.py.
"""

import re
from collections.abc import Iterator
from pathlib import Path

_USUAL = (
    "label_map.pbtxt",
    "labelmap.pbtxt",
    "labels.pbtxt",
    "labels.txt",
    "labelmap.txt",
    "label_map.txt",
    "classes.txt",
    "coco_labels.txt",
    "labels.json",
    "classes.json",
    "labels.csv",
)

_OWN = (".txt", ".pbtxt", ".names", ".json", ".csv")
"""Endings of a label file that is called as its model is."""

_BEHIND = ("_labels.txt", "_labelmap.txt", "_label_map.pbtxt", "_labels.json", ".labels.txt", ".names")
"""What stands behind a model's name, or the beginning of it, in the name of a label file."""

_MODELS = frozenset({".tflite", ".lite", ".pb", ".h5", ".hdf5", ".keras", ".onnx"})

_TEXT_GRAPH = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n)*(?:node|library|versions)\s*:?\s*[{<]")


def label_files(model: Path) -> Iterator[Path]:
    """Files that may hold the labels of `model`, a SavedModel's folder or a file, the likeliest first."""
    names = _beside_folder(model) if model.is_dir() else _beside_file(model)
    for path in dict.fromkeys(names):
        if path.is_file():
            yield path


def _beside_folder(folder: Path) -> Iterator[Path]:
    """In it, in its assets, and where exports of the Object Detection API have them: beside their saved_model/."""
    for place in (folder, folder / "assets"):
        yield from (place / name for name in _USUAL)
        yield from _by_ending(place)
    if folder.name == "saved_model":
        yield from (folder.parent / name for name in _USUAL)


def _by_ending(folder: Path) -> Iterator[Path]:
    others = (path for ending in ("*.pbtxt", "*.names") for path in sorted(folder.glob(ending)))
    return (path for path in others if path.name != "saved_model.pbtxt")


def _beside_file(model: Path) -> Iterator[Path]:
    """`cat_detect_quant.tflite` may have cat_detect_quant.txt, cat_detect_labelmap.txt or cat_labelmap.txt."""
    own = (model.with_suffix(ending) for ending in _OWN)
    yield from (path for path in own if not _is_text_graph(path))
    for beginning in _beginnings(model.stem):
        yield from (model.with_name(f"{beginning}{behind}") for behind in _BEHIND)
    if _is_alone(model):
        yield from (model.with_name(name) for name in _USUAL)
        yield from (path for path in _by_ending(model.parent) if not _is_text_graph(path))


def _beginnings(stem: str) -> Iterator[str]:
    """`a_b-c`, `a_b`, `a`."""
    yield stem
    for separator in reversed(list(re.finditer(r"[_.-]", stem))):
        if separator.start() > 0:
            yield stem[: separator.start()]


def _is_alone(model: Path) -> bool:
    """Whether it is the only model in its folder, so that what lies there is of no other."""
    others = (path for path in model.parent.glob("*") if path.suffix.lower() in _MODELS)
    return all(path.name == model.name for path in others)


def _is_text_graph(path: Path) -> bool:
    """Whether a .pbtxt is the text graph that OpenCV's dnn wants beside a .pb."""
    if path.suffix != ".pbtxt" or not path.is_file():
        return False
    with path.open("rb") as file:
        return _TEXT_GRAPH.match(file.read(4096)) is not None
