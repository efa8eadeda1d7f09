"""FlatBuffers with faults: what is shared, or claims much, costs no more than its bytes allow."""

import struct
import time

import numpy as np
import pytest

from streamer.models.formats import flatbuffer
from streamer.models.formats.flatbuffer import FlatBuffer


def shared_table(count: int, *, vtable_bytes: int) -> bytes:
    """A root whose field 0 is a vector of tables, all of them the same one, with a vtable of zeros."""
    data = bytearray(struct.pack("<I4xHHHxx", 16, 6, 8, 4))
    data += struct.pack("<iI", 8, 4)
    data += struct.pack("<I", count)
    vtable = len(data) + 4 * count
    table = vtable + vtable_bytes
    data += b"".join(struct.pack("<I", table - len(data) - 4 * n) for n in range(count))
    data += struct.pack("<HH", vtable_bytes, 4) + bytes(vtable_bytes - 4)
    return bytes(data + struct.pack("<i", table - vtable))


def test_fields_that_nobody_asks_for_cost_nothing() -> None:
    file = FlatBuffer(shared_table(20_000, vtable_bytes=65_532))
    start_s = time.monotonic()
    tables = list(file.root().tables(0))
    assert [len(tables), tables[0].number(0), tables[-1].number(32_763)] == [20_000, 0, 0]
    assert time.monotonic() - start_s < 5


def test_fields_behind_the_last_one_are_not_there() -> None:
    (table,) = FlatBuffer(shared_table(1, vtable_bytes=8)).root().tables(0)
    assert [table.number(n) for n in (0, 1, 2, 99_999)] == [0, 0, 0, 0]


def test_a_table_whose_fields_are_cut_off_is_damaged() -> None:
    content = bytearray(shared_table(1, vtable_bytes=8))
    content[-12:-10] = b"\xfe\xff"
    with pytest.raises(ValueError, match="an offset leads to byte"):
        list(FlatBuffer(bytes(content)).root().tables(0))


def test_tables_are_counted_as_often_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatbuffer, "MAX_TABLES", 10)
    assert len(list(FlatBuffer(shared_table(9, vtable_bytes=4)).root().tables(0))) == 9
    with pytest.raises(ValueError, match="more than 10 tables"):
        list(FlatBuffer(shared_table(10, vtable_bytes=4)).root().tables(0))


def test_numbers_are_counted_apart_from_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatbuffer, "MAX_ITEMS", 5)
    root = FlatBuffer(shared_table(3, vtable_bytes=4)).root()
    assert np.size(root.numbers(0, "u4")) == 3
    assert len(list(root.tables(0))) == 3
    with pytest.raises(ValueError, match="more than 5 numbers and letters"):
        root.numbers(0, "u4")
