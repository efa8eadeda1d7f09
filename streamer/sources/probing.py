"""What a file is, told from its directory entry and its first bytes; it decodes nothing.

OpenCV answers every file that it cannot read with the same "not opened". FileSource and `open_source` ask here first.
"""

import errno
import stat
from pathlib import Path
from typing import Literal

from streamer.errors import SourceOpenError

Found = Literal["a picture", "a PDF", "an archive", "text"]

_HEAD_BYTES = 4096
_LONGEST_UTF8 = 4

_SIGNATURES: tuple[tuple[bytes, Found], ...] = (
    (b"\xff\xd8\xff", "a picture"),
    (b"\x89PNG\r\n", "a picture"),
    (b"BM", "a picture"),
    (b"II*\0", "a picture"),
    (b"MM\0*", "a picture"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "an archive"),
    (b"\x1f\x8b", "an archive"),
)
_MOTION_JPEG = (".mjpg", ".mjpeg")

_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "permission denied",
    errno.ENAMETOOLONG: "no such file: the name is too long",
}


def refuse_non_video(path: str) -> None:
    """Raise SourceOpenError, saying why, where `path` is plainly no video: missing, a directory, empty, text, ...

    A named pipe passes unread: what is taken out of it is gone.
    """
    found = kind_of(refuse_missing(path))
    if found is not None and not path.lower().endswith(_MOTION_JPEG):
        raise SourceOpenError(f"not a video, but {found}", where=path)


def refuse_missing(path: str) -> bytes:
    """The first bytes of `path`; none of a named pipe.

    Raises SourceOpenError: missing, a directory, empty, not allowed.
    """
    mode = file_mode(path)
    if stat.S_ISDIR(mode):
        raise SourceOpenError("is a directory", where=path)
    if stat.S_ISFIFO(mode):
        return b""
    if not stat.S_ISREG(mode):
        raise SourceOpenError("is no file", where=path)
    head = read_head(path)
    if not head:
        raise SourceOpenError("empty file", where=path)
    return head


def file_mode(path: str) -> int:
    """What `os.stat` says of `path`, links followed. Raises SourceOpenError: missing, or not allowed."""
    try:
        return Path(path).stat().st_mode
    except ValueError as error:
        raise SourceOpenError("no such file: no path holds a NUL", where=path) from error
    except OSError as error:
        raise _refused(path, error) from error


def read_head(path: str) -> bytes:
    """The first bytes of the file. Raises SourceOpenError: missing, or not allowed."""
    try:
        with Path(path).open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise _refused(path, error) from error


def kind_of(head: bytes) -> Found | None:
    """What a file is that begins with `head`, where it is plainly no video; None where it may be one."""
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "a picture"
    return "text" if head and _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < _HEAD_BYTES or error.start < len(head) - _LONGEST_UTF8:
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character.isspace() for character in text)


def _refused(path: str, error: OSError) -> SourceOpenError:
    reason = _REASONS.get(error.errno or 0) or error.strerror or "unreadable"
    return SourceOpenError(reason, where=path)
