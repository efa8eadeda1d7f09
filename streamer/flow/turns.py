"""Several threads that take from one place and hand on in the order in which they took."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from streamer.channel import ChannelClosed

T = TypeVar("T")


class Turns(Generic[T]):
    """Numbers what is taken, and lets each number hand on only when all before it have.

    take: gives the next items, waiting for them; none at the end. One thread at a time calls it.
    workers: how many threads there are, each known by its number from 0. Each holds what it took until its turn, so no
        more can wait than there are workers.
    """

    def __init__(self, take: Callable[[], list[T]], *, workers: int) -> None:
        self._take = take
        self._taking = threading.Lock()
        self._taken = 0
        self._changed = threading.Condition()
        self._handed_on = 0
        self._busy = set(range(workers))
        self._broken = False

    def taken_by(self, worker: int) -> Iterator[tuple[int, list[T]]]:
        """What this worker takes, each time with its turn, to the end; after that the worker has done its part."""
        while True:
            with self._taking:
                items = self._take()
                turn = self._taken
                self._taken += 1
            if not items:
                break
            yield turn, items
        with self._changed:
            self._busy.discard(worker)

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """Wait until everything before `number` was handed on; the next one's turn comes when the block has ended.

        Raises ChannelClosed when a worker left with work undone: the turn may never come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._broken or self._handed_on == number)
            if self._broken:
                raise ChannelClosed("a turn before this one was lost")
        yield
        with self._changed:
            self._handed_on += 1
            self._changed.notify_all()

    def leave(self, worker: int) -> bool:
        """The worker leaves; whether nothing more will be handed on, it being the last or leaving work undone.

        Idempotent.
        """
        with self._changed:
            self._broken |= worker in self._busy
            self._changed.notify_all()
            return self._broken or not self._busy
