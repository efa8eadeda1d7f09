"""Where fetched and unpacked models are kept, what is there, and who may change it: one process at a time for each.

    downloads/KEY.tar.gz.part      what has arrived so far
    models/KEY/                    what an archive held, whole or not there
    models/KEY.json                where it came from
    checksums/KEY.sha256           what it was when it was first fetched; outlives the model
    locks/KEY.lock

It fetches and unpacks nothing. Called by fetching.py, finding.py and the verb models.
"""

import contextlib
import errno
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from streamer.errors import ModelLoadError
from streamer.models.zoo.disk import replace_whole, writing

logger = logging.getLogger(__name__)

VARIABLE = "STREAMER_CACHE"

_BUSY = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK})


def cache_folder() -> Path:
    """The folder that STREAMER_CACHE names, else the platform's own for caches."""
    named = os.environ.get(VARIABLE)
    if named:
        with contextlib.suppress(RuntimeError):
            return Path(named).expanduser().absolute()
        return Path(named).absolute()
    from platformdirs import user_cache_path  # noqa: PLC0415 - only who asks for a model by name needs it

    return user_cache_path("streamer", appauthor=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a cached model came from.

    url: without credentials; empty for an archive of the disk. sha256, size_bytes: of what was fetched.
    fetched: the day, as 2025-01-31.
    """

    url: str = ""
    sha256: str = ""
    size_bytes: int = 0
    fetched: str = ""


class Cache:
    """One folder of models. A model's key is its name, a single component of a path."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = cache_folder() if root is None else root
        self._models = self.root / "models"

    def keys(self) -> list[str]:
        """What is there, in the order of names; nothing, where there is no cache or it cannot be read."""
        try:
            return sorted(path.name for path in self._models.iterdir() if path.is_dir() and path.name[0] != ".")
        except OSError:
            return []

    def has(self, key: str) -> bool:
        """Whether a model is there, whole."""
        return key in self.keys()

    def folder(self, key: str) -> Path:
        """What the archive of a model held, if it is there."""
        return self._models / key

    def origin(self, key: str) -> Origin:
        """Where a model came from, as far as that is known."""
        try:
            return Origin(**json.loads(self._origin_file(key).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Origin()

    def recorded(self, key: str) -> str:
        """The sha256 that was seen when a model was first fetched; empty if it never was."""
        path = self._checksum_file(key)
        try:
            return path.read_text(encoding="utf-8").split()[0] if path.is_file() else ""
        except (OSError, ValueError, IndexError) as error:
            raise ModelLoadError(
                "the checksum of the first time cannot be read",
                where=str(path),
                hint=f"streamer models rm {key} --forget takes it away",
            ) from error

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Nobody else has the lock of a model while the block runs; waits for whoever has it."""
        folders = [self.root / name for name in ("downloads", "models", "checksums", "locks")]
        with writing(self.root):
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            file = (self.root / "locks" / f"{key}.lock").open("ab")
        with file:
            if not _lock(file, wait=False):
                logger.info("%s: another process is at it; waiting for that", key)
                _lock(file, wait=True)
            yield  # closing the file unlocks it

    def download(self, key: str, ending: str) -> Path:
        """Where the archive of a model arrives."""
        return self.root / "downloads" / f"{key}{ending}"

    def staging(self, key: str) -> Path:
        """Where a model is put together; not there yet. With the lock only."""
        path = self._models / f".{key}.new"
        with writing(path):
            _remove(path)
        return path

    def keep(self, key: str, staging: Path, origin: Origin, *, vouched: bool) -> None:
        """Make what lies in `staging` the model of that key, and record its checksum. With the lock only.

        vouched: whether it is known to be right, whatever was recorded before.
        """
        with writing(self.folder(key)):
            if origin.url and (vouched or not self.recorded(key)):
                replace_whole(self._checksum_file(key), f"{origin.sha256}  {key}\n")
            replace_whole(self._origin_file(key), json.dumps(asdict(origin), indent=1))
            staging.rename(self.folder(key))

    def remove(self, key: str) -> None:
        """Take away a model and what has arrived of it; what was recorded stays. With the lock only."""
        gone = self._models / f".{key}.gone"
        with writing(self.folder(key)):
            _remove(gone)
            if self.folder(key).is_dir():
                self.folder(key).rename(gone)  # in one step, so that nobody sees half a model
            _remove(gone)
            self._origin_file(key).unlink(missing_ok=True)
            for path in self._arrived(key):
                path.unlink(missing_ok=True)

    def forget(self, key: str) -> None:
        """Take away the checksum that was recorded. With the lock only."""
        with writing(self._checksum_file(key)):
            self._checksum_file(key).unlink(missing_ok=True)

    def knows(self, key: str) -> bool:
        """Whether anything of a model is here: itself, a part of it, or its checksum."""
        return self.has(key) or self._checksum_file(key).is_file() or any(self._arrived(key))

    def _arrived(self, key: str) -> list[Path]:
        folder = self.root / "downloads"
        return [path for path in folder.iterdir() if path.name.startswith(f"{key}.")] if folder.is_dir() else []

    def _origin_file(self, key: str) -> Path:
        return self._models / f"{key}.json"

    def _checksum_file(self, key: str) -> Path:
        return self.root / "checksums" / f"{key}.sha256"


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _lock(file: IO[bytes], *, wait: bool) -> bool:
    """Whether `file` is ours now; where a disk knows no locks, it is."""
    while True:
        try:
            _lock_now(file, wait=wait)
        except OSError as error:
            if error.errno not in _BUSY:
                logger.debug("no locks on this disk: %s", error)
                return True
            if not wait:
                return False
            time.sleep(0.5)  # Windows has no waiting without end
        else:
            return True


if sys.platform == "win32":
    import msvcrt

    def _lock_now(file: IO[bytes], *, wait: bool) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock_now(file: IO[bytes], *, wait: bool) -> None:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
