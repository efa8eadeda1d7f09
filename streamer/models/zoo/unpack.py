"""Archives of models, .tar.gz and .zip, unpacked as what strangers wrote: only plain files and folders, only inside.

All of an archive is looked at before anything is written; what is refused leaves nothing behind. It keeps no
permissions, owners or times. Which model lies inside is not its matter. Called by fetching.py.
"""

import gzip
import io
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from streamer.errors import ModelLoadError
from streamer.models.zoo.disk import in_mb, require_room, writing
from streamer.text import printable

CHUNK_BYTES = 1 << 20

MAX_READ_BYTES = 4 << 20
"""The most that is read at once: the headers of an archive can claim any length, and are read whole."""

_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
)
"""What the readers of the standard library raise on bytes that are no archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may hold.

    total_bytes: of all files, unpacked. ratio: how often larger than the archive that may be, once it is more than
    ratio_from_bytes. members: files and folders. depth: folders in folders. name_chars: of a whole path.
    """

    total_bytes: int = 8_000_000_000
    ratio: float = 100.0
    ratio_from_bytes: int = 64_000_000
    members: int = 10_000
    depth: int = 16
    name_chars: int = 512


@dataclass(frozen=True, slots=True)
class _Member:
    """One entry. kind: `file`, `folder`, or in words what else it is."""

    name: str
    kind: str
    size_bytes: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, *, limits: Limits | None = None) -> None:
    """Unpack `archive` into `folder`, which is made; where that fails it is gone again.

    Raises ModelLoadError for what is no archive, is damaged, leads out of the folder, holds links, devices or anything
    else that is no file, or is beyond the limits; CacheWriteError for a disk that takes no more.
    """
    limits = limits or Limits()
    with ExitStack() as opened:
        with _damage_told(archive):
            members = _checked(_members(archive, limits, opened), archive=archive, limits=limits)
        require_room(folder.parent, sum(member.size_bytes for member, _ in members))
        try:
            with writing(folder):
                folder.mkdir()
            for member, parts in members:
                _write(member, folder.joinpath(*parts), archive=archive)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _members(archive: Path, limits: Limits, opened: ExitStack) -> Iterator[_Member]:
    file = opened.enter_context(archive.open("rb"))
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        stream = opened.enter_context(gzip.GzipFile(fileobj=file, mode="rb"))
        guarded = _Guarded(stream, archive=archive, packed_bytes=archive.stat().st_size, limits=limits)
        tar = opened.enter_context(tarfile.open(fileobj=guarded, mode="r:"))  # noqa: SIM115 - the stack closes it
        return _tar_members(tar)
    if magic[:2] == b"PK":
        guarded = _Guarded(file, archive=archive, packed_bytes=0, limits=limits)
        # The whole size of a .zip stands in its directory: it is held against the ratio before anything is read.
        return _zip_members(opened.enter_context(zipfile.ZipFile(cast("IO[bytes]", guarded))))
    raise ModelLoadError(f"is no archive{_looks_like(magic)}", where=str(archive), hint=".tar.gz, .tgz and .zip are")


def _looks_like(magic: bytes) -> str:
    if not magic:
        return ": it is empty"
    return ", but a page or a text" if magic[:1] in {b"<", b"{"} else ""


class _Guarded(io.BufferedIOBase):
    """A file that refuses to be read further, or more of it at once, than limits allow.

    packed_bytes: the size that the ratio is of; 0 for a file that is not unpacked by reading it.
    """

    def __init__(self, file: IO[bytes] | gzip.GzipFile, *, archive: Path, packed_bytes: int, limits: Limits) -> None:
        self._file = file
        self._archive = archive
        self._packed_bytes = packed_bytes
        self._limits = limits

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = MAX_READ_BYTES + 1 if size is None or size < 0 else size
        if wanted <= MAX_READ_BYTES + 1:
            self._allow(self._file.tell() + wanted)
            data = self._file.read(wanted)
            if len(data) <= MAX_READ_BYTES:
                return data
        raise _refused(self._archive, f"a header in it claims more than {in_mb(MAX_READ_BYTES)}")

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_SET:
            self._allow(offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def _allow(self, position: int) -> None:
        if self._packed_bytes:
            _allow_size(position, self._packed_bytes, archive=self._archive, limits=self._limits)


def _allow_size(unpacked_bytes: int, packed_bytes: int, *, archive: Path, limits: Limits) -> None:
    if unpacked_bytes > limits.total_bytes:
        raise _refused(archive, f"it unpacks to more than {in_mb(limits.total_bytes)}")
    if unpacked_bytes > limits.ratio_from_bytes and unpacked_bytes > limits.ratio * packed_bytes:
        raise _refused(archive, f"it unpacks to more than {limits.ratio:g} times its size")


def _tar_members(tar: tarfile.TarFile) -> Iterator[_Member]:
    for info in tar:
        yield _Member(info.name, _tar_kind(info), info.size, lambda info=info: _opened(tar, info))  # type: ignore[misc]


def _opened(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(info)
    if file is None:
        raise tarfile.ReadError("no file")
    return file


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.isdir():
        return "folder"
    if info.issparse():
        return "a file with holes"
    if info.isreg():
        return "file"
    return "a link" if info.issym() or info.islnk() else "a device" if info.isdev() else "of no known kind"


def _zip_members(file: zipfile.ZipFile) -> Iterator[_Member]:
    for info in file.infolist():
        yield _Member(info.filename, _zip_kind(info), info.file_size, lambda info=info: file.open(info))  # type: ignore[misc]


def _zip_kind(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a link"
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "a device"
    if info.flag_bits & 0x1:
        return "encrypted"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "packed in a way that is not taken"
    return "folder" if info.is_dir() else "file"


def _checked(members: Iterable[_Member], *, archive: Path, limits: Limits) -> list[tuple[_Member, tuple[str, ...]]]:
    """The members with the parts of their paths; files only, because they bring their folders."""
    packed_bytes = archive.stat().st_size
    files: dict[tuple[str, ...], tuple[_Member, tuple[str, ...]]] = {}
    folders: set[tuple[str, ...]] = set()
    total_bytes = 0
    for count, member in enumerate(members, start=1):
        if count > limits.members:
            raise _refused(archive, f"it holds more than {limits.members} files and folders")
        parts = _parts(member, archive=archive, limits=limits)
        folded = tuple(part.casefold() for part in parts)
        total_bytes += member.size_bytes
        _allow_size(total_bytes, packed_bytes, archive=archive, limits=limits)
        folders.update(folded[:depth] for depth in range(1, len(folded)))
        if member.kind == "folder":
            folders.add(folded)
        elif folded in files:
            raise _refused(archive, f"{_shown(member)} is in it twice")
        else:
            files[folded] = (member, parts)
    if clash := next((files[folded][0] for folded in files if folded in folders), None):
        raise _refused(archive, f"{_shown(clash)} is a file and a folder in it")
    return list(files.values())


def _parts(member: _Member, *, archive: Path, limits: Limits) -> tuple[str, ...]:
    """The path in its parts: relative, without dots, and the same on every system."""
    name = member.name
    if member.kind not in {"file", "folder"}:
        raise _refused(archive, f"{_shown(member)} is {member.kind}; only files and folders are taken")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if name.startswith("/") or ".." in parts:
        raise _refused(archive, f"{_shown(member)} leads out of the folder")
    if any(_is_odd(part) for part in parts) or (not parts and member.kind == "file"):
        raise _refused(archive, f"{_shown(member)} is no name for a file on every system")
    if len(parts) > limits.depth or len(name) > limits.name_chars:
        raise _refused(archive, f"{_shown(member)} is too long or too deep a path")
    return parts


def _is_odd(part: str) -> bool:
    return any(character in '\\:<>"|?*' or ord(character) < 32 for character in part) or part.endswith((" ", "."))


def _write(member: _Member, path: Path, *, archive: Path) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            for chunk in _chunks(member, archive):
                target.write(chunk)


def _chunks(member: _Member, archive: Path) -> Iterator[bytes]:
    left = member.size_bytes
    with _damage_told(archive), closing(member.open()) as packed:
        while left and (chunk := packed.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk
        if left or packed.read(1):
            raise EOFError(f"{_shown(member)} is not as long as it says")


@contextmanager
def _damage_told(archive: Path) -> Iterator[None]:
    try:
        yield
    except ModelLoadError:
        raise
    except _DAMAGE as error:
        reason = printable(str(error) or type(error).__name__, limit=200)
        raise ModelLoadError(
            f"the archive is damaged or cut off: {reason}", where=str(archive), hint="fetch or pack it again"
        ) from error


def _refused(archive: Path, why: str) -> ModelLoadError:
    return ModelLoadError(f"the archive is refused: {why}", where=str(archive), hint="nothing of it was kept")


def _shown(member: _Member) -> str:
    return repr(printable(member.name))
