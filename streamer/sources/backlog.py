"""Which packets of a live stream are decoded when more comes than can be: the newest wins over the smooth."""

from streamer.clock import NS_PER_S

FULL_NS = NS_PER_S
"""For so long no read has had to wait: then more is there than is decoded, and the picture grows old."""

WAITED_NS = 2_000_000
"""A read that took longer has waited for the network: everything that was there has been taken."""

APART_NS = NS_PER_S // 5
"""While behind, pictures that stand alone are decoded this far apart."""


class Backlog:
    """Told how long each read took; says which packets to leave out. Belongs to the thread that reads.

    Packets are left out up to a key frame, never one of those that others are made from: no picture is torn by it.
    """

    def __init__(self) -> None:
        self._full_since_ns: int | None = None
        self._behind = False
        self._skipping = False
        self._decoded_ns = -APART_NS

    @property
    def skipping(self) -> bool:
        """Whether packets are being left out."""
        return self._skipping

    def read(self, *, waited_ns: int, now_ns: int) -> None:
        """A read has returned at `now_ns`, after `waited_ns`."""
        if waited_ns > WAITED_NS:
            self._full_since_ns, self._behind = None, False
        elif self._full_since_ns is None:
            self._full_since_ns = now_ns
        elif now_ns - self._full_since_ns > FULL_NS:
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
