"""Starts the stages, knows which still run and what failed first, and gives up those that hang at the end."""

import logging
import threading
from collections.abc import Sequence

from streamer.clock import NS_PER_S, Clock
from streamer.flow.stage import Stage
from streamer.flow.watchdog import Watchdog

logger = logging.getLogger(__name__)

TICK_S = 0.05
"""How often the supervising thread looks up when nothing happens."""
CLOSE_GRACE_S = 30.0
"""Finishing a file takes longer than writing a frame to it."""


class Supervisor:
    """Belongs to the thread that calls `run`; only `fail` and `request_stop` are for others.

    grace_s: how long one call may hold up the end. stall_s: how long before it is reported.
    """

    def __init__(self, *, clock: Clock, grace_s: float, stall_s: float) -> None:
        self.error: BaseException | None = None
        self.stop_requested = False
        self.leaving_ns: int | None = None
        self.abandoned: list[Stage] = []
        self._clock = clock
        self._grace_ns = round(grace_s * NS_PER_S)
        self._close_grace_ns = max(self._grace_ns, round(CLOSE_GRACE_S * NS_PER_S))
        self._watchdog = Watchdog(stall_s=stall_s)
        self._stages: list[Stage] = []
        self._running: set[Stage] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()

    @property
    def running(self) -> bool:
        """Whether any stage still runs."""
        return bool(self._running)

    def start(self, stages: Sequence[Stage]) -> None:
        """Start the stages, which are given from source to sink; the last one first, so that none waits for its taker.

        Raises RuntimeError when the system gives no more threads.
        """
        self._stages = list(stages)
        for stage in reversed(self._stages):
            with self._lock:
                self._running.add(stage)
            try:
                stage.start(self._ended)
            except RuntimeError:
                self._running.discard(stage)
                raise

    def request_stop(self) -> None:
        """Ask for the end; from any thread and from a signal handler, which must not wait for a lock."""
        self.stop_requested = True

    def fail(self, error: BaseException) -> None:
        """Ask for the end because of `error`; the first one is kept."""
        with self._lock:
            if self.error is None:
                self.error = error
        self.stop_requested = True

    def rest(self) -> None:
        """Wait until a stage ends, or a moment."""
        self._wake.wait(TICK_S)
        self._wake.clear()

    def check(self, now_ns: int) -> str:
        """Look after the stages; what stands still, for people."""
        with self._lock:
            running = [stage for stage in self._stages if stage in self._running]
            failed = self.error is not None
        if failed:
            # Once more for those that ended: their leaving may have been what failed.
            for stage in self._stages:
                if stage not in running:
                    stage.leave()
        self._give_up_the_hung(running, now_ns)
        return self._watchdog.check(running, now_ns)

    def join(self) -> None:
        """Wait for the last acts of every thread that was not left behind."""
        for stage in self._stages:
            if stage not in self.abandoned:
                stage.join()

    def _ended(self, stage: Stage) -> None:
        with self._lock:
            self._running.discard(stage)
        if stage.error is not None:
            self.fail(stage.error)
        self._wake.set()

    def _give_up_the_hung(self, running: Sequence[Stage], now_ns: int) -> None:
        """Leave threads behind that stand in one call for too long once the run is to end.

        When a stream merely ended, only the expendable ones are: a slow detector still owes frames.
        """
        source_left = self._stages[0] not in running
        for stage in running:
            work = stage.work
            if work is None or not (self.leaving_ns is not None or (stage.expendable and source_left)):
                continue
            waited_ns = now_ns - max(work.since_ns, self.leaving_ns or 0)
            if waited_ns > (self._close_grace_ns if work.doing == "close" else self._grace_ns):
                logger.error("%s hangs (%s): left behind", stage.name, work.doing)
                self._abandon(stage, waited_s=waited_ns / NS_PER_S)

    def _abandon(self, stage: Stage, *, waited_s: float) -> None:
        self.abandoned.append(stage)
        with self._lock:
            self._running.discard(stage)
        stage.abandon(waited_s)
        stage.leave()
