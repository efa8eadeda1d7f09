"""One file that a sink writes: claimed before anything is captured, never another's, and true to a full disk.

It is the byte end of every sink that appends. It knows nothing of formats; recorder.py, mp4.py and tables.py do.
"""

import errno
import logging
import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from io import FileIO
from pathlib import Path

from streamer.errors import SinkError, SinkOpenError
from streamer.sinks.options import STDOUT
from streamer.text import printable

logger = logging.getLogger(__name__)

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says when nothing more fits: the disk, the quota, or the largest file allowed."""


class OutFile:
    """A file opened for writing without a buffer: what was written is with the system, and survives a kill.

    It exists, and is ours, as soon as this does. A file that was there is refused, or with `force` kept as it was
    until the first byte is written. One that was made here and got no byte is removed again by `close`. A symbolic
    link is something that was there, wherever it leads; with `force` it is followed, and stays. `-` is standard output.

    The first failure is raised and freezes the file: what of that write did arrive is cut off again, because half a
    box makes an mp4 unreadable, and everything later is discarded. It keeps exactly what was written before.

    Corrections of what is written already wait for `close`: FFmpeg 7.1 turns the header of a recording into that of a
    finished file before it writes the index that such a header promises, and 8.0 after it.

    part: write to NAME.part.ENDING beside it, and give that the name when it is closed, so that whoever sees NAME sees
    a finished file. What is at `path` stays until then, even with `force`; if something came there meanwhile, the name
    is NAME-002. Devices and pipes have no part.

    Raises SinkOpenError.
    """

    def __init__(self, path: Path, *, force: bool = False, part: bool = False) -> None:
        self.path = path
        """Where it is, or will be once it is closed."""
        self._force = force
        self._frozen = False
        self._end = 0
        self._corrections: list[tuple[int, bytes]] = []
        try:
            self.written_path = _part_of(path, force=force) if part and not _is_whole(path) else path
            self._created, self._file = _opened(self.written_path, force=force and self.written_path == path)
        except OSError as error:
            raise refusal(path, error) from error
        self._regular = str(path) != STDOUT and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)

    def write(self, data: bytes) -> int:
        """Write all of `data`; its length. Raises OSError, the first time."""
        if self._frozen:
            return len(data)
        offset = self._file.tell() if self._regular else self._end
        if offset + len(data) > self._end:
            self._put(offset, data)
        else:
            self._corrections.append((offset, bytes(data)))
            self._file.seek(offset + len(data))
        return len(data)

    def seekable(self) -> bool:
        """Whether what was written can be corrected."""
        return self._regular

    def freeze(self) -> None:
        """Discard everything that is written from now on."""
        self._frozen = True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; the new position in bytes."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The position in bytes."""
        return self._file.tell()

    def close(self) -> None:
        """Finish and let go; a file that was made here and got nothing is removed. Idempotent. Raises OSError."""
        if self._file.closed:
            return
        try:
            for offset, data in () if self._frozen else self._corrections:
                self._put(offset, data)
        finally:
            self._file.close()
            if self._created and not self._end:
                Path(os.path.realpath(self.written_path)).unlink(missing_ok=True)
            elif self.written_path != self.path:
                wanted, self.path = self.path, self.written_path  # what it is called if this fails
                self.path = _named(self.written_path, wanted, force=self._force)

    def discard(self) -> None:
        """Let go of it and remove what was made here: nothing of it is of use. Idempotent."""
        self._file.close()
        if self._created:
            with suppress(OSError):
                Path(os.path.realpath(self.written_path)).unlink(missing_ok=True)

    def _put(self, offset: int, data: bytes) -> None:
        if self._regular:
            if not self._end and not self._created:
                self._file.truncate(0)
            self._file.seek(offset)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._frozen = True
            if self._regular and offset >= self._end:
                self._file.truncate(offset)
            raise
        self._end = max(self._end, offset + len(data))


def _opened(path: Path, *, force: bool) -> tuple[bool, FileIO]:
    """Whether the file was made here, and the file. Devices and pipes hold nothing that could be overwritten."""
    if str(path) == STDOUT:
        return False, FileIO(os.dup(1), "wb")
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if is_stream(path):
        return False, path.open("wb", buffering=0)
    if path.exists() and force:
        return False, path.open("r+b", buffering=0)
    return True, path.open("wb" if force else "xb", buffering=0)


def _is_whole(path: Path) -> bool:
    """Whether what is at `path` is written to itself, or refused: a device, a pipe, a folder, standard output."""
    return str(path) == STDOUT or is_stream(path) or path.is_dir()


def _part_of(path: Path, *, force: bool) -> Path:
    """Where the file is written that becomes `path`. Raises FileExistsError."""
    if os.path.lexists(path) and not force:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    path = Path(os.path.realpath(path)) if force else path
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    if os.path.lexists(part):
        _tell_left(str(part))
    return next_free(part)


@lru_cache(maxsize=16)
def _tell_left(part: str) -> None:
    """Once for each."""
    name = printable(part, limit=256)
    logger.warning("%s is being written, or left of a run that did not end; it can be played and is left alone", name)


def _named(part: Path, path: Path, *, force: bool) -> Path:
    """Give `part` the name `path`, or where that was taken meanwhile the next free one, which is returned."""
    if force:
        part.replace(os.path.realpath(path))
        return path
    while True:
        free = next_free(path)
        try:
            os.link(part, free)
        except FileExistsError:
            continue
        except OSError:  # this file system has no links: look, and hope that nobody is quicker
            part.rename(free)
            return free
        part.unlink()
        return free


def is_stream(path: Path) -> bool:
    """Whether `path` is a device or a pipe: it holds nothing that could be lost, but to open it is already an act."""
    return path.exists() and not path.is_file() and not path.is_dir()


def publish(path: Path, data: bytes, *, force: bool) -> None:
    """Write a whole file in one step: nobody ever sees half of it, and a failure leaves what was there.

    What is at `path` is replaced only with `force`, which follows a symbolic link; also if it came there a moment ago.
    Raises OSError; FileExistsError for what is not replaced.
    """
    place = Path(os.path.realpath(path)) if force else path
    part = place.with_name(f".{secrets.token_hex(8)}.part")
    claimed = False
    try:
        part.write_bytes(data)
        if not force:
            place.touch(exist_ok=False)
            claimed = True
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        if claimed:
            place.unlink(missing_ok=True)
        raise


def next_free(path: Path) -> Path:
    """`path` if nothing is there, else the first of NAME-002, NAME-003, ... that is free."""
    number, candidate = 1, path
    while os.path.lexists(candidate):
        number += 1
        candidate = path.with_name(f"{path.stem}-{number:03d}{path.suffix}")
    return candidate


def same_file(one: Path, other: Path) -> bool:
    """Whether both lead to the same file, be it there or still to be made."""
    return os.path.realpath(one) == os.path.realpath(other) or (one.exists() and other.exists() and one.samefile(other))


def refuse_input(path: Path, inputs: Iterable[Path]) -> None:
    """Raise SinkOpenError if writing `path` would destroy what is being read: an input, or a file in one."""
    if not path.exists():
        return
    for source in inputs:
        inside = source.is_dir() and path.resolve().is_relative_to(source.resolve())
        if inside or (source.exists() and path.samefile(source)):
            raise SinkOpenError(
                "is an input, and inputs are never replaced", where=str(path), hint="choose another name or folder"
            )


def refusal(path: Path, error: OSError) -> SinkOpenError:
    """Why `path` cannot be opened for writing, and what to try."""
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if isinstance(error, FileExistsError):
        what, hint = "exists already", "--force replaces it"
    elif isinstance(error, FileNotFoundError):
        what, hint = "its folder does not exist", f"make it first: mkdir -p {folder}"
    elif isinstance(error, IsADirectoryError):
        what, hint = "is a folder, and a file is to be written", "give a name inside it"
    elif isinstance(error, NotADirectoryError):
        what, hint = "lies below something that is a file, not a folder", "choose another folder"
    elif isinstance(error, PermissionError) or error.errno == errno.EROFS:
        what, hint = "may not be written", "choose another folder, or change its permissions"
    elif error.errno in NO_ROOM:
        what, hint = "the disk is full", "make room, or choose another disk"
    else:
        what, hint = f"cannot be written: {error.strerror}", "choose another name or folder"
    return SinkOpenError(what, where=str(path), hint=hint)


def failure(path: Path, error: BaseException, *, saved: str) -> SinkError:
    """Why writing `path` had to stop; `saved` says what of it is good."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return SinkError(f"the disk is full; {saved}", where=str(path), hint="make room, or choose another disk")
    reason = getattr(error, "strerror", None) or str(error)
    return SinkError(f"cannot be written any more: {reason}; {saved}", where=str(path))
