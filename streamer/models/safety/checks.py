"""What a model would do, looked at before anything of it runs: its graph is read as data, nothing is loaded.

A model is a program. Operations that are not on the list of operations.py are refused by name, wherever they stand: in
a signature, in what loading runs, in a function that nobody calls. It is no sandbox: the operations on the list are
TensorFlow's C++ code, with whatever faults that has. What Keras keeps of its own in a SavedModel (keras_metadata.pb,
which may hold the code of a Lambda) is not read: `tf.saved_model.load` does not read it either.

Called by load_detector, before TensorFlow is imported.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamer.errors import ModelLoadError
from streamer.models.safety.file_access import MAIN_GRAPH, Use, assets, functions_called, functions_named, stray_files
from streamer.models.safety.operations import ALLOWED, FILES, READERS, WRITERS, may_be_function, reason
from streamer.models.safety.program import Message, read_frozen_graph, read_saved_model, text_of
from streamer.text import printable

logger = logging.getLogger(__name__)

NAMED = 3
"""How many operations of a kind a message names."""

_HINT = "--trust-model runs it all the same; only do so if you know who made it"

_SAVED_MODEL_OPERATIONS = frozenset(READERS) | WRITERS

_FOLDERS_READ = ("variables", "assets")


def check_saved_model(folder: Path, *, trust: bool = False) -> None:
    """Look at the SavedModel in a folder: all its graphs, their functions, and the files that they are given.

    trust: what would be refused is a warning instead. Damage is an error all the same.

    Raises ModelLoadError that names the operations, or says what is damaged or too large.
    """
    model = read_saved_model(folder)
    paths = [*_links_out(folder), *_assets_out(folder, model)]
    uses: list[tuple[str, Use]] = []
    for meta_graph in model.meta_graphs:
        uses += [(reason(use.operation), use) for use in _unknown(meta_graph.graph, also=_SAVED_MODEL_OPERATIONS)]
    uses += [(FILES, use) for use in stray_files(model)]
    _refuse(folder, uses, paths, trust=trust)


def check_frozen_graph(path: Path, *, trust: bool = False) -> None:
    """Look at the graph in a file. It has no saver: nothing in it may touch files. Otherwise as check_saved_model."""
    graph = read_frozen_graph(path)
    _refuse(path, [(reason(use.operation), use) for use in _unknown(graph)], [], trust=trust)


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
    """Files of the model that are links to somewhere else."""
    home = folder.resolve()
    found = [path for name in _FOLDERS_READ for path in _entries(folder / name)]
    return [
        f"{path.relative_to(folder)} is a link out of its folder"
        for path in found
        if path.is_symlink() and not path.resolve().is_relative_to(home)
    ]


def _entries(folder: Path) -> Iterator[Path]:
    """A folder and all in it; a folder that is a link is not entered."""
    yield folder
    if not folder.is_symlink():
        for parent, folders, files in os.walk(folder):
            yield from (Path(parent, name) for name in sorted((*folders, *files)))


def _assets_out(folder: Path, model: Message) -> list[str]:
    """Files that the model says are its own, and that are not in its assets/."""
    home = (folder / "assets").resolve()
    names = {text_of(asset.filename) for meta_graph in model.meta_graphs for asset in assets(meta_graph)}
    return [
        f"it asks for the file {name!r}"
        for name in sorted(names)
        if "\0" in name or "://" in name or not (home / name).resolve().is_relative_to(home)
    ]


def _refuse(where: Path, uses: Sequence[tuple[str, Use]], paths: Sequence[str], *, trust: bool) -> None:
    if not uses and not paths:
        return
    parts = [f"it reaches out of its folder: {_listed(paths)}"] if paths else []
    reasons = dict.fromkeys(why for why, _ in uses)
    parts += [f"it contains operations that {why}: {_listed(_named(uses, why))}" for why in reasons]
    what = "; ".join(parts)
    if not trust:
        raise ModelLoadError(f"the model is refused: {what}", where=str(where), hint=_HINT)
    logger.warning("the model is trusted, though %s", what)


def _named(uses: Sequence[tuple[str, Use]], why: str) -> list[str]:
    """Each operation once, with the first place where it stands."""
    places: dict[str, str] = {}
    for other, use in uses:
        if other == why:
            places.setdefault(use.operation, use.place)
    return [f"{operation} in {place}" for operation, place in places.items()]


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - NAMED
    return ", ".join(printable(text, limit=96) for text in texts[:NAMED]) + (f" and {more} more" if more > 0 else "")
