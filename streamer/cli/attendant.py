"""A thread beside a run for something that a slow disk must not hold up: the health file, a look at the settings file.

It waits on nothing but its own event, and what fails on it costs the run nothing. Called by supervised.py.
"""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)

GRACE_S = 5.0
"""How long the end of a run waits for one that hangs."""


class Attendant:
    """Does its duty each `period_s` seconds, or only when it is woken; and once more at the end."""

    def __init__(self, name: str, duty: Callable[[], None], *, period_s: float | None) -> None:
        self._duty = duty
        self._period_s = period_s
        self._wake = threading.Event()
        self._leaving = False
        self._failed = False
        self._thread = threading.Thread(target=self._attend, name=f"streamer-{name}")
        self._thread.start()

    def wake(self) -> None:
        """Do it now; from any thread, without waiting."""
        self._wake.set()

    def leave(self, *, grace_s: float = GRACE_S) -> bool:
        """End it; False where its duty hangs, and the thread is left behind."""
        self._leaving = True
        self._wake.set()
        self._thread.join(grace_s)
        return not self._thread.is_alive()

    def _attend(self) -> None:
        while True:
            leaving = self._leaving
            self._do()
            if leaving:
                return
            self._wake.wait(self._period_s)
            self._wake.clear()

    def _do(self) -> None:
        try:
            self._duty()
        except Exception:
            if not self._failed:
                self._failed = True
                logger.exception("a bug of ours beside the run, which goes on")
