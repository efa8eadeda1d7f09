"""The end of a clip in mp4 and mov, put where it was asked for: what is decoded and not shown is in the file behind it.

FFmpeg writes edit lists that hide what comes before the first picture, and none that hide what comes after the last
one. The durations in the finished file are corrected in place; nothing moves.

The boxes are those of ISO/IEC 14496-12: moov, mvhd, trak, tkhd, edts, elst.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_LARGE = 1
_HOLDS_BOXES = (b"moov", b"trak", b"edts")


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    body: int
    end: int


def end_at(path: Path, duration_s: Fraction) -> None:
    """Let no track of the mp4 or mov at `path` be shown for longer than `duration_s`. Raises OSError."""
    with path.open("r+b") as file:
        size_bytes = file.seek(0, 2)
        boxes = list(_boxes(file, 0, size_bytes))
        unit = next(_scale(file, box) for box in boxes if box.kind == b"mvhd")
        limit = round(duration_s * unit)
        for box in boxes:
            if box.kind == b"elst":
                _shorten_edits(file, box, limit)
            elif box.kind in {b"tkhd", b"mvhd"}:
                _shorten(file, *_duration_field(file, box), limit)


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[_Box]:
    while begin + 8 <= end:
        file.seek(begin)
        size_bytes, kind = struct.unpack(">I4s", file.read(8))
        body = begin + 8
        if size_bytes == _LARGE:
            (size_bytes,) = struct.unpack(">Q", file.read(8))
            body += 8
        box = _Box(kind, body, min(end, begin + size_bytes) if size_bytes else end)
        yield box
        if kind in _HOLDS_BOXES:
            yield from _boxes(file, box.body, box.end)
        begin = max(box.end, body)


def _version(file: BinaryIO, box: _Box) -> int:
    file.seek(box.body)
    return file.read(1)[0]


def _scale(file: BinaryIO, mvhd: _Box) -> int:
    file.seek(mvhd.body + (20 if _version(file, mvhd) else 12))
    return int.from_bytes(file.read(4), "big")


def _duration_field(file: BinaryIO, box: _Box) -> tuple[int, int]:
    """Where the duration of a movie or track header stands, and its bytes."""
    version = _version(file, box)
    if box.kind == b"mvhd":
        return (box.body + 24, 8) if version else (box.body + 16, 4)
    return (box.body + 28, 8) if version else (box.body + 20, 4)


def _shorten_edits(file: BinaryIO, elst: _Box, limit: int) -> None:
    width = 8 if _version(file, elst) else 4
    file.seek(elst.body + 4)
    (count,) = struct.unpack(">I", file.read(4))
    passed = 0
    for number in range(count):
        place = elst.body + 8 + number * (2 * width + 4)
        passed += _shorten(file, place, width, max(0, limit - passed))


def _shorten(file: BinaryIO, place: int, width: int, limit: int) -> int:
    """Make the number at `place` no larger than `limit`; what it is then."""
    file.seek(place)
    value = int.from_bytes(file.read(width), "big")
    if value > limit:
        file.seek(place)
        file.write(limit.to_bytes(width, "big"))
    return min(value, limit)
