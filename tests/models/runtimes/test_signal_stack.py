"""Signals go on being handled where they were, whatever a library does to a thread's signal stack."""

import ctypes
import signal
import sys
from pathlib import Path

import pytest

from streamer.models.runtimes.openvino import OpenVinoNetwork, convert, devices
from streamer.models.runtimes.signal_stack import _Stack, signal_stack_bytes, signal_stack_kept
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.frozen_graphs import save_graph

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sigaltstack of Linux")


def _another(size_bytes: int) -> ctypes.Array[ctypes.c_char]:
    """Give this thread a signal stack of that size, as a library would."""
    memory = ctypes.create_string_buffer(size_bytes)
    stack = _Stack(ctypes.addressof(memory), 0, size_bytes)
    assert ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None) == 0
    return memory


def test_a_signal_stack_that_was_put_in_is_taken_out_again() -> None:
    before = signal_stack_bytes()
    with signal_stack_kept():
        memory = _another(123_456)
        assert signal_stack_bytes() == 123_456
    assert signal_stack_bytes() == before
    del memory


def test_it_is_taken_out_after_an_error_too() -> None:
    before = signal_stack_bytes()
    taken: list[object] = []

    def fail() -> None:
        with signal_stack_kept():
            taken.append(_another(123_456))
            raise ValueError("it")

    with pytest.raises(ValueError, match="it"):
        fail()
    assert signal_stack_bytes() == before


def test_openvino_leaves_signals_alone(tmp_path: Path) -> None:
    def build(_: object) -> None:
        tf = import_tensorflow()
        image = tf.compat.v1.placeholder("float32", [1, 8, 8, 3], name="image")
        tf.identity(image * 2.0, name="twice")

    convert(save_graph(tmp_path / "twice.pb", build), tmp_path / "twice.xml")
    before = signal_stack_bytes()
    assert "CPU" in devices()
    assert signal_stack_bytes() == before
    network = OpenVinoNetwork(tmp_path / "twice.xml", outputs={"twice": "twice"}, streams=1, threads=1)
    assert signal_stack_bytes() == before
    network.close()
    assert signal_stack_bytes() == before
    heard: list[int] = []
    previous = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert heard == [signal.SIGUSR1]
