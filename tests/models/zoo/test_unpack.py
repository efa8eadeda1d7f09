"""Archives are unpacked as what strangers wrote: what is not a plain file inside is refused, and nothing is left."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ModelLoadError
from streamer.models.zoo.disk import CacheWriteError
from streamer.models.zoo.unpack import Limits, unpack
from tests.loopback import tar_gz, zipped

FILES = {"m/saved_model/saved_model.pb": b"graph" * 1000, "m/saved_model/variables/v.data": bytes(range(256)) * 40}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def written(folder: Path, data: bytes) -> Path:
    path = folder / "archive"
    path.write_bytes(data)
    return path


def tar_of(*members: tuple[str, bytes, Mapping[str, object]], format: int = tarfile.GNU_FORMAT) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=format) as tar:
        for name, data, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_of(name: str, data: bytes = b"x", **fields: object) -> bytes:
    buffer = io.BytesIO()
    info = zipfile.ZipInfo("x" * len(name))
    for field, value in fields.items():
        setattr(info, field, value)
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(info, data)
    return buffer.getvalue().replace(b"x" * len(name), name.encode()) if name else buffer.getvalue()


@pytest.mark.parametrize("pack", [tar_gz, zipped])
def test_files_come_out_as_they_went_in(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    unpack(written(tmp_path, pack(FILES)), tmp_path / "out")
    assert tree(tmp_path / "out") == FILES


def test_dots_and_folders_of_their_own_are_nothing_odd(tmp_path: Path) -> None:
    folder = {"type": tarfile.DIRTYPE}
    data = tar_of(
        ("./", b"", folder), ("./m", b"", folder), ("./m//a", b"1", {}), ("m/", b"", folder), ("m/b", b"", {})
    )
    unpack(written(tmp_path, data), tmp_path / "out")
    assert tree(tmp_path / "out") == {"m/a": b"1", "m/b": b""}


def test_no_permission_and_no_owner_comes_along(tmp_path: Path) -> None:
    data = tar_of(("run", b"#!/bin/sh", {"mode": 0o6777, "uid": 1234}))
    unpack(written(tmp_path, data), tmp_path / "out")
    assert (tmp_path / "out/run").stat().st_mode & 0o7111 == 0


LINK = {"type": tarfile.SYMTYPE, "linkname": "../../../etc"}


def _zip_link() -> bytes:
    return zip_of("link", b"/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16)


def _encrypted() -> bytes:
    data = bytearray(zipped({"a": b"x" * 100}))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


def _huge_header() -> bytes:
    """A header that claims a gigabyte of further headers, which would be read whole."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    return gzip.compress(info.tobuf() + bytes(1 << 20))


def _headers_of_headers() -> bytes:
    """Each header announces a next one: readers call themselves for each."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 0
    return gzip.compress(info.tobuf() * 5000)


def _sparse() -> bytes:
    return tar_of(
        (
            "a",
            b"1\n0\n1\n".ljust(512, b"\0") + b"x",
            {"pax_headers": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000"}},
        ),
        format=tarfile.PAX_FORMAT,
    )


def _zip_directory() -> bytes:
    """The end of a .zip that claims a directory of 4 GB."""
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 100_000_000, 0, 0)
    return b"PK\3\4" + bytes(100_000_000 - 4) + end


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "tar: ..": (lambda: tar_gz({"a": b"1", "../evil": b"x"}), "leads out of the folder"),
    "tar: a/../../..": (lambda: tar_gz({"a/../../../evil": b"x"}), "leads out of the folder"),
    "tar: absolute": (lambda: tar_gz({"/tmp/evil": b"x"}), "leads out of the folder"),
    "tar: link": (lambda: tar_of(("a", b"", {}), ("link", b"", LINK), ("link/evil", b"x", {})), "is a link"),
    "tar: link inside": (lambda: tar_of(("b", b"", {**LINK, "linkname": "a"})), "is a link"),
    "tar: hard link": (lambda: tar_of(("l", b"", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"})), "is a link"),
    "tar: character device": (lambda: tar_of(("d", b"", {"type": tarfile.CHRTYPE, "devmajor": 1})), "is a device"),
    "tar: pipe": (lambda: tar_of(("p", b"", {"type": tarfile.FIFOTYPE})), "is a device"),
    "tar: unknown kind": (lambda: tar_of(("p", b"", {"type": b"Z"})), "of no known kind"),
    "tar: holes": (_sparse, "a file with holes"),
    "tar: backslash": (lambda: tar_gz({"..\\evil": b"x"}), "no name for a file"),
    "tar: drive": (lambda: tar_gz({"C:evil": b"x"}), "no name for a file"),
    "tar: control character": (lambda: tar_gz({"a\x1b[2Jb": b"x"}), "no name for a file"),
    "tar: no name": (lambda: tar_gz({".": b"x"}), "no name for a file"),
    "tar: twice": (lambda: tar_of(("a", b"1", {}), ("A", b"2", {})), "is in it twice"),
    "tar: file and folder": (lambda: tar_gz({"a/b": b"1", "A": b"2"}), "a file and a folder"),
    "tar: deep": (lambda: tar_gz({"a/" * 40 + "b": b"1"}), "too long or too deep"),
    "tar: long": (lambda: tar_gz({"a" * 600: b"1"}), "too long or too deep"),
    "tar: many": (lambda: tar_gz({str(number): b"" for number in range(10_001)}), "more than 10000 files"),
    "tar: a header of 1 GB": (_huge_header, "a header in it claims more than"),
    "tar: 5000 headers": (_headers_of_headers, "damaged or cut off|is refused"),
    "zip: ..": (lambda: zip_of("../evil"), "leads out of the folder"),
    "zip: absolute": (lambda: zip_of("/evil"), "leads out of the folder"),
    "zip: backslash": (lambda: zip_of("..\\evil"), "no name for a file"),
    "zip: link": (_zip_link, "is a link"),
    "zip: device": (lambda: zip_of("d", external_attr=stat.S_IFCHR << 16), "is a device"),
    "zip: encrypted": (_encrypted, "is encrypted"),
    "zip: lzma": (lambda: zip_of("a", b"x" * 99, compress_type=zipfile.ZIP_LZMA), "packed in a way that is not taken"),
    "zip: a directory of 100 MB": (_zip_directory, "claims more than|damaged"),
    "a page": (lambda: b"<!doctype html><title>Log in</title>", "is no archive, but a page or a text"),
    "nothing": (lambda: b"", "is no archive: it is empty"),
    "a bare tar": (lambda: gzip.decompress(tar_gz(FILES)), "is no archive"),
    "gzip, no tar": (lambda: gzip.compress(b"hello" * 500), "damaged or cut off"),
    "tar: cut off": (lambda: tar_gz(FILES)[: len(tar_gz(FILES)) // 2], "damaged or cut off"),
    "zip: cut off": (lambda: zipped(FILES)[:-20], "damaged or cut off"),
}


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_hostile_or_damaged_is_refused_and_nothing_is_left(
    tmp_path: Path, make: Callable[[], bytes], said: str
) -> None:
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    archive = written(place, make())
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelLoadError, match=said) as caught:
        unpack(archive, place / "out")
    assert sorted(tmp_path.rglob("*")) == before
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


@pytest.mark.parametrize("pack", [tar_gz, zipped])
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(total_bytes=1_000_000), r"more than 1.0 MB"),
        (Limits(ratio_from_bytes=1_000_000), "more than 100 times its size"),
    ],
)
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, pack: Callable[..., bytes], limits: Limits, said: str
) -> None:
    archive = written(tmp_path, pack({"bomb": bytes(40_000_000)}))
    with pytest.raises(ModelLoadError, match=said):
        unpack(archive, tmp_path / "out", limits=limits)
    assert not (tmp_path / "out").exists()


def test_a_size_that_is_only_claimed_is_not_waited_for(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.size = 1 << 60
    archive = written(tmp_path, gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_000)))
    with pytest.raises(ModelLoadError, match=r"more than 8000.0 MB"):
        unpack(archive, tmp_path / "out")


def test_a_zip_whose_file_is_longer_than_it_says_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a": b"x" * 1000}))
    for start in (22, data.index(b"PK\1\2") + 24):
        data[start : start + 4] = struct.pack("<L", 10)
    with pytest.raises(ModelLoadError, match="damaged or cut off"):
        unpack(written(tmp_path, bytes(data)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pack", [tar_gz, zipped])
def test_whatever_is_changed_in_an_archive_ends_well_or_in_one_line(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    whole = pack(FILES)
    random = np.random.default_rng(37)
    outside = tmp_path / "outside"
    ends = {"unpacked": 0, "refused": 0}
    for number in range(200):
        data = bytearray(whole)
        for position in random.integers(0, len(data), 1 + number % 8):
            data[position] = random.integers(256)
        archive, out = written(tmp_path, bytes(data)), tmp_path / f"out{number}"
        try:
            unpack(archive, out)
            ends["unpacked"] += 1
        except ModelLoadError:
            ends["refused"] += 1
            assert not out.exists()
    assert not outside.exists()
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("out")} == {"archive"}
    assert min(ends.values()) > 0


@pytest.mark.parametrize("position", range(0, 512, 8))
def test_whatever_is_changed_in_a_header_ends_well_or_in_one_line(tmp_path: Path, position: int) -> None:
    header = bytearray(gzip.decompress(tar_gz(FILES)))
    for value in (0x00, 0x2E, 0x2F, 0x80, 0xFF):
        header[position : position + 8] = bytes([value]) * 8
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header[:512])
        out = tmp_path / str(value)
        try:
            unpack(written(tmp_path, gzip.compress(bytes(header), 1)), out)
        except ModelLoadError:
            assert not out.exists()
    assert all(path.is_relative_to(tmp_path) and not path.is_symlink() for path in tmp_path.rglob("*"))


def test_an_archive_that_cannot_be_read_or_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="damaged or cut off"):
        unpack(tmp_path / "none.zip", tmp_path / "out")
    with pytest.raises(CacheWriteError, match="cannot be written: No such file"):
        unpack(written(tmp_path, zipped(FILES)), tmp_path / "none" / "out")
