"""Says which stage does not move, and for how long.

Standing still is counted in looks, not by the clock alone: while the whole process is stopped (Ctrl-Z, a debugger, a
starved machine) nobody looks, and nobody is to blame.
"""

import logging
from collections.abc import Mapping, Sequence

from streamer.clock import NS_PER_S
from streamer.flow.stage import Stage, Work

logger = logging.getLogger(__name__)

MAX_GAP_NS = NS_PER_S // 2
"""The most that one look counts for."""


class Watchdog:
    """Looks at the stages now and then; used by the supervisor alone.

    stall_s: work that takes longer is reported, once; the same stage again only when it takes twice as long as before,
    so that a model that is merely slow does not fill the log.
    """

    def __init__(self, *, stall_s: float) -> None:
        self._stall_ns = round(stall_s * NS_PER_S)
        self._looked_ns: int | None = None
        self._stood: dict[Stage, tuple[Work, int]] = {}
        self._reported_ns: dict[Stage, int] = {}
        self._stalled: set[Stage] = set()
        self.stalls: Mapping[Stage, str] = {}
        """What stalls as of the last look, in words; replaced by each, so that any thread may read it."""

    def look(self, stages: Sequence[Stage], now_ns: int) -> str:
        """Count what stands still, and say what stalls, for people; empty when everything moves."""
        gap_ns = 0 if self._looked_ns is None else min(now_ns - self._looked_ns, MAX_GAP_NS)
        self._looked_ns = now_ns
        stalls: dict[Stage, str] = {}
        for stage in stages:
            stood_ns = self._count(stage, gap_ns)
            if stood_ns > max(self._stall_ns, stage.patience_ns):
                doing = self._stood[stage][0].doing
                stalls[stage] = f"{stage.name} ({doing}, {stood_ns / NS_PER_S:.0f} s)"
                self._report(stage, doing, stood_ns)
            elif stage in self._stalled and stood_ns == 0:
                self._stalled.discard(stage)
                logger.info("%s moves again", stage.name)
        self.stalls = stalls
        return ", ".join(stalls.values())

    def stood_ns(self, stage: Stage) -> int:
        """How long the stage has stood in its present work, as of the last look."""
        return self._stood[stage][1] if stage in self._stood else 0

    def start_anew(self) -> None:
        """Count from zero: what stood until now is given the same time as everything else."""
        self._stood.clear()

    def _count(self, stage: Stage, gap_ns: int) -> int:
        work = stage.work
        if work is None:
            self._stood.pop(stage, None)
            return 0
        before = self._stood.get(stage)
        stood_ns = before[1] + gap_ns if before is not None and before[0] is work else 0
        self._stood[stage] = work, stood_ns
        return stood_ns

    def _report(self, stage: Stage, doing: str, stood_ns: int) -> None:
        if stage in self._stalled or stood_ns <= 2 * self._reported_ns.get(stage, 0):
            return
        self._stalled.add(stage)
        self._reported_ns[stage] = stood_ns
        logger.warning("%s has not moved for %.1f s (%s)", stage.name, stood_ns / NS_PER_S, doing)
