"""Who may touch a capture: one thread at a time, and nobody once it is let go.

A capture that is released while another thread grabs from it crashes the process. Every source reads inside `turn`,
yields outside it, and closes through `close`.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 0.05
"""How long `close` waits for a read that is under way: as long as reading takes, not as long as hanging does."""


class Access:
    """Reading and closing, one after the other.

    release: lets the capture go; called exactly once, by whoever closes or, when a read outlasts the wait, by the
    reader as it returns.
    """

    def __init__(self, release: Callable[[], None], *, name: str) -> None:
        self._release = release
        self._name = name
        self._lock = threading.Lock()
        self._released = False
        self.closing = threading.Event()
        """Set once the source is to end: whatever waits inside a source waits on it."""

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """The right to read, for the length of the block; False says that there is nothing to read from any more."""
        with self._lock:
            try:
                yield not self.closing.is_set()
            finally:
                if self.closing.is_set():
                    self._let_go()

    def close(self, *, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Let the capture go. Idempotent, from any thread; waits at most `timeout_s` for a read that is under way."""
        self.closing.set()
        if not self._lock.acquire(timeout=timeout_s):
            logger.debug("%s: still reading after %g s; it is let go when the read returns", self._name, timeout_s)
            return
        try:
            self._let_go()
        finally:
            self._lock.release()

    def _let_go(self) -> None:
        if not self._released:
            self._released = True
            self._release()
