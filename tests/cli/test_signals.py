"""The first signal ends the run well, the second one at once; and nothing of it stays behind."""

import signal
import threading
from contextlib import suppress
from itertools import chain, repeat

import pytest

from streamer.cli.signals import SIGNALS, Interrupted, Signals, exit_code_of, leave_if_held

WAIT_S = 10.0

pytestmark = pytest.mark.usefixtures("heeded_hangup")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_before_the_run_the_first_signal_interrupts(signum: signal.Signals, code: int) -> None:
    with Signals() as signals:
        with pytest.raises(Interrupted):
            signal.raise_signal(signum)
        assert signals.exit_code == code


def test_during_the_run_the_first_signal_asks_it_to_stop() -> None:
    asked = threading.Event()
    with Signals() as signals:
        signals.hand_over(asked.set)
        assert signals.exit_code is None
        signal.raise_signal(signal.SIGTERM)
        assert asked.wait(WAIT_S)
        assert signals.exit_code == 143


def test_the_second_signal_leaves_at_once_with_its_code(capfd: pytest.CaptureFixture[str]) -> None:
    asked, left, codes = threading.Event(), threading.Event(), []

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    with Signals(leave=leave) as signals:
        signals.hand_over(asked.set)
        signal.raise_signal(signal.SIGINT)
        assert asked.wait(WAIT_S)
        assert codes == []
        signal.raise_signal(signal.SIGTERM)
        assert left.wait(WAIT_S)
    assert codes == [143]
    assert capfd.readouterr().err.startswith("streamer: stopped at once")


def test_the_echo_of_the_first_signal_is_no_second_one() -> None:
    asked, left = threading.Event(), threading.Event()
    heard_s: list[float] = []
    times_s = chain((10.0, 10.09), repeat(10.11))

    def now_s() -> float:
        heard_s.append(next(times_s))
        return heard_s[-1]

    with Signals(leave=lambda _code: left.set(), now_s=now_s) as signals:
        signals.hand_over(asked.set)
        signal.raise_signal(signal.SIGINT)
        assert asked.wait(WAIT_S)
        while not left.wait(0.01):
            signal.raise_signal(signal.SIGINT)
    assert heard_s[:3] == [10.0, 10.09, 10.11]


def test_a_signal_that_came_before_the_hand_over_is_not_lost() -> None:
    asked = threading.Event()
    with Signals() as signals:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
        signals.hand_over(asked.set)
        assert asked.wait(WAIT_S)


@pytest.mark.parametrize("terminals", [[False], [True, True, True]], ids=["without a terminal", "on a terminal"])
def test_a_hangup_that_no_lost_terminal_explains_asks_for_a_reload_as_often_as_it_comes(terminals: list[bool]) -> None:
    asked = threading.Semaphore(0)
    answers = chain(terminals, repeat(terminals[-1]))
    with Signals(reloads=True, leave=_never, has_terminal=lambda: next(answers)) as signals:
        signals.hand_over(lambda: pytest.fail("stopped"), reload=asked.release)
        for _ in range(3):
            signal.raise_signal(signal.SIGHUP)
            assert asked.acquire(timeout=WAIT_S)
        assert signals.exit_code is None


def test_a_hangup_that_took_the_terminal_ends_the_run() -> None:
    asked = threading.Event()
    answers = chain((True,), repeat(None))
    with Signals(reloads=True, has_terminal=lambda: bool(next(answers))) as signals:
        signals.hand_over(asked.set, reload=lambda: pytest.fail("reloaded"))
        signal.raise_signal(signal.SIGHUP)
        assert asked.wait(WAIT_S)
        assert signals.exit_code == 129


def test_a_reload_that_was_asked_for_before_the_run_is_not_lost_and_interrupts_nothing() -> None:
    asked = threading.Event()
    with Signals(reloads=True, has_terminal=lambda: False) as signals:
        signal.raise_signal(signal.SIGHUP)
        signals.hand_over(lambda: pytest.fail("stopped"), reload=asked.set)
        assert asked.wait(WAIT_S)
        assert signals.exit_code is None


def test_after_a_reload_the_first_signal_still_ends_it_well() -> None:
    asked, stopped = threading.Event(), threading.Event()
    with Signals(reloads=True, leave=_never, has_terminal=lambda: False) as signals:
        signals.hand_over(stopped.set, reload=asked.set)
        signal.raise_signal(signal.SIGHUP)
        assert asked.wait(WAIT_S)
        signal.raise_signal(signal.SIGTERM)
        assert stopped.wait(WAIT_S)
        assert signals.exit_code == 143


def test_where_nothing_reloads_a_hangup_ends_it() -> None:
    with Signals() as signals:
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGHUP)
        assert signals.exit_code == 129


def _never(code: int) -> None:
    pytest.fail(f"left at once with {code}")


def test_handlers_and_wake_up_file_are_put_back() -> None:
    before = [signal.getsignal(signum) for signum in SIGNALS]
    with Signals():
        assert [signal.getsignal(signum) for signum in SIGNALS] != before
    assert [signal.getsignal(signum) for signum in SIGNALS] == before
    found = signal.set_wakeup_fd(-1)
    assert found == -1


def test_exit_codes_are_those_of_shells() -> None:
    assert [exit_code_of(signum) for signum in SIGNALS] == [130, 143, 129]


def _signals_at_a_main_thread(*, reached: bool) -> list[int]:
    """The codes with which a process leaves whose main thread does, or does not, hear of the first signal."""
    left: list[int] = []
    gone = threading.Event()

    def leave(code: int) -> None:
        left.append(code)
        gone.set()

    with Signals(patience_s=0.3, leave=leave):
        if not reached:
            signal.signal(signal.SIGINT, lambda *_: None)  # as in a driver: the handler does not run
        with suppress(Interrupted):
            signal.raise_signal(signal.SIGINT)
        gone.wait(1.0 if reached else WAIT_S)
    return left


def test_where_the_first_signal_does_not_come_through_the_process_is_left() -> None:
    assert _signals_at_a_main_thread(reached=False) == [130]


def test_where_it_comes_through_what_is_open_is_closed_in_peace() -> None:
    assert _signals_at_a_main_thread(reached=True) == []


def test_a_thread_that_lives_on_is_left_behind_and_no_other() -> None:
    over = threading.Event()
    left: list[int] = []
    held = threading.Thread(target=over.wait, name="streamer-network")
    held.start()
    leave_if_held(3, name="other-", leave=left.append)
    assert left == []
    leave_if_held(3, name="streamer-", leave=left.append)
    over.set()
    held.join()
    assert left == [3]
