"""What C code prints to its stream `stderr`, kept from the terminal. Python's own stderr is left alone.

Used by the runtimes whose libraries print where no log level keeps them back.
"""

import ctypes
import logging
import os
import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def c_stderr_aside() -> Iterator[None]:
    """Let what C code prints to its stream `stderr` go nowhere, for the length of the block; with glibc only.

    The file descriptor stays as it is, so that what Python, a signal handler or a host program says arrives. Blocks of
    several threads may overlap: the last one that ends brings the stream back. The stream that leads nowhere is never
    closed: a thread may be writing to it.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    _STREAM.put_aside()
    try:
        yield
    finally:
        _STREAM.bring_back()


class _Stream:
    """The variable `stderr` of C, and how many blocks want it aside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._kept: int | None = None

    def put_aside(self) -> None:
        with self._lock:
            if self._blocks == 0:
                stderr = _stderr()
                self._kept = stderr.value
                stderr.value = _nowhere() or self._kept
            self._blocks += 1

    def bring_back(self) -> None:
        with self._lock:
            self._blocks -= 1
            if self._blocks == 0:
                _stderr().value = self._kept


_STREAM = _Stream()


def _stderr() -> ctypes.c_void_p:
    return ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr")


@cache
def _nowhere() -> int | None:
    """A stream of C that leads to the null device; one is enough for the process."""
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    address: int | None = libc.fopen(os.devnull.encode(), b"w")
    return address


@contextmanager
def stderr_aside() -> Iterator[None]:
    """Let all that the process writes to its file of errors go nowhere, for the length of the block.

    For converters that write there without C's stream. Nothing else is said meanwhile, so keep it short.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def root_log_as_it_is() -> Iterator[None]:
    """Take away the handlers that libraries give to the root of all logs: what is told would be told twice."""
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        yield
    finally:
        for handler in [handler for handler in root.handlers if handler not in before]:
            root.removeHandler(handler)
