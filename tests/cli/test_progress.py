"""How a run is told while it goes on."""

import io
import json
import logging
import sys

import pytest

from streamer.cli.logs import Outlet, logging_to
from streamer.cli.progress import open_progress
from streamer.clock import FakeClock
from streamer.frame import Ledger, Status
from streamer.interfaces import SourceInfo

FILE = SourceInfo("clip.mp4", frame_count=100)


def status(done: int, **changes: object) -> Status:
    values = {"state": "running", "detect_fps": 12.0, "latency_p95_ms": 80.0}
    ledger = Ledger(produced=done + 2, inferred=done, in_flight=2)
    return Status(ledger=ledger, **(values | changes))  # type: ignore[arg-type]


class Screen(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_there_is_a_line_each_five_seconds() -> None:
    lines: list[str] = []
    clock, outlet = FakeClock(), Outlet()
    with (
        logging_to(lines.append, level=logging.INFO, as_json=False),
        open_progress(FILE, live=False, quiet=False, as_json=False, outlet=outlet, clock=clock) as progress,
    ):
        for done in range(0, 100, 5):
            progress.update(status(done))
            clock.advance(1.0)
        progress.update(status(100, state="ended"))
    assert len(lines) == 3
    assert lines[0] == "streamer: 25/100 frames · detect 12.0 fps · p95 80 ms"


def test_json_lines_carry_the_figures() -> None:
    lines: list[str] = []
    clock = FakeClock()
    with (
        logging_to(lines.append, level=logging.INFO, as_json=True),
        open_progress(FILE, live=False, quiet=False, as_json=True, outlet=Outlet(), clock=clock) as progress,
    ):
        clock.advance(5.0)
        progress.update(status(7, capture_fps=30.0))
    fields = json.loads(lines[0])
    assert (fields["frames"], fields["capture_fps"], fields["detect_fps"], fields["state"]) == (
        7,
        30.0,
        12.0,
        "running",
    )


def test_quiet_is_silent() -> None:
    lines: list[str] = []
    clock = FakeClock()
    with (
        logging_to(lines.append, level=logging.DEBUG, as_json=False),
        open_progress(FILE, live=False, quiet=True, as_json=False, outlet=Outlet(), clock=clock) as progress,
    ):
        clock.advance(60.0)
        progress.update(status(1))
    assert lines == []


@pytest.mark.parametrize(("info", "live", "said"), [(FILE, False, "0:0"), (SourceInfo("0"), True, "capture 30.0 fps")])
def test_on_a_terminal_it_is_rewritten_and_the_log_goes_above_it(
    info: SourceInfo, *, live: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    outlet = Outlet()
    with open_progress(info, live=live, quiet=False, as_json=False, outlet=outlet) as progress:
        progress.update(status(50, live=live, capture_fps=30.0, recording=True))
        outlet("streamer: [bold]hello[/bold]")
        progress.update(status(60, live=live, capture_fps=30.0))
    shown = screen.getvalue()
    assert "detect 12.0 fps" in shown
    assert said in shown
    assert "recording" in shown
    assert "streamer: [bold]hello[/bold]" in shown
    assert shown.count("\x1b[2K") >= 2


def test_what_is_unusual_is_said() -> None:
    lines: list[str] = []
    clock = FakeClock()
    with (
        logging_to(lines.append, level=logging.INFO, as_json=False),
        open_progress(SourceInfo("0"), live=True, quiet=False, as_json=False, outlet=Outlet(), clock=clock) as progress,
    ):
        clock.advance(5.0)
        dropped = Ledger(produced=9, carried=4, dropped=5)
        progress.update(Status(state="stalled", detail="inference hangs", live=True, ledger=dropped))
    assert "stalled: inference hangs" in lines[0]
    assert "5 dropped" in lines[0]
