"""Ctrl-C, SIGTERM and a closed terminal: the first signal ends the run well, the second one ends it at once.

SIGHUP has two meanings: the terminal has gone, or, as services know it, settings are to be read again. It is the first
where there was a terminal at the start and there is none now; see `terminal_opens`.

A thread hears of signals through the interpreter's wake-up file, because the main thread may stand in a driver or a
library for seconds, and Python's own handlers run on the main thread only. Called by the verbs that run something.
"""

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

logger = logging.getLogger(__name__)

SIGINT_EXIT = 130

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, a polite request, and a terminal that was closed; Windows has no SIGHUP."""

GOODBYE = b"streamer: stopped at once; what was being written may be incomplete\n"


class Interrupted(BaseException):
    """A signal came before there was a run to stop.

    Not KeyboardInterrupt: the interpreter remembers one that passed through code which it executes from a string, as
    imports do, and then ends the process by SIGINT whatever exit code was asked for.
    """


def exit_code_of(signum: int) -> int:
    """What a shell expects of a program that a signal ended: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + signum


def leave_now(code: int) -> None:
    """End the process here, from any thread, without waiting for anything."""
    os._exit(code)


PATIENCE_S = 5.0
"""What opens has so long to notice that it is no longer wanted."""

LINGER_S = 0.5


def leave_if_held(code: int, *, name: str, leave: Callable[[int], None] = leave_now) -> None:
    """Leave by `leave` where threads called `name...` live on, for which the interpreter would wait at its end.

    FFmpeg may stand in a look-up of a name, which nothing ends.
    """
    deadline_s = time.monotonic() + LINGER_S
    for thread in threading.enumerate():
        if thread.name.startswith(name) and not thread.daemon:
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                logger.debug("%s is left behind", thread.name)
                leave(code)
                return


ECHO_S = 0.1
"""What comes again so soon after the first is the same signal: `timeout` sends it to its child and to their group."""


class Signals:
    """Listens from `with` to its end; on the main thread only.

    Until something is handed over, the first signal raises Interrupted on the main thread; afterwards it calls what was
    handed over, from the listening thread. The second one calls `leave` with the exit code. Nothing here writes where
    it could be held up: whoever presses Ctrl-C may have stopped the terminal first.

    patience_s: where the main thread stands in a driver that opens, Interrupted does not come through to it; if it has
    not so long after the first signal, and nothing was handed over, `leave` is called. None waits for ever.
    reloads: a SIGHUP that no lost terminal explains asks for the settings to be read again, as often as it comes; it
    ends nothing, and one from before `hand_over` is not lost. Else every SIGHUP ends the run.
    has_terminal: tells whether there is a terminal now.
    """

    def __init__(
        self,
        *,
        reloads: bool = False,
        patience_s: float | None = None,
        leave: Callable[[int], None] = leave_now,
        now_s: Callable[[], float] = time.monotonic,
        has_terminal: Callable[[], bool] | None = None,
    ) -> None:
        self._reloads = reloads
        self._has_terminal = has_terminal or terminal_opens
        self._had_terminal = reloads and self._has_terminal()
        self._reload: Callable[[], None] | None = None
        self._reload_asked = False
        self._patience_s = patience_s
        self._now_s = now_s
        self.received: int | None = None
        self._leave = leave
        self._came_through = False
        self._stop: Callable[[], None] | None = None
        self._lock = threading.Lock()

    @property
    def exit_code(self) -> int | None:
        """130, 143 or 129 once a signal has come, else None."""
        return None if self.received is None else exit_code_of(self.received)

    def hand_over(self, stop: Callable[[], None], *, reload: Callable[[], None] | None = None) -> None:
        """From now on a signal calls `stop`, or `reload`; at once, if one came already. Neither may wait."""
        with self._lock:
            self._stop, self._reload = stop, reload
            late, reload_asked = self.received is not None, self._reload_asked
        if late:
            stop()
        elif reload_asked and reload is not None:
            reload()

    def __enter__(self) -> Self:
        self._ear, self._mouth = socket.socketpair()
        self._mouth.settimeout(0)
        self._wakeup_before = signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._interrupt) for number in SIGNALS if _heeded(number)}
        self._thread = threading.Thread(target=self._listen, name="signals")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._mouth.close()
        self._thread.join()
        self._ear.close()

    def _interrupt(self, signum: int, _frame: FrameType | None) -> None:
        if self._stop is None and not self._asks_for_reload(signum):
            self.received = self.received or signum
            self._came_through = True
            raise Interrupted

    def _listen(self) -> None:
        first: tuple[int, float] | None = None
        while data := self._heard():
            now_s = self._now_s()
            for signum in data:
                if signum in self._before and self._asks_for_reload(signum):
                    self._obey_reload()
                    continue
                if signum not in self._before or (first and first[0] == signum and now_s - first[1] < ECHO_S):
                    continue
                self._obey(signum, first=first is None)
                first = first or (signum, now_s)
                if self._stop is None:
                    self._ear.settimeout(self._patience_s)

    def _heard(self) -> bytes:
        """The signals that came; none at the end. Leaves where the first one had no effect."""
        try:
            return self._ear.recv(16)
        except TimeoutError:
            self._ear.settimeout(None)
        if self._stop is None and not self._came_through:
            _say_goodbye()
            self._leave(self.exit_code or SIGINT_EXIT)
        return self._heard()

    def _asks_for_reload(self, signum: int) -> bool:
        """Not when the terminal has gone: that is what SIGHUP was made for."""
        is_hangup = self._reloads and signum == getattr(signal, "SIGHUP", None)
        return is_hangup and not (self._had_terminal and not self._has_terminal())

    def _obey_reload(self) -> None:
        with self._lock:
            self._reload_asked, reload = True, self._reload
        if reload is not None:
            reload()

    def _obey(self, signum: int, *, first: bool) -> None:
        with self._lock:
            self.received = self.received or signum
            stop = self._stop
        if not first:
            _say_goodbye()
            self._leave(exit_code_of(signum))
        elif stop is not None:
            stop()


def terminal_opens() -> bool:
    """Whether this process has a controlling terminal; a hang-up takes it from every process of its session."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except (OSError, AttributeError):  # Windows has no such flags, and no SIGHUP
        return False
    return True


def _heeded(signum: int) -> bool:
    """Not SIGHUP under nohup. An ignored SIGINT is heeded: shells ignore it for all that they start with `&`."""
    return signum in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(signum) is not signal.SIG_IGN


def _say_goodbye() -> None:
    try:
        _, writable, _ = select.select([], [2], [], 0)
        if writable:
            os.write(2, GOODBYE)
    except (OSError, ValueError):
        return  # stderr is closed: there is nobody to tell
