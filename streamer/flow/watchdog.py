"""Says which stage does not move, and when one has to be given up."""

import logging
from collections.abc import Sequence

from streamer.clock import NS_PER_S
from streamer.flow.stage import Stage

logger = logging.getLogger(__name__)


class Watchdog:
    """Looks at the stages now and then; called by the thread that supervises the run.

    stall_s: work that takes longer is reported, once; the same stage again only when it takes twice as long as before,
    so that a model that is merely slow does not fill the log.
    """

    def __init__(self, *, stall_s: float) -> None:
        self._stall_ns = round(stall_s * NS_PER_S)
        self._reported_ns: dict[str, int] = {}
        self._stalled: dict[str, int] = {}

    def check(self, stages: Sequence[Stage], now_ns: int) -> str:
        """What stands still, for people; empty when everything moves."""
        standing = []
        for stage in stages:
            work = stage.work
            stood_ns = 0 if work is None else now_ns - work.since_ns
            if work is not None and stood_ns > self._stall_ns:
                standing.append(f"{stage.name} ({work.doing}, {stood_ns / NS_PER_S:.0f} s)")
                self._report(stage.name, work.doing, work.since_ns, stood_ns)
            elif self._stalled.pop(stage.name, None) is not None:
                logger.info("%s moves again", stage.name)
        return ", ".join(standing)

    def _report(self, name: str, doing: str, since_ns: int, stood_ns: int) -> None:
        if self._stalled.get(name) == since_ns or stood_ns <= 2 * self._reported_ns.get(name, 0):
            return
        self._stalled[name] = since_ns
        self._reported_ns[name] = stood_ns
        logger.warning("%s has not moved for %.1f s (%s)", name, stood_ns / NS_PER_S, doing)
