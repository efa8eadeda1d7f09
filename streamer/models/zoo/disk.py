"""What goes wrong while something is written, told for people: a full disk above all.

Called by what fills the cache.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.errors import ModelLoadError

_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})

_ELSEWHERE = "make room, or let STREAMER_CACHE name a folder on another disk"


class CacheWriteError(ModelLoadError):
    """What is to be kept cannot be written; nothing is wrong with the model itself."""


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """Whatever of the system's errors is raised in the block is one of writing below `where`.

    Raises CacheWriteError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise CacheWriteError("the disk is full", where=str(where), hint=_ELSEWHERE) from error
        reason = error.strerror or str(error)
        raise CacheWriteError(
            f"cannot be written: {reason}", where=str(where), hint="STREAMER_CACHE names another folder"
        ) from error


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raise CacheWriteError where less than `needed_bytes` are free on the disk of `folder`."""
    with writing(folder):
        free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise CacheWriteError(
            f"{in_mb(needed_bytes)} are needed, {in_mb(free_bytes)} are free", where=str(folder), hint=_ELSEWHERE
        )


def in_mb(size_bytes: int) -> str:
    """`43.9 MB`; megabytes are 10^6 bytes."""
    return f"{size_bytes / 1e6:.1f} MB"


def replace_whole(path: Path, text: str) -> None:
    """Write `text` to `path` so that there is never half of it. Raises OSError."""
    staged = path.with_name(f"{path.name}.{os.getpid()}.new")
    staged.write_text(text, encoding="utf-8")
    staged.replace(path)
