"""What a model would do, looked at before anything of it runs: its graph is read as data, nothing is loaded.

A model is a program. Operations that are not on the list of operations.py are refused by name, wherever they stand: in
a signature, in what loading runs, in a function that nobody calls. It is no sandbox: the operations on the list are
TensorFlow's C++ code, with whatever faults that has. What Keras keeps of its own in a SavedModel (keras_metadata.pb,
which may hold the code of a Lambda) is not read: `tf.saved_model.load` does not read it either.

Called before TensorFlow is imported: `check` by whoever runs a model, `concerns` by whoever only tells of one. What is
looked at in the files of Keras and of TFLite is the matter of keras_files.py and tflite.py.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamer.errors import ModelLoadError
from streamer.models.formats.recognise import Found
from streamer.models.safety.file_access import MAIN_GRAPH, Use, assets, functions_called, functions_named, stray_files
from streamer.models.safety.operations import ALLOWED, FILES, READERS, WRITERS, may_be_function, reason
from streamer.models.safety.program import read_frozen_graph, read_saved_model, text_of
from streamer.models.safety.wording import listed
from streamer.models.schema import Message

logger = logging.getLogger(__name__)

TRUST_HINT = "--trust-model runs it all the same; only do so if you know who made it"

_SAVED_MODEL_OPERATIONS = frozenset(READERS) | WRITERS

_FOLDERS_READ = ("variables", "assets")


def check(found: Found, *, trust: bool = False) -> None:
    """Look at a model of any form. trust: what would be refused is a warning instead; damage is an error all the same.

    Raises ModelLoadError that names what is refused, or says what is damaged or too large.
    """
    _refuse(found.path, concerns(found), trust=trust)


def concerns(found: Found) -> tuple[str, ...]:
    """What a model would be refused for, each with what it is in it; empty for one that only computes.

    Raises ModelLoadError that says what is damaged or too large.
    """
    if found.form == "savedmodel":
        return _saved_model_concerns(found.path)
    if found.form == "keras":
        from streamer.models.safety.keras_files import keras_concerns  # noqa: PLC0415 - each form pays for itself

        return keras_concerns(found.path)
    if found.form == "tflite":
        from streamer.models.safety.tflite import tflite_concerns  # noqa: PLC0415

        return tflite_concerns(found.path)
    return _frozen_graph_concerns(found.path)


def _saved_model_concerns(folder: Path) -> tuple[str, ...]:
    model = read_saved_model(folder)
    paths = [*_links_out(folder), *_assets_out(folder, model)]
    uses: list[tuple[str, Use]] = []
    for meta_graph in model.meta_graphs:
        uses += [(reason(use.operation), use) for use in _unknown(meta_graph.graph, also=_SAVED_MODEL_OPERATIONS)]
    uses += [(FILES, use) for use in stray_files(model)]
    return _phrased(uses, paths)


def _frozen_graph_concerns(path: Path) -> tuple[str, ...]:
    """A frozen graph has no saver: nothing in it may touch files."""
    graph = read_frozen_graph(path)
    return _phrased([(reason(use.operation), use) for use in _unknown(graph)], [])


def _unknown(graph: Message, *, also: frozenset[str] = frozenset()) -> Iterator[Use]:
    """The operations of the main graph and of all functions that are neither allowed nor functions of the graph."""
    allowed = {name.encode() for name in ALLOWED | also}
    functions = {function.signature.name for function in graph.library.functions}
    callable_by_name = {name for name in functions if may_be_function(text_of(name))}
    known = functions | allowed
    bodies = [(MAIN_GRAPH, graph.nodes)]
    bodies += [(f"the function {text_of(f.signature.name)!r}", f.nodes) for f in graph.library.functions]
    for function in graph.library.functions:
        place = f"the function {text_of(function.signature.name)!r}"
        yield from (Use(text_of(name), place) for name in functions_named(function.attributes) if name not in known)
    for place, nodes in bodies:
        for node in nodes:
            operation, *called = functions_called(node)
            if operation not in allowed and operation not in callable_by_name:
                yield Use(text_of(operation), place)
            yield from (Use(text_of(name), place) for name in called if name not in known)


def _links_out(folder: Path) -> list[str]:
    """Files of the model that are links to somewhere else, or to themselves."""
    found = [path for name in _FOLDERS_READ for path in _entries(folder / name)]
    return [
        f"{path.relative_to(folder)} is a link {'in a circle' if _end(path) is None else 'out of its folder'}"
        for path in found
        if path.is_symlink() and _leads_out(path, folder)
    ]


def _leads_out(path: Path, folder: Path) -> bool:
    end, home = _end(path), _end(folder)
    return end is None or home is None or not end.is_relative_to(home)


def _end(path: Path) -> Path | None:
    """Where a path leads, whether something is there or not; None for links in a circle."""
    try:
        with contextlib.suppress(FileNotFoundError):
            path.stat()  # from Python 3.13 on, `resolve` takes a circle for an end
        return path.resolve()
    except (OSError, RuntimeError):
        return None


def _entries(folder: Path) -> Iterator[Path]:
    """A folder and all in it; a folder that is a link is not entered."""
    yield folder
    if not folder.is_symlink():
        for parent, folders, files in os.walk(folder):
            yield from (Path(parent, name) for name in sorted((*folders, *files)))


def _assets_out(folder: Path, model: Message) -> list[str]:
    """Files that the model says are its own, and that are not in its assets/."""
    home = folder / "assets"
    names = {text_of(asset.filename) for meta_graph in model.meta_graphs for asset in assets(meta_graph)}
    return [
        f"it asks for the file {name!r}"
        for name in sorted(names)
        if "\0" in name or "://" in name or _leads_out(home / name, home)
    ]


def _phrased(uses: Sequence[tuple[str, Use]], paths: Sequence[str]) -> tuple[str, ...]:
    parts = [f"it reaches out of its folder: {listed(paths)}"] if paths else []
    reasons = dict.fromkeys(why for why, _ in uses)
    return (*parts, *(f"it contains operations that {why}: {listed(_named(uses, why))}" for why in reasons))


def _refuse(where: Path, found: Sequence[str], *, trust: bool) -> None:
    if not found:
        return
    what = "; ".join(found)
    if not trust:
        raise ModelLoadError(f"the model is refused: {what}", where=str(where), hint=TRUST_HINT)
    logger.warning("the model is trusted, though %s", what)


def _named(uses: Sequence[tuple[str, Use]], why: str) -> list[str]:
    """Each operation once, with the first place where it stands."""
    places: dict[str, str] = {}
    for other, use in uses:
        if other == why:
            places.setdefault(use.operation, use.place)
    return [f"{operation} in {place}" for operation, place in places.items()]
