"""Which model is meant: a path, an archive on the disk, the name of a published model, or of one in the cache.

A path wins over a name. What is named and not there yet is fetched, looked at, unpacked and kept; what is there
already is taken as it lies. It loads no model. Called by load_detector, by the parts of a run and by the verb models.
"""

import hashlib
import os
import re
from pathlib import Path

from streamer.errors import ModelLoadError
from streamer.models.zoo.cache import Cache
from streamer.models.zoo.download import Watch
from streamer.models.zoo.fetching import fetch, file_name_of, model_inside, stem_of, unpacked
from streamer.models.zoo.published import ARCHIVE_ENDINGS, ZooModel, nearest_names, zoo_model, zoo_model_at
from streamer.models.zoo.web import asking_for
from streamer.text import safe_file_name

_LIST = "streamer models list names those that there are"

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def look_for(model: str | os.PathLike[str]) -> None:
    """Raise ModelLoadError where `model` is neither a path nor a name; fetches nothing."""
    text = str(model)
    if not (_is_there(model) or _named(text) or Cache().has(text)):
        raise _unknown(text)


def find_model(model: str | os.PathLike[str], *, watch: Watch | None = None) -> Path:
    """The path of the model that `model` means; what has to be fetched or unpacked for that is.

    watch: is told how a download goes.

    A path is given back as it is, whether or not a model lies there, unless it is that of an archive. Raises
    ModelLoadError.
    """
    text = str(model)
    if _is_there(model):
        path = Path(model)
        return unpacked(path) if is_archive(path.name) and path.is_file() else path
    named = _named(text)
    if named is not None:
        return fetch(named.name, named.url, sha256=named.sha256, watch=watch)
    cache = Cache()
    if cache.has(text):
        return model_inside(cache, text)
    if _ADDRESS.match(text) or len(Path(text).parts) == 1:
        raise _unknown(text)
    return Path(model)


def get(wanted: str, *, sha256: str | None = None, watch: Watch | None = None) -> Path:
    """The model of that name or address, fetched if it is not there. sha256: what it must be. Raises ModelLoadError."""
    if not _ADDRESS.match(wanted):
        named = _named(wanted)
        if named is None:
            return kept(wanted)
        return fetch(named.name, named.url, sha256=sha256 or named.sha256, watch=watch)
    named = zoo_model_at(wanted)
    if named is not None:
        return fetch(named.name, named.url, sha256=sha256 or named.sha256, watch=watch)
    asking_for(wanted)
    return fetch(key_of_address(wanted), wanted, sha256=sha256, watch=watch)


def kept(name: str) -> Path:
    """The path of a model that is in the cache. Raises ModelLoadError for one that is not."""
    cache, key = Cache(), key_of(name)
    if not cache.has(key):
        if _named(key) is None:
            raise _unknown(name)
        raise ModelLoadError("is not in the cache", where=name, hint=f"streamer models get {key} fetches it")
    return model_inside(cache, key)


def key_of(name: str) -> str:
    """What a model is called in the cache: its own name, its archive's or its address is given."""
    named = zoo_model_at(name) or _named(name)
    if named is not None:
        return named.name
    return key_of_address(name) if _ADDRESS.match(name) else name


def key_of_address(url: str) -> str:
    """The name under which a model from `url` is kept; whatever else the address holds is in it as a hash only."""
    return f"{safe_file_name(stem_of(file_name_of(url)))}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def is_archive(name: str) -> bool:
    """Whether a file of that name is unpacked."""
    return name.lower().endswith(ARCHIVE_ENDINGS)


def _is_there(model: str | os.PathLike[str]) -> bool:
    return os.path.exists(model)  # noqa: PTH110 - Path's own raises for what can be no path


def _named(text: str) -> ZooModel | None:
    return zoo_model(text) if len(Path(text).parts) == 1 else None


def _unknown(text: str) -> ModelLoadError:
    if _ADDRESS.match(text):
        hint = "streamer models get ADDRESS fetches a model and prints its path"
        return ModelLoadError("is an address, no path and no name", where=text, hint=hint)
    if len(Path(text).parts) > 1:
        hint = "--model takes a SavedModel's folder, a .pb, .keras, .h5 or .tflite file, an archive, or a name"
        return ModelLoadError("no such file or folder", where=text, hint=hint)
    near = nearest_names(text, also=Cache().keys())
    hint = f"did you mean {', '.join(near)}? {_LIST}" if near else _LIST
    return ModelLoadError("no such file or folder, and no model of that name", where=text, hint=hint)
