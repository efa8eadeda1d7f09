"""Times on the wall are as even as the capture was, and follow a clock that is set."""

import re
import time

import pytest

from streamer.clock import NS_PER_MS, NS_PER_S
from streamer.sinks.tables import WallClock

NOON_NS = 1_738_324_800 * NS_PER_S


class Clocks:
    """A wall and a monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.wall_ns, self.monotonic_ns = NOON_NS, 7 * NS_PER_S

    def wall_clock(self) -> WallClock:
        return WallClock(wall_ns=lambda: self.wall_ns, monotonic_ns=lambda: self.monotonic_ns)

    def advance(self, ns: int) -> None:
        self.wall_ns += ns
        self.monotonic_ns += ns


def test_a_time_is_that_of_the_capture_not_of_the_row() -> None:
    clocks = Clocks()
    wall = clocks.wall_clock()
    captured_ns = clocks.monotonic_ns
    clocks.advance(3 * NS_PER_S)
    assert wall.at(captured_ns) == "2025-01-31T12:00:00.000Z"
    assert wall.at(captured_ns + 1_499_600_000) == "2025-01-31T12:00:01.500Z"


def test_small_differences_between_the_clocks_move_nothing() -> None:
    clocks = Clocks()
    wall = clocks.wall_clock()
    for noise_ms in (40, -40, 400, -400):
        clocks.wall_ns += noise_ms * NS_PER_MS
        assert wall.at(7 * NS_PER_S) == "2025-01-31T12:00:00.000Z"
        clocks.wall_ns -= noise_ms * NS_PER_MS


@pytest.mark.parametrize("jump_s", [3600, -3600, 1])
def test_a_clock_that_is_set_is_followed_and_said_once(jump_s: int, caplog: pytest.LogCaptureFixture) -> None:
    clocks = Clocks()
    wall = clocks.wall_clock()
    before = wall.at(clocks.monotonic_ns)
    clocks.wall_ns += jump_s * NS_PER_S
    after = wall.at(clocks.monotonic_ns)
    assert wall.at(clocks.monotonic_ns) == after
    assert before == "2025-01-31T12:00:00.000Z"
    assert after == {3600: "2025-01-31T13:00:00.000Z", -3600: "2025-01-31T11:00:00.000Z"}.get(
        jump_s, "2025-01-31T12:00:01.000Z"
    )
    assert [record.getMessage() for record in caplog.records] == [
        f"the wall clock was set by {jump_s:+.1f} s: wall times follow it from here on"
    ]


def test_the_machines_own_clocks_give_the_time_of_now() -> None:
    shown = WallClock().at(time.monotonic_ns())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown)
    assert shown[:13] in {time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() + late_s)) for late_s in (-5, 0)}
