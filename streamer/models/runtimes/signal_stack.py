"""The stack on which a thread's signals are handled, kept from a library that leaves a smaller one behind.

OpenVINO's CPU plugin asks the system for the tiles of AMX, and gives the thread that asks an alternate signal stack of
its own: 20144 bytes with OpenVINO 2026.4, which is room for the registers once. A handler that calls a function for the
first time saves them twice (`_dl_runtime_resolve_xsavec` of glibc): Python's handlers do, and Ctrl-C then ended the
process with SIGSEGV. What is more, the memory is given back by whichever thread closes the last network, while the
first one still handles its signals there.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ONSTACK = 1


class _Stack(ctypes.Structure):
    """`stack_t` of Linux; sigaltstack(2)."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size_bytes", ctypes.c_size_t))


@contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Give this thread its signal stack back, as it was on entering. It does nothing but on Linux."""
    if not sys.platform.startswith("linux"):
        yield
        return
    libc: Any = ctypes.CDLL(None)
    before = _Stack()
    libc.sigaltstack(None, ctypes.byref(before))
    try:
        yield
    finally:
        before.flags &= ~_ONSTACK
        libc.sigaltstack(ctypes.byref(before), None)


def signal_stack_bytes() -> int:
    """Size of this thread's alternate signal stack; 0 where it has none. Linux only."""
    now = _Stack()
    libc: Any = ctypes.CDLL(None)
    libc.sigaltstack(None, ctypes.byref(now))
    return int(now.size_bytes)
