"""Time, and what is measured with it.

Inside streamer all time is monotonic nanoseconds; the wall clock appears in names, logs and tables only. The clock is
an argument, so tests move it by hand and never sleep.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

RATE_WINDOW_NS = 2 * NS_PER_S
"""Rates shown to people are those of the last two seconds, never a mean of the whole run."""


class Clock(Protocol):
    """Where the time comes from."""

    def now_ns(self) -> int:
        """Monotonic time in nanoseconds."""

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until `event` is set, at most `timeout_s` seconds; True if it is set."""


class MonotonicClock:
    """The machine's own monotonic clock; jumps of the wall clock do not reach it."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)


class FakeClock:
    """A clock for tests: it moves only when it is told to, or when somebody waits on it."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        with self._lock:
            return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        with self._lock:
            self._now_ns += round(seconds * NS_PER_S)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self.advance(max(0.0, timeout_s))
        return event.is_set()


class RateMeter:
    """Events a second over the last two seconds. Safe to use from several threads."""

    def __init__(self, *, window_ns: int = RATE_WINDOW_NS) -> None:
        self._window_ns = window_ns
        self._marks_ns: deque[int] = deque()
        self._lock = threading.Lock()

    def mark(self, now_ns: int) -> None:
        """One event happened at `now_ns`."""
        with self._lock:
            self._marks_ns.append(now_ns)
            self._forget(now_ns)

    def rate(self, now_ns: int) -> float:
        """Events a second as of `now_ns`: intervals counted over the time they took; 0.0 when fewer than two are known.

        While events come, the rate is that of their intervals; when they stop, the time since the last one counts too,
        so that the figure falls instead of standing still.
        """
        with self._lock:
            self._forget(now_ns)
            if len(self._marks_ns) < 2:
                return 0.0
            first_ns, last_ns, intervals = self._marks_ns[0], self._marks_ns[-1], len(self._marks_ns) - 1
        span_ns = last_ns - first_ns
        silence_ns = now_ns - last_ns
        if silence_ns > 2 * span_ns / intervals:
            span_ns += silence_ns
        return intervals * NS_PER_S / span_ns if span_ns > 0 else 0.0

    def _forget(self, now_ns: int) -> None:
        while self._marks_ns and now_ns - self._marks_ns[0] > self._window_ns:
            self._marks_ns.popleft()


class LatencyMeter:
    """Percentiles of the latest durations. Safe to use from several threads."""

    def __init__(self, *, samples: int = 512) -> None:
        self._durations_ns: deque[int] = deque(maxlen=samples)
        self._lock = threading.Lock()

    def add(self, duration_ns: int) -> None:
        """Take one duration in."""
        with self._lock:
            self._durations_ns.append(duration_ns)

    def percentiles_ms(self, percents: Sequence[float] = (50, 95, 99)) -> tuple[float, ...]:
        """The nearest-rank percentiles in milliseconds; zeros while nothing was measured."""
        with self._lock:
            ordered = sorted(self._durations_ns)
        if not ordered:
            return (0.0,) * len(percents)
        ranks = (max(0, -(-len(ordered) * percent // 100) - 1) for percent in percents)
        return tuple(ordered[int(rank)] / NS_PER_MS for rank in ranks)
