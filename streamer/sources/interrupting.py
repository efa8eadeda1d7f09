"""Ending a read of FFmpeg's from another thread, which PyAV has no call for.

PyAV lets FFmpeg ask, ten times a second, whether a read has taken too long, and asks `time.monotonic` for that, on the
thread that reads. `interruptible` has that answer "long ago" there once an event is set. Where a later PyAV asks
somebody else, reads end by their timeouts, as they would without this; a test tells.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamer.pyav import av

_LONG_S = 1e9
"""Longer than any timeout."""

_reader = threading.local()


class _Watch:
    """In place of the module `time`, for PyAV's containers only."""

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    def monotonic(self) -> float:
        """As `time.monotonic`; once this thread's reads are to end, later with every call than any timeout allows."""
        closing: threading.Event | None = getattr(_reader, "closing", None)
        if closing is None or not closing.is_set():
            return time.monotonic()
        _reader.late_s = getattr(_reader, "late_s", 0.0) + _LONG_S  # a read that begins now must end, too
        return time.monotonic() + float(_reader.late_s)


@contextmanager
def interruptible(closing: threading.Event) -> Iterator[None]:
    """In the block, what this thread reads or opens with PyAV, and with a timeout, ends soon after `closing` is set.

    It raises av.ExitError there, or whatever FFmpeg makes of it.
    """
    _reader.closing = closing
    try:
        yield
    finally:
        _reader.closing = None


def _install() -> None:
    core = av.container.core
    if getattr(core, "time", None) is time:
        setattr(core, "time", _Watch())  # noqa: B010 - its type is a module


_install()
