"""One run as those see it who look after it: the health file, the service manager, and settings that are read again.

What touches a disk is done on threads of its own (attendant.py); the rest never waits. Called by session.py.
"""

import os
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import streamer
from streamer.cli.attendant import Attendant
from streamer.cli.parts import Parts
from streamer.cli.progress import summed_up
from streamer.cli.reloading import Reloading
from streamer.cli.retuning import Retuning
from streamer.cli.signals import SIGNALS, exit_code_of
from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.config import Resolved
from streamer.flow.report import Report
from streamer.frame import Status
from streamer.service.health import KIND, Health
from streamer.service.health_file import HealthFile
from streamer.service.notify import ServiceManager
from streamer.service.process import this_process
from streamer.text import printable, redacted

LOOK_S = 0.5
"""How often the settings file is looked at, and whether the health file is due."""
HEALTH_NS = NS_PER_S * 9 // 10
"""How old the health file may be at a look: so it is written each second, not each second and a half."""
_WELL = frozenset({0, *map(exit_code_of, SIGNALS)})


class Supervised:
    """reloading: None where settings are read once, as by the verb render."""

    def __init__(self, resolved: Resolved, *, reloading: Reloading | None, clock: Clock | None = None) -> None:
        self._at_start = resolved
        self._reloading = reloading
        self._clock = clock or MonotonicClock()
        self._process = this_process()
        self._began_ns = self._clock.now_ns()
        self._started = _time_of_day()
        self._source = _safe(resolved.settings.source or "")
        self._manager = ServiceManager(os.environ)
        self._keeping: Attendant | None = None
        self._looking: Attendant | None = None
        self._file: HealthFile | None = None
        self._status = Status()
        self._begun = False
        self._news = threading.Event()
        self._written = ("", 0)
        self._last: Health | None = None

    @property
    def resolved(self) -> Resolved:
        """The settings as the run has them now."""
        return self._at_start if self._reloading is None else self._reloading.running

    @property
    def reloads(self) -> int:
        """How often new settings were taken over."""
        return 0 if self._reloading is None else self._reloading.count

    def open(self, *, inputs: Iterable[Path]) -> None:
        """Claim the health file, and begin to attend. Raises SinkOpenError."""
        settings = self._at_start.settings
        if settings.health is not None:
            self._file = HealthFile(settings.health, self._health(), force=settings.force, inputs=inputs)
            self._keeping = Attendant("health", self._keep, period_s=LOOK_S)
        if self._reloading is not None:
            period_s = LOOK_S if self._reloading.watches else None
            self._looking = Attendant("settings", self._reloading.look, period_s=period_s)

    def attach(self, parts: Parts) -> None:
        """The parts are open."""
        self._source = _safe(parts.source.info.name)
        if self._reloading is not None:
            self._reloading.attach(Retuning(parts), announce=self._manager)

    def ask_reload(self) -> None:
        """Settings are to be read again; from any thread, and without waiting."""
        if self._reloading is not None and self._looking is not None:
            self._reloading.ask()
            self._looking.wake()

    def tell(self, status: Status) -> None:
        """How the run goes; from the loop that supervises it, about four times a second."""
        changed = status.state != self._status.state
        self._status, self._begun = status, True
        self._news.set()
        if changed and self._keeping is not None:
            self._keeping.wake()
        now_ns = self._clock.now_ns()
        self._manager.tell(status, summed_up(status, total=None), now_ns=now_ns)

    def end(self, *, exit_code: int, error: str | None, report: Report | None) -> bool:
        """The run is over: say so everywhere. False where the disk hangs, and a thread was left behind with it."""
        self._manager.stopping(error or f"ended with exit code {exit_code}", well=exit_code in _WELL)
        looked = self._looking is None or self._looking.leave()
        if self._keeping is None:
            return looked
        state = "ended" if exit_code in _WELL else "failed"
        ledger = self._status.ledger if report is None else report.ledger
        status = replace(self._status, state=state, detail="", stalls="", ledger=ledger)
        last = {"exit_code": exit_code, "error": None if error is None else _safe(error)}
        self._last = self._health(status).model_copy(update=last)
        return self._keeping.leave() and looked

    def _keep(self) -> None:
        """Write the health file when it is due.

        While the loop that supervises the run says nothing new, nor does the file, which grows old.
        """
        if self._file is None:
            return
        if self._last is not None:
            self._file.write(self._last)
            return
        now_ns, (state, written_ns) = self._clock.now_ns(), self._written
        status = self._status
        due = status.state != state or now_ns - written_ns >= HEALTH_NS
        if due and (self._news.is_set() or not self._begun):
            self._news.clear()
            self._written = (status.state, now_ns)
            self._file.write(self._health(status))

    def _health(self, status: Status | None = None) -> Health:
        now_ns, status = self._clock.now_ns(), status or self._status
        return Health(
            kind=KIND,
            streamer=streamer.__version__,
            process=self._process,
            started=self._started,
            updated=_time_of_day(),
            updated_ns=now_ns,
            uptime_s=round((now_ns - self._began_ns) / NS_PER_S, 3),
            state=status.state,
            detail=_safe(status.detail),
            stalls=_safe(status.stalls),
            source=self._source,
            live=status.live,
            capture_fps=round(status.capture_fps, 2),
            detect_fps=round(status.detect_fps, 2),
            view_fps=round(status.view_fps, 2),
            latency_p95_ms=round(status.latency_p95_ms, 2),
            last_frame_age_s=None if status.frame_ns is None else round((now_ns - status.frame_ns) / NS_PER_S, 3),
            reconnects=status.ledger.reconnects,
            reloads=self.reloads,
            ledger=status.ledger,
        )


def _time_of_day() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _safe(text: str) -> str:
    return printable(redacted(text), limit=1000)
