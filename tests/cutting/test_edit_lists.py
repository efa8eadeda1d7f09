"""The durations in a finished mp4: shortened where they are longer, in boxes of both sizes."""

import struct
from fractions import Fraction
from pathlib import Path

import pytest

from streamer.cutting.edit_lists import end_at


def box(kind: bytes, body: bytes, *, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, kind) + body


def movie(*, version: int, edits: list[tuple[int, int]], large: bool = False) -> bytes:
    duration = sum(length for length, _ in edits)
    pad = ">B3x16xIQ" if version else ">B3x8xII"
    mvhd = box(b"mvhd", struct.pack(pad, version, 1000, duration) + bytes(80))
    tkhd = box(b"tkhd", struct.pack(">B3x16xI4xQ" if version else ">B3x8xI4xI", version, 1, duration) + bytes(60))
    entries = b"".join(struct.pack(">QqHH" if version else ">IiHH", *edit, 1, 0) for edit in edits)
    elst = box(b"elst", struct.pack(">B3xI", version, len(edits)) + entries)
    trak = box(b"trak", tkhd + box(b"edts", elst), large=large)
    return box(b"ftyp", b"isom") + box(b"moov", mvhd + trak) + box(b"mdat", b"elst and moov are only words here")


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("large", [False, True])
def test_only_what_is_too_long_is_shortened(version: int, tmp_path: Path, *, large: bool) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(movie(version=version, edits=[(200, -1), (900, 40)], large=large))
    end_at(path, Fraction(2))
    assert path.read_bytes() == movie(version=version, edits=[(200, -1), (900, 40)], large=large)
    end_at(path, Fraction(1, 2))
    assert path.read_bytes() == movie(version=version, edits=[(200, -1), (300, 40)], large=large)
