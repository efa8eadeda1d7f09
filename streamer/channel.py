"""One bounded hand-over between two threads: every queue of streamer is this class.

Drops, back-pressure and shutdown are the same everywhere because they are here and nowhere else. A stage that leaves
closes the channel downstream (what waits there is still delivered) and aborts the one upstream (what waits there is
discarded, and the producer is told at its next `put`).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")


class Policy(Enum):
    """What `put` does when the channel is full."""

    BLOCK = "block"
    """Wait for room: nothing is lost."""
    LATEST = "latest"
    """Discard what has waited longest: the newest wins."""


class ChannelClosed(Exception):
    """Nothing more will come out of, or can go into, this channel."""


class ChannelEmpty(Exception):
    """Nothing came within the time given."""


class Channel(Generic[T]):
    """A bounded queue with one policy, bounded by items and, if told to, by bytes.

    capacity: the most items that wait; at least 1.
    size_of, max_bytes: how large an item is, and the most bytes that wait. One item larger than `max_bytes` still
    passes when nothing else waits, so a large frame is slow and not stuck.
    on_drop: called with each item that is discarded, by the thread that causes it, with no lock held.
    """

    def __init__(
        self,
        name: str,
        *,
        capacity: int,
        policy: Policy = Policy.BLOCK,
        size_of: Callable[[T], int] | None = None,
        max_bytes: int | None = None,
        on_drop: Callable[[T], None] | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"channel {name}: capacity must be at least 1, not {capacity}")
        self.name = name
        self.capacity = capacity
        self.policy = policy
        self._size_of = size_of
        self._max_bytes = max_bytes
        self._on_drop = on_drop
        self._items: deque[T] = deque()
        self._bytes = 0
        self._dropped = 0
        self._peak_depth = 0
        self._closed = False
        self._aborted = False
        self._changed = threading.Condition()

    def __repr__(self) -> str:
        state = "aborted" if self._aborted else "closed" if self._closed else "open"
        return f"Channel({self.name!r}, {self.policy.name}, {len(self._items)}/{self.capacity}, {state})"

    @property
    def depth(self) -> int:
        """Items that wait now."""
        return len(self._items)

    @property
    def peak_depth(self) -> int:
        """The most items that ever waited."""
        return self._peak_depth

    @property
    def dropped(self) -> int:
        """Items discarded so far."""
        return self._dropped

    def put(self, item: T) -> None:
        """Hand `item` over, waiting or discarding as the policy says; raises ChannelClosed if nobody will take it."""
        size_bytes = self._size(item)
        evicted: list[T] = []
        with self._changed:
            if self.policy is Policy.BLOCK:
                self._changed.wait_for(lambda: self._closed or self._aborted or self._has_room(size_bytes))
            if self._closed or self._aborted:
                raise ChannelClosed(self.name)
            while not self._has_room(size_bytes):
                evicted.append(self._pop())
            self._items.append(item)
            self._bytes += size_bytes
            self._dropped += len(evicted)
            self._peak_depth = max(self._peak_depth, len(self._items))
            self._changed.notify_all()
        self._report(evicted)

    def get(self, timeout_s: float | None = None) -> T:
        """The item that has waited longest.

        Raises ChannelClosed when the channel is closed and drained, or aborted; ChannelEmpty when `timeout_s` seconds
        passed first. 0 does not wait; None waits for as long as it takes.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._closed or self._aborted, timeout_s)
            if self._items:
                item = self._pop()
                self._changed.notify_all()
                return item
            if self._closed or self._aborted:
                raise ChannelClosed(self.name)
            raise ChannelEmpty(self.name)

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                item = self.get()
            except ChannelClosed:
                return
            yield item

    def close(self) -> None:
        """Take nothing more in; what waits is still delivered. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Take nothing more in and discard what waits. Idempotent."""
        with self._changed:
            self._aborted = True
            discarded = [self._pop() for _ in range(len(self._items))]
            self._dropped += len(discarded)
            self._changed.notify_all()
        self._report(discarded)

    def _size(self, item: T) -> int:
        return 0 if self._size_of is None else self._size_of(item)

    def _has_room(self, size_bytes: int) -> bool:
        if not self._items:
            return True
        if len(self._items) >= self.capacity:
            return False
        return self._max_bytes is None or self._bytes + size_bytes <= self._max_bytes

    def _pop(self) -> T:
        item = self._items.popleft()
        self._bytes -= self._size(item)
        return item

    def _report(self, discarded: list[T]) -> None:
        if self._on_drop is not None:
            for item in discarded:
                self._on_drop(item)
