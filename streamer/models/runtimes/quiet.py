"""What C code prints to its stream `stderr`, kept from the terminal. Python's own stderr is left alone.

Used by the runtimes whose libraries print where no log level keeps them back.
"""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def c_stderr_aside() -> Iterator[None]:
    """Let what C code prints to its stream `stderr` go nowhere, for the length of the block; with glibc only.

    The file descriptor stays as it is, so that what Python, a signal handler or a host program says arrives. The stream
    that leads nowhere is never closed: a thread may be writing to it.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    stderr = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "stderr")
    kept = stderr.value
    stderr.value = _nowhere() or kept
    try:
        yield
    finally:
        stderr.value = kept


@cache
def _nowhere() -> int | None:
    """A stream of C that leads to the null device; one is enough for the process."""
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    address: int | None = libc.fopen(os.devnull.encode(), b"w")
    return address
