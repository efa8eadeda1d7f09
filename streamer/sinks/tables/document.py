"""A JSON object whose lists grow, in a file that is whole at every moment. It knows no format; coco.py does."""

import os
import secrets
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from streamer.sinks.outfile import OutFile, is_stream

PAGE_BYTES = 4096
"""Of a write inside one page the system takes all or nothing, also when the process is killed in it."""

CHUNK_BYTES = 1 << 20

ROOM_ROWS = 3
"""As many of a long row find room in new spaces: one may have to begin at the next page."""


@dataclass(slots=True)
class _Rows:
    """Where the rows of one list stand in the file: from `begin` to `at`, and after them spaces up to `end`."""

    name: str
    begin: int = 0
    at: int = 0
    end: int = 0
    count: int = 0

    def place(self, size_bytes: int) -> int:
        """Where the next row goes: into one page, if it fits into any."""
        left_bytes = PAGE_BYTES - self.at % PAGE_BYTES
        return self.at + left_bytes if left_bytes < size_bytes <= PAGE_BYTES else self.at


class Document:
    """An object of lists, to each of which rows are added; the file holds valid JSON after every one, killed or not.

    JSON allows spaces: behind the rows of each list lie some, and a row is written over them. Where a list has none
    left, a copy of the file with half as many again takes its place in one step, so that all the copying is in
    proportion to what was written. Such a copy begins with a dot and ends in `.part`; only a kill leaves one behind.

    A pipe cannot be written over: there the rows of the first list go out at once, and those of the others at the end.

    head: members that stand before the lists, as JSON with a comma at its end.

    Raises SinkOpenError. `add` and `close` raise OSError; the file is then as it was before.
    """

    def __init__(self, path: Path, names: Sequence[str], *, head: str = "", force: bool = False) -> None:
        self.path = path
        self._head = head
        self._lists = {name: _Rows(name) for name in names}
        self._claim = OutFile(path, force=force)
        self._place = Path(os.path.realpath(path))
        self._file: FileIO | None = None
        self._closed = False
        self._first, self._waiting = names[0], {name: list[bytes]() for name in names[1:]}
        self._streamed = is_stream(path)

    def add(self, name: str, row: str) -> None:
        """Add one row, which is JSON, to a list."""
        separator = "," if self._lists[name].count else ""
        data = f"{separator}\n{row}".encode("utf-8", "backslashreplace")
        if self._streamed:
            self._stream(name, data)
        else:
            self._put(self._lists[name], data)
        self._lists[name].count += 1

    def close(self) -> None:
        """Leave the file without its spaces, if there is room to make it anew; else it is as good with them."""
        if self._closed:
            return
        if self._file is not None:
            with suppress(OSError):
                self._rebuild(spaces=False)
        elif self._streamed and any(rows.count for rows in self._lists.values()):
            self._end_stream()
        self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is, which is valid, after an error. Idempotent, as is `close`."""
        self._closed = True
        if self._file is not None:
            self._file.close()
        self._claim.close()

    def _put(self, rows: _Rows, data: bytes) -> None:
        if self._file is None:
            self._begin()
        if rows.place(len(data)) + len(data) > rows.end:
            self._rebuild(more=rows, size_bytes=len(data))
            rows = self._lists[rows.name]
        assert self._file is not None
        at = rows.place(len(data))
        self._file.seek(at)
        self._file.write(data)
        rows.at = at + len(data)

    def _begin(self) -> None:
        """Write the lists, empty and with as many spaces as one page holds, into the file that was claimed."""
        fixed_bytes = sum(len(piece) for piece, _ in self._pieces())
        spaces = b" " * (max(0, PAGE_BYTES - fixed_bytes) // len(self._lists))
        text = bytearray()
        for piece, rows in self._pieces():
            text += piece
            if rows is not None:
                rows.begin = rows.at = len(text)
                text += spaces
                rows.end = len(text)
        self._claim.write(bytes(text))
        self._claim.close()
        self._file = self._place.open("r+b", buffering=0)

    def _pieces(self) -> list[tuple[bytes, _Rows | None]]:
        """What stands around the lists, each piece with the list that follows it."""
        pieces: list[tuple[bytes, _Rows | None]] = []
        before = "{" + self._head + "\n"
        for name, rows in self._lists.items():
            pieces.append((f'{before}"{name}":['.encode(), rows))
            before = "],\n"
        return [*pieces, (b"]}\n", None)]

    def _rebuild(self, *, spaces: bool = True, more: _Rows | None = None, size_bytes: int = 0) -> None:
        """Put a copy in the file's place: with new spaces, and room for a row in the list `more`; or without any."""
        assert self._file is not None
        part = self._place.with_name(f".{secrets.token_hex(8)}.part")
        copied: dict[str, _Rows] = {}
        try:
            with part.open("xb", buffering=CHUNK_BYTES) as copy:
                for piece, rows in self._pieces():
                    copy.write(piece)
                    if rows is not None:
                        copied[rows.name] = self._copied(rows, copy)
                        room_bytes = ROOM_ROWS * size_bytes if rows is more else 0
                        _leave_room(copied[rows.name], copy, room_bytes=room_bytes if spaces else None)
            shutil.copymode(self._place, part)
            self._file.close()
            part.replace(self._place)
            self._lists = copied
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            if self._file.closed:
                self._file = self._place.open("r+b", buffering=0)

    def _copied(self, rows: _Rows, copy: BinaryIO) -> _Rows:
        """Copy the rows of a list; the list as it stands in the copy."""
        assert self._file is not None
        begin, left_bytes = copy.tell(), rows.at - rows.begin
        self._file.seek(rows.begin)
        while left_bytes and (data := self._file.read(min(left_bytes, CHUNK_BYTES))):
            copy.write(data)
            left_bytes -= len(data)
        return _Rows(rows.name, begin, copy.tell(), copy.tell(), rows.count)

    def _stream(self, name: str, data: bytes) -> None:
        if name != self._first:
            self._waiting[name].append(data)
            return
        if not self._lists[name].count:
            self._claim.write(self._pieces()[0][0])
        self._claim.write(data)

    def _end_stream(self) -> None:
        (begun, _), *others = self._pieces()
        if not self._lists[self._first].count:
            self._claim.write(begun)
        for piece, rows in others:
            self._claim.write(piece)
            for data in () if rows is None else self._waiting[rows.name]:
                self._claim.write(data)


def _leave_room(rows: _Rows, copy: BinaryIO, *, room_bytes: int | None) -> None:
    """Write spaces behind the rows of a list, half as long as these and at least `room_bytes`; None for none."""
    if room_bytes is None:
        return
    left_bytes = max(PAGE_BYTES, (rows.at - rows.begin) // 2, room_bytes)
    rows.end = rows.at + left_bytes
    while left_bytes:
        left_bytes -= copy.write(b" " * min(left_bytes, CHUNK_BYTES))
