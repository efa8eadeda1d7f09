"""A thread beside a run for what a slow disk must not hold up: the health file, and a look at the settings file.

It waits on nothing but its own event, and a duty that fails costs the run nothing. Called by supervised.py.
"""

import logging
import threading
from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

GRACE_S = 5.0
"""How long the end of a run waits for a duty that hangs."""


class Attendant:
    """Does its duties in turn: each `period_s` seconds, or only when it is woken; and once more at the end."""

    def __init__(self, duties: Sequence[Callable[[], None]], *, period_s: float | None) -> None:
        self._duties = tuple(duties)
        self._period_s = period_s
        self._wake = threading.Event()
        self._leaving = False
        self._failed: set[Callable[[], None]] = set()
        self._thread = threading.Thread(target=self._attend, name="streamer-attendant")
        self._thread.start()

    def wake(self) -> None:
        """Do them now; from any thread, without waiting."""
        self._wake.set()

    def leave(self, *, grace_s: float = GRACE_S) -> bool:
        """End it; False where a duty hangs, and the thread is left behind."""
        self._leaving = True
        self._wake.set()
        self._thread.join(grace_s)
        return not self._thread.is_alive()

    def _attend(self) -> None:
        while True:
            leaving = self._leaving
            for duty in self._duties:
                self._do(duty)
            if leaving:
                return
            self._wake.wait(self._period_s)
            self._wake.clear()

    def _do(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except Exception:
            if duty not in self._failed:
                self._failed.add(duty)
                logger.exception("a bug of ours beside the run, which goes on")
