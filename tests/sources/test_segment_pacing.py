"""When pictures of segments are due, with a clock that moves when somebody waits on it."""

import threading
from collections.abc import Iterable

from streamer.clock import FakeClock
from streamer.sources.segment_pacing import SegmentPacer


def _given(pictures: Iterable[tuple[float, float]]) -> list[float]:
    """When pictures are given that have these times and take so long to be read, all in seconds."""
    clock, given = FakeClock(), []
    began_ns = clock.now_ns()
    pacer = SegmentPacer(clock, threading.Event())
    for media_s, read_s in pictures:
        clock.advance(read_s)
        assert pacer.wait_until(media_s, read_s=read_s)
        given.append(round((clock.now_ns() - began_ns) / 1e9, 3))
    return given


def test_a_segment_is_given_at_its_own_speed() -> None:
    assert _given((100 + n / 4, 0.0) for n in range(5)) == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_times_that_leap_ahead_are_not_waited_for() -> None:
    given = _given((n / 4 + (36_000 if n >= 4 else 0), 0.0) for n in range(8))
    assert given == [0.0, 0.25, 0.5, 0.75, 0.75, 1.0, 1.25, 1.5]


def test_times_that_leap_back_begin_anew() -> None:
    assert _given([(500.0, 0.0), (500.5, 0.0), (3.0, 0.0), (3.5, 0.0)]) == [0.0, 0.5, 0.5, 1.0]


def test_what_a_server_held_up_is_made_up_for() -> None:
    # the read of the fifth takes 10 s, and the others nothing: what was to be seen meanwhile is there
    given = _given((n / 4, 10.0 if n == 4 else 0.0) for n in range(60))
    assert given[4:44] == [10.75] * 40
    assert given[44:] == [n / 4 for n in range(44, 60)]


def test_a_stream_that_is_itself_later_than_before_is_not_hurried_after_for_ever() -> None:
    # its encoder stood still for 10 s: from then on each segment of eight has to be waited for
    given = _given((n / 4, 10.0 if n == 8 else 2.0 if n > 8 and n % 8 == 0 else 0.0) for n in range(40))
    assert given[16:24] == [13.75 + n / 4 for n in range(8)]


def test_closing_ends_it() -> None:
    closing = threading.Event()
    pacer = SegmentPacer(FakeClock(), closing)
    assert pacer.wait_until(0.0, read_s=0.0)
    closing.set()
    assert not pacer.wait_until(1.0, read_s=0.0)
