"""Which packets of a live stream are decoded when more comes than can be: the newest wins over the smooth."""

from streamer.clock import NS_PER_S

FULL_NS = NS_PER_S
"""For so long no read has had to wait, or by so much the stream is later than it was: the picture grows old."""

WAITED_NS = 2_000_000
"""A read that took longer may have waited for the network: then everything that was there has been taken."""

SURELY_WAITED_NS = 6_000_000
"""A read that took longer has: Python itself makes a thread wait for 5 ms where others are busy."""

APART_NS = NS_PER_S // 5
"""While behind, pictures that stand alone are decoded this far apart."""


class Backlog:
    """Told of each read; says which packets to leave out. Belongs to the thread that reads.

    Packets are left out up to a key frame, never one of those that others are made from: no picture is torn by it.
    """

    def __init__(self) -> None:
        self._full_since_ns: int | None = None
        self._earliest_ns: int | None = None
        self._behind = False
        self._skipping = False
        self._decoded_ns = -APART_NS

    def read(self, *, waited_ns: int, now_ns: int, media_ns: int | None = None) -> None:
        """A read has returned at `now_ns`, after `waited_ns`. media_ns: the packet's own time, where it has one.

        A stream that is later than before, by its own time, is only late here if reading on makes up for it: its server
        may have paused. So the first read that surely waits ends being behind, however late it is.
        """
        if waited_ns > WAITED_NS:
            self._full_since_ns = None
        elif self._full_since_ns is None:
            self._full_since_ns = now_ns
        if waited_ns > SURELY_WAITED_NS and self._behind:
            self._behind, self._earliest_ns = False, None
        if self._is_full(now_ns) or self._is_late(now_ns, media_ns):
            self._behind = self._skipping = True

    def wants(self, *, is_key: bool, now_ns: int) -> bool:
        """Whether the packet that was read is to be decoded."""
        if not self._skipping:
            return True
        if not is_key or (self._behind and now_ns - self._decoded_ns < APART_NS):
            return False
        self._decoded_ns = now_ns
        self._skipping = self._behind
        return True

    def _is_full(self, now_ns: int) -> bool:
        return self._full_since_ns is not None and now_ns - self._full_since_ns > FULL_NS

    def _is_late(self, now_ns: int, media_ns: int | None) -> bool:
        if media_ns is None:
            return False
        arrived_ns = now_ns - media_ns
        if self._earliest_ns is None or arrived_ns < self._earliest_ns:
            self._earliest_ns = arrived_ns
        return arrived_ns - self._earliest_ns > FULL_NS
