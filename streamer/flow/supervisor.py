"""Starts the stages, knows which still run and what failed first, and gives up those that hang at the end."""

import logging
import threading
from collections.abc import Sequence

from streamer.clock import NS_PER_S
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

    def __init__(self, *, grace_s: float, stall_s: float) -> None:
        self.error: BaseException | None = None
        self.stop_requested = False
        self.leaving = False
        self.abandoned: list[Stage] = []
        self._grace_ns = round(grace_s * NS_PER_S)
        self._close_grace_ns = max(self._grace_ns, round(CLOSE_GRACE_S * NS_PER_S))
        self._watchdog = Watchdog(stall_s=stall_s)
        self._stages: list[Stage] = []
        self._running: set[Stage] = set()
        self._tidied: set[Stage] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()

    @property
    def running(self) -> bool:
        """Whether any stage still runs."""
        return bool(self._running)

    @property
    def capturing(self) -> bool:
        """Whether the first stage, which reads the source, still runs."""
        return self._stages[:1] != [] and self._stages[0] in self._running

    def start(self, stages: Sequence[Stage]) -> None:
        """Start the stages, which are given from source to sink; the last one first, so that none waits for its taker.

        Raises RuntimeError when the system gives no more threads.
        """
        for stage in reversed(stages):
            with self._lock:
                self._running.add(stage)
            try:
                stage.start(self._ended)
            except RuntimeError:
                self._running.discard(stage)
                # Those that will never be there take their leave: nobody waits for them.
                for missing in stages[: len(stages) - len(self._stages)]:
                    missing.leave()
                raise
            self._stages.insert(0, stage)

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

    def leave(self) -> None:
        """The run is to end: from now on everything has the same time to finish."""
        self.leaving = True
        self._watchdog.start_anew()

    def check(self, now_ns: int) -> str:
        """Look after the stages; what stands still, for people."""
        with self._lock:
            running = [stage for stage in self._stages if stage in self._running]
        stalls = self._watchdog.look(running, now_ns)
        for stage in self._stages:
            if stage.error is not None and stage not in self._tidied and stage not in running:
                self._tidied.add(stage)
                stage.leave()  # once more: its leaving may have been what failed
        for stage in running:
            if self._hangs(stage):
                self._abandon(stage)
        return stalls

    def stalls_but(self, patient: Stage | None, *, grace_ns: int) -> str:
        """What stalled as of the last `check`, for people; `patient` only once it has stood for longer than that."""
        stalls = self._watchdog.stalls.items()
        return ", ".join(
            text for stage, text in stalls if stage is not patient or self._watchdog.stood_ns(stage) > grace_ns
        )

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

    def _hangs(self, stage: Stage) -> bool:
        """Whether it has to be left behind: a sink at any time, the rest only once somebody wants to leave.

        A slow detector owes frames for as long as they are wanted.
        """
        work = stage.work
        if work is None or not (self.leaving or stage.expendable):
            return False
        grace_ns = self._close_grace_ns if work.doing == "close" else self._grace_ns
        return self._watchdog.stood_ns(stage) > grace_ns

    def _abandon(self, stage: Stage) -> None:
        waited_s = self._watchdog.stood_ns(stage) / NS_PER_S
        logger.error("%s hangs, after %.1f s it is left behind", stage.name, waited_s)
        self.abandoned.append(stage)
        with self._lock:
            self._running.discard(stage)
        stage.abandon(waited_s)
        stage.leave()
