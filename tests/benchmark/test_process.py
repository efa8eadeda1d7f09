"""What a process knows of its threads and its memory."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.benchmark import process

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are told apart on Linux alone")


def on_a_thread(body: Callable[[], None]) -> None:
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()


@linux
def test_a_thread_is_found_by_its_name_and_its_cpu_time_grows() -> None:
    seen: list[dict[int, int]] = []

    def work() -> None:
        process.name_thread("streamer-test")
        seen.append(process.threads(named="streamer-test"))
        sum(range(1_000_000))
        seen.append(process.threads(named="streamer-test"))

    on_a_thread(work)
    ((number, before_ns),) = seen[0].items()
    assert seen[1][number] > before_ns
    assert process.threads(named="nobody") == {}


@linux
def test_the_threads_of_python_are_known() -> None:
    own: list[bool] = []
    on_a_thread(lambda: own.append(threading.get_native_id() in process.own_threads() & set(process.threads())))
    assert own == [True]


@linux
def test_memory_that_was_held_is_in_the_peak() -> None:
    before = process.resident_bytes()
    assert before is not None
    block = np.ones(80_000_000, np.uint8)
    held = process.resident_bytes()
    assert held is not None
    assert held - before > 60_000_000
    del block
    peak = process.peak_bytes()
    assert peak is not None
    assert peak >= held - 5_000_000


def test_without_proc_nothing_is_told_apart_and_the_peak_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Path("/nowhere/at/all")
    monkeypatch.setattr(process, "_TASKS", nowhere)
    monkeypatch.setattr(process, "_STATUS", nowhere)
    process.name_thread("nobody")
    assert process.threads() == {}
    assert process.resident_bytes() is None
    peak = process.peak_bytes()
    assert sys.platform == "win32" or (peak is not None and peak > 10_000_000)
