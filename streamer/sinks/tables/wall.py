"""When a frame was captured, as the clock on the wall has it: inside streamer time is monotonic."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from streamer.clock import NS_PER_MS, NS_PER_S

logger = logging.getLogger(__name__)

JUMP_NS = NS_PER_S // 2
"""How far the wall clock may be from where it would be had nobody set it: to read both clocks takes far less."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class WallClock:
    """Turns monotonic times into wall times; one is shared by all tables of a run, so that they agree.

    The distance between the two clocks is measured once, so that times within a run are as even as the capture was. A
    wall clock that is set during the run, as that of a small computer is when it first hears of the time, and one that
    went on while the machine slept, are followed from the next frame on, and a warning says by how much; rows that are
    written stay as they are.

    wall_ns, monotonic_ns: the two clocks. Safe to use from several threads.
    """

    def __init__(
        self, *, wall_ns: Callable[[], int] = time.time_ns, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._lock = threading.Lock()
        self._offset_ns = self._measured_ns()

    def at(self, captured_ns: int) -> str:
        """The wall time of a monotonic one: ISO 8601 in UTC, with milliseconds: `2025-01-31T23:59:59.123Z`."""
        with self._lock:
            self._follow()
            wall_ms = round((captured_ns + self._offset_ns) / NS_PER_MS)
        when = _EPOCH + timedelta(milliseconds=wall_ms)
        return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"

    def _follow(self) -> None:
        offset_ns = self._measured_ns()
        jump_ns = offset_ns - self._offset_ns
        if abs(jump_ns) > JUMP_NS:
            self._offset_ns = offset_ns
            logger.warning("the wall clock was set by %+.1f s: wall times follow it from here on", jump_ns / NS_PER_S)

    def _measured_ns(self) -> int:
        return self._wall_ns() - self._monotonic_ns()
