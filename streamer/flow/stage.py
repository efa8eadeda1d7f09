"""One thread of the pipeline, watched: what it is doing, since when, and how it ended."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from streamer.channel import ChannelClosed
from streamer.clock import Clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """Something that a stage has begun and not finished: `doing` since `since_ns`."""

    doing: str
    since_ns: int


class Stage:
    """A thread that runs `body` once, then `leave`, and keeps what it raised.

    leave: closes the channels downstream and aborts those upstream. It runs however the body ended, so that no
        neighbour waits for this stage; it may be called again, from another thread, when the stage hangs.
    abandon: told, with the seconds waited, that the stage hangs and is left behind.
    expendable: it may be left behind while the run goes on, and not only when somebody wants to leave.
    patience_ns: its work may take this long before it is called a stall.

    While the body works on something that may hang it says so with `busy`; waiting for a channel is not work. A channel
    that is closed under it is its ordinary end.
    """

    def __init__(
        self,
        name: str,
        body: Callable[["Stage"], None],
        *,
        leave: Callable[[], None],
        clock: Clock,
        abandon: Callable[[float], None] = lambda _waited_s: None,
        expendable: bool = False,
        patience_ns: int = 0,
    ) -> None:
        self.name = name
        self.leave = leave
        self.abandon = abandon
        self.expendable = expendable
        self.patience_ns = patience_ns
        self.error: BaseException | None = None
        self.work: Work | None = None
        self._body = body
        self._clock = clock
        self._on_exit: Callable[[Stage], None] | None = None
        self._thread = threading.Thread(target=self._run, name=f"streamer-{name}")

    def start(self, on_exit: Callable[["Stage"], None]) -> None:
        """Begin; `on_exit` is called on the thread as its last act."""
        self._on_exit = on_exit
        self._thread.start()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Mark work that is expected to end soon."""
        self.work = Work(doing, self._clock.now_ns())
        try:
            yield
        finally:
            self.work = None

    def _run(self) -> None:
        try:
            self._body(self)
        except ChannelClosed:
            logger.debug("%s: its neighbour left", self.name)
        except BaseException as error:  # noqa: BLE001 - kept, and raised again where the pipeline was started
            self.error = error
        finally:
            self._depart()

    def _depart(self) -> None:
        try:
            self.leave()
        except BaseException as error:  # noqa: BLE001 - as above; an earlier one is the cause
            self.error = self.error or error
        finally:
            if self._on_exit is not None:
                self._on_exit(self)
