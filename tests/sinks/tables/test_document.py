"""The growing document: every write leaves it valid, and all writes together are in proportion to what is kept."""

import errno
import json
import os
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from streamer.sinks.tables.document import PAGE_BYTES, Document

ROW = '{"n":%d,"t":"%s"}'


def rows_in(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def test_rows_stand_in_their_lists_in_order(tmp_path: Path) -> None:
    document = Document(tmp_path / "o.json", ("a", "b"), head='"v":1,')
    for number in range(300):
        document.add("ab"[number % 3 == 0], ROW % (number, "x" * (number * 37 % 500)))
    document.close()
    loaded = rows_in(tmp_path / "o.json")
    assert loaded["v"] == 1
    assert [row["n"] for row in loaded["a"]] == [number for number in range(300) if number % 3]
    assert [row["n"] for row in loaded["b"]] == [number for number in range(300) if not number % 3]


def test_no_row_lies_across_two_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = Document(tmp_path / "o.json", ("a",))
    document.add("a", ROW % (0, ""))
    rows: list[tuple[int, int]] = []
    put = Document._put

    def noted(self: Document, rows_: object, data: bytes) -> None:
        put(self, rows_, data)  # type: ignore[arg-type]
        at = self._lists["a"].at
        rows.append((at - len(data), at))

    monkeypatch.setattr(Document, "_put", noted)
    for number in range(200):
        document.add("a", ROW % (number, "x" * (number * 53 % 900)))
    document.close()
    assert len(rows) == 200
    assert all(begin // PAGE_BYTES == (end - 1) // PAGE_BYTES for begin, end in rows)


def test_a_row_longer_than_a_page_is_kept(tmp_path: Path) -> None:
    document = Document(tmp_path / "o.json", ("a", "b"))
    for number in range(5):
        document.add("b", ROW % (number, "x" * 30_000))
    document.close()
    assert [row["n"] for row in rows_in(tmp_path / "o.json")["b"]] == [0, 1, 2, 3, 4]


def test_what_is_copied_is_in_proportion_to_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[int] = []
    rebuild = Document._rebuild

    def noted(self: Document, **how: object) -> None:
        rebuild(self, **how)  # type: ignore[arg-type]
        copies.append(self.path.stat().st_size)

    monkeypatch.setattr(Document, "_rebuild", noted)
    document = Document(tmp_path / "o.json", ("a", "b"))
    for number in range(20_000):
        document.add("a", ROW % (number, "x" * 100))
        document.add("b", ROW % (number, "x" * 20))
    document.close()
    assert len(copies) < 60
    assert sum(copies) < 12 * (tmp_path / "o.json").stat().st_size


def test_a_copy_that_finds_no_room_leaves_the_file_valid_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "o.json"
    document = Document(path, ("a",))

    def full(_self: Document, *_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Document, "_copied", full)
    kept = 0

    def fill() -> None:
        nonlocal kept
        for kept in range(1000):
            document.add("a", ROW % (kept, "x" * 100))

    with pytest.raises(OSError, match="No space left"):
        fill()
    document.close()
    assert kept > 20
    assert [row["n"] for row in rows_in(path)["a"]] == list(range(kept))
    assert list(tmp_path.iterdir()) == [path]


def test_where_there_is_no_room_for_a_last_copy_it_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "o.json"
    document = Document(path, ("a",))
    document.add("a", ROW % (1, ""))
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    document.close()
    document.close()
    assert rows_in(path)["a"] == [{"n": 1, "t": ""}]
    assert list(tmp_path.iterdir()) == [path]


def test_between_any_two_writes_to_the_disk_the_file_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "o.json"
    counts: list[int] = []

    class Watched(FileIO):
        def write(self, data: object) -> int:
            counts.append(len(rows_in(path)["a"]))
            return super().write(data)  # type: ignore[arg-type]

    opened = Path.open

    def open_watched(self: Path, mode: str = "r", **how: object) -> object:
        return Watched(str(self), "r+b") if mode == "r+b" else opened(self, mode, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", open_watched)
    document = Document(path, ("a", "b"))
    for number in range(100):
        document.add("a", ROW % (number, "x" * 100))
    document.close()
    assert counts == list(range(100))
