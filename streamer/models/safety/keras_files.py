"""What a Keras file would do, looked at before anything of it runs: its description is read as data, nothing is built.

A .keras file is an archive with a description in config.json, an .h5 file has it in an attribute; both may name layers
that run Python code of the file, and in older versions of Keras any function of any package (CVE-2025-1550,
CVE-2025-8747, CVE-2026-1462). So each class and function that is named must be Keras' own, and none of those that run
code or read files. The numbers may not lie in other files. Keras itself loads in safe mode besides.

Called by checks.py, before TensorFlow is imported.
"""

import json
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from streamer.errors import ModelLoadError
from streamer.models.formats.recognise import KerasEnding, head_of, keras_ending
from streamer.models.safety.wording import listed
from streamer.text import printable

if TYPE_CHECKING:
    import h5py

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"

MAX_CONFIG_BYTES = 64 << 20
"""Of the description; the largest networks of Keras have some MB."""

MAX_BYTES = 4 << 30
"""Of the numbers, and of all that is in an archive."""

MAX_RATIO = 100
"""How much larger than its archive what is packed may be. Keras packs nothing: it only lays files together."""

RATIO_FROM_BYTES = 16 << 20
"""Up to here no ratio counts."""

MAX_OBJECTS = 1_000_000
"""Groups and arrays of one HDF5 file."""

Config = dict[str, Any]

_RUN_CODE = "run Python code that is in the file or beside it"
_READ_FILES = "read or load other files"
_BY_NAME = "call functions of TensorFlow by their names, which Keras 3 does not"
_FOREIGN = (
    "are not Keras' own, so that their code is not in the file (of your own? load it in your program, and write a "
    "SavedModel with model.export('folder'))"
)

_REFUSED = {
    **dict.fromkeys(("Lambda", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"), _RUN_CODE),
    **dict.fromkeys(("TFSMLayer", "StringLookup", "IntegerLookup", "TextVectorization"), _READ_FILES),
    **dict.fromkeys(
        ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer"),
        _BY_NAME,
    ),
    **dict.fromkeys(("TypeSpec", "CompositeTensor", "__typespec__"), _FOREIGN),
}
"""Classes that are never built, whatever module they are said to be of, and why."""

_DATA = frozenset(
    {
        "__keras_tensor__",
        "__tensor__",
        "__numpy__",
        "__bytes__",
        "__slice__",
        "__ellipsis__",
        "__tuple__",
        "TensorShape",
    }
)
"""What stands for values, not for classes."""

_MODULE = re.compile(
    r"keras|keras\.(src\.)?(activations|constraints|dtype_policies|engine|initializers|layers|losses|metrics"
    r"|mixed_precision|models|ops|optimizers|quantizers|random|regularizers)(\.\w+)*"
)
"""Modules whose classes a model may be made of."""

_FUNCTIONS = re.compile(
    r"builtins|keras\.(src\.)?(activations|constraints|initializers|losses|metrics|ops|regularizers)(\.\w+)*"
)
"""Modules whose functions it may name: they compute. Those of keras.utils, keras.saving and keras.models do more."""

_CLASS = re.compile(r"_*[A-Z]\w*", re.ASCII)
"""How classes are spelled; what is not is a function, and Keras calls what stands where a layer should."""

_NEVER = frozenset({"deserialize", "serialize", "get"})
"""Functions of these modules that build others by their names."""

_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    EOFError,
    LookupError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What the readers raise on bytes that are no such file; json's RecursionError is a RuntimeError."""


def keras_concerns(path: Path) -> tuple[str, ...]:
    """What a .keras or .h5 file would be refused for, each with what it is in it; empty for one that only computes.

    Raises ModelLoadError for a file that is damaged or too large, and for an archive that leads out of its folder.
    """
    try:
        return _of_archive(path) if what_it_is(path) == ".keras" else _of_hdf5(path)
    except _DAMAGE as error:
        what = printable(str(error), limit=160) or type(error).__name__
        raise _damaged(path, what) from error


def what_it_is(path: Path) -> KerasEnding:
    """As what a Keras file is looked at and loaded, whatever it is called.

    Raises ModelLoadError for a file that is neither, and for an HDF5 file with an archive behind it, which Keras would
    load in its stead under another name; OSError for one that cannot be read.
    """
    ending = keras_ending(head_of(path))
    if ending is None:
        raise _damaged(path, "it begins neither as an archive nor as an HDF5 file")
    if ending == ".h5" and zipfile.is_zipfile(path):
        raise ModelLoadError(
            "the Keras file is refused: an archive is hidden behind it", where=str(path), hint="save the model again"
        )
    return ending


def _of_archive(path: Path) -> tuple[str, ...]:
    with zipfile.ZipFile(path) as archive:
        _check_members(archive, path)
        config = _parsed(archive.read(CONFIG), path)
        links = _links_out(BytesIO(archive.read(WEIGHTS)), path)
    config.pop("compile_config", None)
    return _phrased(config, links)


def _of_hdf5(path: Path) -> tuple[str, ...]:
    import h5py  # noqa: PLC0415 - half a second; comes with TensorFlow

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise _damaged(path, "its description (model_config) is missing")
        config = file.attrs["model_config"]
    if len(config) > MAX_CONFIG_BYTES:
        raise _too_large(path, "its description")
    links = _links_out(path, path)
    return _phrased(_parsed(config, path), links)


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Raises ModelLoadError for what Keras would not have written, or what is larger than it may be."""
    members = archive.infolist()
    names = [member.filename for member in members]
    strange = [member.filename for member in members if not _is_keras_own(member)]
    strange += [name for name in set(names) if names.count(name) > 1][:1]
    if strange:
        raise ModelLoadError(
            f"the Keras file is refused: {listed(strange)} should not be in it",
            where=str(path),
            hint=f"Keras writes {CONFIG}, {METADATA}, {WEIGHTS} and assets/",
        )
    if CONFIG not in names or WEIGHTS not in names:
        raise _damaged(path, f"{CONFIG if CONFIG not in names else WEIGHTS} is missing")
    size_bytes = sum(member.file_size for member in members)
    packed_bytes = path.stat().st_size
    if size_bytes > MAX_BYTES or (size_bytes > RATIO_FROM_BYTES and size_bytes > MAX_RATIO * packed_bytes):
        raise _too_large(path, f"what is in it, {size_bytes >> 20} MiB from {packed_bytes >> 10} KiB,")
    if archive.getinfo(CONFIG).file_size > MAX_CONFIG_BYTES:
        raise _too_large(path, "its description")


def _is_keras_own(member: zipfile.ZipInfo) -> bool:
    name = member.orig_filename
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    inside = name.startswith("assets/") and ".." not in name.split("/") and not set(name) & set("\\:\0")
    return not is_link and (inside or name in {CONFIG, METADATA, WEIGHTS})


def _parsed(text: str | bytes, path: Path) -> Config:
    config = json.loads(text)
    if not isinstance(config, dict):
        raise _damaged(path, "its description is none")
    return config


def _links_out(file: Path | IO[bytes], path: Path) -> list[str]:
    """Places in an HDF5 file whose numbers lie in another one. Raises ModelLoadError for more than there may be."""
    import h5py  # noqa: PLC0415 - as above

    found: list[str] = []
    size = 0
    with h5py.File(file, "r") as opened:
        for number, (name, item) in enumerate(_walked(opened)):
            if isinstance(item, h5py.ExternalLink):
                found.append(f"{name} is a link to {item.filename!r}")
            elif isinstance(item, h5py.Dataset):
                size += item.nbytes
                if item.external or item.is_virtual:
                    found.append(f"the numbers of {name} lie in another file")
            if number > MAX_OBJECTS or size > MAX_BYTES:
                raise _too_large(path, "what it describes")
    return found


def _walked(file: "h5py.File") -> Iterator[tuple[str, object]]:
    """All links out, groups and arrays, each once: links inside may lead in circles."""
    import h5py  # noqa: PLC0415 - as above

    waiting: list[h5py.Group] = [file]
    seen = {h5py.h5o.get_info(file.id).addr}
    while waiting:
        group = waiting.pop()
        for key in group:
            link = group.get(key, getlink=True)
            name = f"{group.name.rstrip('/')}/{key}"
            if isinstance(link, h5py.ExternalLink):
                yield name, link
                continue
            item = group.get(key)
            address = None if item is None else h5py.h5o.get_info(item.id).addr
            if address is not None and address not in seen:
                seen.add(address)
                yield name, item
                waiting += [item] if isinstance(item, h5py.Group) else []


def _phrased(config: Config, links: Sequence[str]) -> tuple[str, ...]:
    uses = list(dict.fromkeys(use for described in _described(config) if (use := _use(described)) is not None))
    parts = [f"it reaches out of its file: {listed(links)}"] if links else []
    reasons = dict.fromkeys(why for why, _ in uses)
    return (*parts, *(f"it contains parts that {why}: {listed([n for w, n in uses if w == why])}" for why in reasons))


def _described(config: Config) -> Iterator[Config]:
    """Every description of a class, a function or a value in it, however deep."""
    waiting: list[object] = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _use(described: Config) -> tuple[str, str] | None:
    """Why a description is refused, and what it is called; None for one that is as it should be.

    Raises TypeError for what is no description.
    """
    name: Any = described["class_name"]
    module: Any = described.get("module")
    registered: Any = described.get("registered_name")
    given: Any = described.get("config") if name == "function" else name
    if not (isinstance(name, str) and isinstance(given, str) and isinstance(module, str | None)):
        raise TypeError("a class or a function in its description has no name")
    for alias in (name, given, str(registered).rpartition(">")[2]):
        if alias in _REFUSED:
            return _REFUSED[alias], _called(described)
    if name in _DATA and module is None:
        return None
    if name == "function":
        fits = bool(_FUNCTIONS.fullmatch(module or "builtins")) and given.isidentifier() and given not in _NEVER
    else:
        fits = bool(_MODULE.fullmatch(module or "keras")) and bool(_CLASS.fullmatch(name))
    return None if fits and registered in {None, given} else (_FOREIGN, _called(described))


def _called(described: Config) -> str:
    """`Lambda`, or `os.system` where a module is named, with the name of the layer where it has one."""
    name, module, config = (described.get(key) for key in ("class_name", "module", "config"))
    given = config if name == "function" else name
    place = f"{module}.{given}" if module and module != "builtins" else str(given)
    registered = described.get("registered_name")
    place += f" ({registered})" if registered not in {None, given} else ""
    layer = config.get("name") if isinstance(config, dict) else None
    return f"{place} {layer!r}" if isinstance(layer, str) else place


def _damaged(path: Path, why: str) -> ModelLoadError:
    return ModelLoadError(
        f"the Keras file is damaged or incomplete: {why}", where=str(path), hint="copy or save the model again"
    )


def _too_large(path: Path, what: str) -> ModelLoadError:
    return ModelLoadError(f"{what} is larger than any model", where=str(path), hint=f"at most {MAX_BYTES >> 30} GiB")
