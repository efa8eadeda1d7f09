"""How a run is going, on stderr: a bar with the time left for what has an end, one line for what has none, a line each
five seconds where there is no terminal, nothing where nothing was asked for.

It is told; it looks at nothing itself and starts no thread. Called by session.py.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from streamer.cli.logs import Outlet
from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.frame import Ledger, Status
from streamer.interfaces import SourceInfo

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

logger = logging.getLogger(__name__)

LINE_NS = 5 * NS_PER_S
"""How often a line is written where lines cannot be rewritten."""


class Progress(Protocol):
    """What is told how the run goes."""

    def update(self, status: Status) -> None:
        """The run as it is now; called about four times a second."""


class Silence:
    """Says nothing."""

    def update(self, status: Status) -> None:
        del status


class Lines:
    """A line each five seconds, through the log, so that it is JSON where the log is."""

    def __init__(self, *, total: int | None, clock: Clock) -> None:
        self._total = total
        self._clock = clock
        self._said_ns = clock.now_ns()

    def update(self, status: Status) -> None:
        now_ns = self._clock.now_ns()
        if now_ns - self._said_ns >= LINE_NS and status.state != "ended":
            self._said_ns = now_ns
            logger.info("%s", summed_up(status, total=self._total), extra={"fields": status_fields(status)})


class Rewritten:
    """A bar, or a line, that is rewritten in place."""

    def __init__(self, bar: "Bar", *, total: int | None) -> None:
        self._bar = bar
        self._total = total
        self._task = bar.add_task("", total=total, text="")

    def update(self, status: Status) -> None:
        text = summed_up(status, total=self._total)
        with suppress(OSError):  # a terminal that has gone must not end the run
            self._bar.update(self._task, completed=finished(status.ledger), text=text)
            self._bar.refresh()


@contextmanager
def open_progress(
    info: SourceInfo, *, live: bool, quiet: bool, as_json: bool, outlet: Outlet, clock: Clock | None = None
) -> Iterator[Progress]:
    """What suits the source and the terminal, until the block ends.

    While a bar is there, what is logged through `outlet` goes above it.
    """
    if quiet:
        yield Silence()
    elif as_json or sys.stderr is None or not sys.stderr.isatty():
        yield Lines(total=info.frame_count, clock=clock or MonotonicClock())
    else:
        with _rewritten(info.frame_count, live=live, outlet=outlet) as progress:
            yield progress


@contextmanager
def _rewritten(total: int | None, *, live: bool, outlet: Outlet) -> Iterator[Progress]:
    from rich.console import Console  # noqa: PLC0415 - dear, and for terminals only
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    console = Console(stderr=True, highlight=False, emoji=False)
    text = TextColumn("{task.fields[text]}", markup=False)
    columns = [text] if live and total is None else [BarColumn(bar_width=24), TimeRemainingColumn(), text]
    bar = Bar(*columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False)
    with bar, outlet.through(lambda line: console.print(line, markup=False, soft_wrap=True)):
        yield Rewritten(bar, total=total)


def summed_up(status: Status, *, total: int | None) -> str:
    """One line on how the run goes: frames, rates, latency, losses."""
    frames = f"{finished(status.ledger)}{f'/{total}' if total else ''} frames"
    parts = [frames, f"detect {status.detect_fps:.1f} fps", f"p95 {status.latency_p95_ms:.0f} ms"]
    if status.live:
        parts.insert(1, f"capture {status.capture_fps:.1f} fps")
    if status.ledger.dropped:
        parts.append(f"{status.ledger.dropped} dropped")
    if status.recording:
        parts.append("recording")
    if status.state != "running":
        parts.insert(0, f"{status.state}{f': {status.detail}' if status.detail else ''}")
    return " · ".join(parts)


def status_fields(status: Status) -> dict[str, object]:
    """The same for JSON."""
    return {
        "state": status.state,
        "detail": status.detail,
        "frames": finished(status.ledger),
        "capture_fps": round(status.capture_fps, 2),
        "detect_fps": round(status.detect_fps, 2),
        "view_fps": round(status.view_fps, 2),
        "latency_p95_ms": round(status.latency_p95_ms, 2),
        "dropped": status.ledger.dropped,
    }


def finished(ledger: Ledger) -> int:
    """Frames that the run is done with."""
    return ledger.produced - ledger.in_flight
