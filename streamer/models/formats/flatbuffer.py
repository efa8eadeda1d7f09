"""FlatBuffers read as data, every offset checked: damage is a ValueError, never a read outside of the file.

It knows no schema: a field is asked for by its number, as the schemas count them from 0. Not a verifier of what nobody
asks for: the runtimes have their own. https://flatbuffers.dev/internals describes the layout. Used by tflite_file.py
and tflite_metadata.py.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Number = Literal["i1", "u1", "u2", "i4", "u4", "f4", "i8", "u8"]

MAX_TABLES = 200_000
"""That are read of one file, one that is shared as often as it is read; the largest detectors have some thousands."""

MAX_ITEMS = 4_000_000
"""Numbers and letters that are read of one file, weights apart: what is shared makes much of few bytes."""

MAX_TEXT_BYTES = 4096
"""What is read of a text; names are shorter."""


class FlatBuffer:
    """The bytes of a file, and how much more of it may be read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._tables_left, self._items_left = MAX_TABLES, MAX_ITEMS

    def root(self) -> "Table":
        """The outermost table. Raises ValueError, as all reading does."""
        return self.table_at(0)

    def table_at(self, position: int) -> "Table":
        """The table that the offset at a position leads to."""
        self._tables_left -= 1
        if self._tables_left < 0:
            raise ValueError(f"there are more than {MAX_TABLES} tables in it")
        return Table(self, position + self.number(position, "u4"))

    def number(self, position: int, kind: Number) -> int:
        """The whole number at a position."""
        size_bytes = _size_bytes(kind)
        self.check(position, size_bytes)
        return int.from_bytes(self.data[position : position + size_bytes], "little", signed=kind.startswith("i"))

    def vector(self, position: int, size_bytes: int) -> tuple[int, int]:
        """Where the elements of the vector begin that the offset at a position leads to, and how many there are."""
        start = position + self.number(position, "u4")
        count = self.number(start, "u4")
        self.check(start + 4, count * size_bytes)
        return start + 4, count

    def spend(self, items: int) -> None:
        """Count the numbers and letters that are read. Raises ValueError where it is too much."""
        self._items_left -= items
        if self._items_left < 0:
            raise ValueError(f"there are more than {MAX_ITEMS} numbers and letters in it")

    def check(self, position: int, size_bytes: int) -> None:
        """Raises ValueError for what is not inside of the file."""
        if not 0 <= position <= len(self.data) - size_bytes:
            raise ValueError(f"an offset leads to byte {position} of {len(self.data)}")


class Table:
    """One table. A field that is not there is its default: 0, no text, nothing."""

    __slots__ = ("_file", "_position", "_vtable", "_vtable_bytes")

    def __init__(self, file: FlatBuffer, position: int) -> None:
        self._file, self._position = file, position
        self._vtable = position - file.number(position, "i4")
        self._vtable_bytes = file.number(self._vtable, "u2")
        file.check(self._vtable, self._vtable_bytes)

    def number(self, field: int, kind: Number = "i4") -> int:
        """A whole number."""
        at = self._at(field)
        return 0 if at is None else self._file.number(at, kind)

    def numbers(self, field: int, kind: Number) -> NDArray[np.generic]:
        """A vector of numbers; empty where there is none."""
        at = self._at(field)
        start, count = (0, 0) if at is None else self._file.vector(at, _size_bytes(kind))
        self._file.spend(count)
        return np.frombuffer(self._file.data, f"<{kind}", count, start)

    def blob(self, field: int) -> memoryview:
        """A vector of bytes, not copied."""
        at = self._at(field)
        start, count = (0, 0) if at is None else self._file.vector(at, 1)
        return memoryview(self._file.data)[start : start + count]

    def text(self, field: int) -> str:
        """A text; what is no UTF-8 in it is escaped."""
        text = bytes(self.blob(field)[:MAX_TEXT_BYTES])
        self._file.spend(len(text))
        return text.decode("utf-8", "backslashreplace")

    def table(self, field: int) -> "Table | None":
        """A table inside this one."""
        at = self._at(field)
        return None if at is None else self._file.table_at(at)

    def tables(self, field: int) -> Iterator["Table"]:
        """A vector of tables."""
        at = self._at(field)
        start, count = (0, 0) if at is None else self._file.vector(at, 4)
        return (self._file.table_at(start + 4 * n) for n in range(count))

    def _at(self, field: int) -> int | None:
        entry = 4 + 2 * field
        offset = self._file.number(self._vtable + entry, "u2") if entry + 2 <= self._vtable_bytes else 0
        return self._position + offset if offset else None


def _size_bytes(kind: Number) -> int:
    return int(kind[1])
