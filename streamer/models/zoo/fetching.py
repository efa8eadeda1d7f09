"""A file of somebody else's becomes a model in the cache: fetched, compared, unpacked, labelled, in this order.

Which model is meant is the matter of finding.py, which calls it.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from streamer.errors import ModelLoadError
from streamer.models.naming import COCO_IDS, COCO_NAMES
from streamer.models.zoo.cache import Cache, Origin
from streamer.models.zoo.disk import CacheWriteError, in_mb, writing
from streamer.models.zoo.download import Patience, Watch, download
from streamer.models.zoo.published import ARCHIVE_ENDINGS, zoo_model
from streamer.models.zoo.unpack import unpack
from streamer.text import printable, redacted, safe_file_name

logger = logging.getLogger(__name__)

GRAPH_FILE = "saved_model.pb"

MODEL_ENDINGS = (".tflite", ".keras", ".h5", ".pb")
"""Forms of a model that are one file; a SavedModel in the same archive goes first."""

SEARCH_DEPTH = 4
"""How deep in an archive a model is looked for."""


def fetch(
    key: str, url: str, *, sha256: str | None = None, watch: Watch | None = None, patience: Patience | None = None
) -> Path:
    """The model that is kept under `key`, fetched from `url` if there is none.

    sha256: what the file must be; None compares it with that of the first time, which is recorded.

    Raises ModelLoadError; nothing is kept of a file that is not the right one, or that cannot be unpacked safely.
    """
    cache = Cache()
    if not cache.has(key):
        with cache.locked(key):
            if not cache.has(key):
                _fetch(cache, key, url, sha256=sha256, watch=watch, patience=patience)
    known = cache.origin(key).sha256
    if sha256 is not None and known != sha256:
        hint = f"streamer models rm {key}, and fetch it again"
        raise ModelLoadError(f"what is in the cache has the sha256 {known}, not {sha256}", where=key, hint=hint)
    return model_inside(cache, key)


def _fetch(
    cache: Cache, key: str, url: str, *, sha256: str | None, watch: Watch | None, patience: Patience | None
) -> None:
    name = file_name_of(url)
    file = cache.download(key, _ending(name) or ".file")
    if not file.is_file():
        logger.info("%s is not in the cache: it is fetched from %s", key, printable(redacted(url), limit=256))
        download(url, file, watch=watch, patience=patience)
    with _thrown_away_if_wrong(file):
        digest = _digest(file)
        seen = _compare(digest, published=sha256, recorded=cache.recorded(key), key=key, url=url)
        staging = cache.staging(key)
        _lay_out(file, staging, stem=stem_of(name))
    size_bytes = file.stat().st_size
    origin = Origin(url=redacted(url), sha256=digest, size_bytes=size_bytes, fetched=_today())
    cache.keep(key, staging, origin, vouched=sha256 is not None)
    with writing(file):
        file.unlink()
    logger.info("%s: %s, sha256 %s, %s", key, in_mb(size_bytes), digest, seen)


def unpacked(archive: Path) -> Path:
    """The model in an archive on the disk, unpacked once and found again by its sha256. Raises ModelLoadError."""
    cache = Cache()
    digest = _digest(archive)
    stem = stem_of(archive.name)
    key = f"{safe_file_name(stem)}-{digest[:12]}"
    if not cache.has(key):
        with cache.locked(key):
            if not cache.has(key):
                staging = cache.staging(key)
                _lay_out(archive, staging, stem=stem)
                origin = Origin(sha256=digest, size_bytes=archive.stat().st_size, fetched=_today())
                cache.keep(key, staging, origin, vouched=True)
                logger.info(
                    "%s is unpacked, once: %s", printable(archive.name), printable(str(cache.folder(key)), limit=256)
                )
    return model_inside(cache, key)


def model_inside(cache: Cache, key: str) -> Path:
    """The model of that key in the cache. Raises ModelLoadError where there is none, or more than one."""
    return _only_model(cache.folder(key), where=key, hint=f"streamer models rm {key}, and fetch it again")


def file_name_of(url: str) -> str:
    """The last part of the path of an address."""
    return unquote(PurePosixPath(urlsplit(url).path).name)


def stem_of(name: str) -> str:
    """A file's name without the ending of an archive or of a model."""
    return name[: len(name) - len(_ending(name))]


def _ending(name: str) -> str:
    return next((ending for ending in (*ARCHIVE_ENDINGS, *MODEL_ENDINGS) if name.lower().endswith(ending)), "")


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelLoadError(f"cannot be read: {error.strerror or error}", where=str(file)) from error


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _compare(digest: str, *, published: str | None, recorded: str, key: str, url: str) -> str:
    """How the checksum was checked, for people. Raises ModelLoadError where it is another one."""
    if published is not None:
        if digest != published:
            raise ModelLoadError(
                f"what came is not what was published: its sha256 is {digest}, and should be {published}",
                where=url,
                hint="nothing of it was kept; try again, or by another network",
            )
        return "as it should be"
    if recorded and digest != recorded:
        raise ModelLoadError(
            f"it is another file than the first time: its sha256 is {digest}, and was {recorded}",
            where=url,
            hint="nothing of it was kept; if its publisher says that it was replaced: "
            f"streamer models rm {key} --forget, and fetch it again",
        )
    if recorded:
        return "as the first time"
    if url.startswith("http:"):
        logger.warning("%s came over http, and no checksum is known: whoever is on the way may have changed it", key)
    return "recorded, because none is published: it is compared ever after"


@contextmanager
def _thrown_away_if_wrong(file: Path) -> Iterator[None]:
    try:
        yield
    except CacheWriteError:
        raise
    except ModelLoadError:
        file.unlink(missing_ok=True)
        raise


def _lay_out(file: Path, folder: Path, *, stem: str) -> None:
    """Put what `file` holds into `folder`, with a model in it; whole, or nothing."""
    try:
        if _ending(file.name) in MODEL_ENDINGS:
            with writing(folder):
                folder.mkdir()
                shutil.copyfile(file, folder / f"{safe_file_name(stem)}{_ending(file.name)}")
        else:
            unpack(file, folder)
        found = _only_model(folder, where=str(file))
        if zoo_model(stem) is not None:
            _add_coco_labels(found if found.is_dir() else found.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _only_model(folder: Path, *, where: str, hint: str | None = None) -> Path:
    found = _models_in(folder)
    if not found:
        wanted = f"no {GRAPH_FILE} and no {', '.join(MODEL_ENDINGS)} in it"
        raise ModelLoadError(f"it holds no model: {wanted}", where=where, hint=hint)
    if len(found) > 1:
        names = ", ".join(printable(str(path.relative_to(folder))) for path in found[:4])
        raise ModelLoadError(
            f"it holds {len(found)} models: {names}", where=where, hint="unpack it, and give one of them"
        )
    return found[0]


def _models_in(folder: Path) -> list[Path]:
    """The SavedModels in a folder, whole folders; if there are none, the models that are one file."""
    saved_models: list[Path] = []
    files: list[Path] = []
    for where, folders, names in os.walk(folder):
        place = Path(where)
        if GRAPH_FILE in names:
            saved_models.append(place)
        if GRAPH_FILE in names or len(place.relative_to(folder).parts) >= SEARCH_DEPTH:
            folders.clear()
        folders.sort()
        files += [place / name for name in sorted(names) if name.lower().endswith(MODEL_ENDINGS) and name[0] != "."]
    return saved_models or files


def _add_coco_labels(folder: Path) -> None:
    if next(folder.glob("label*"), None) is None:
        names = zip(COCO_IDS, COCO_NAMES, strict=True)
        items = "".join(f"item {{\n  id: {class_id}\n  name: '{name}'\n}}\n" for class_id, name in names)
        with writing(folder):
            (folder / "label_map.pbtxt").write_text(items, encoding="utf-8")
