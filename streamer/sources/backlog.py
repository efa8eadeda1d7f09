"""Which packets of a live stream are decoded when more comes than can be: the newest wins over the smooth."""

from dataclasses import dataclass

from streamer.clock import NS_PER_S

FULL_NS = NS_PER_S
"""By so much later than it was the stream is late; for so long it is looked at before anything is left out."""

WAITED_NS = 2_000_000
"""A read that took longer may have waited for the network: then everything that was there has been taken."""

SURELY_WAITED_NS = 6_000_000
"""A read that took longer has: Python itself makes a thread wait for 5 ms where others are busy."""

WAITING_SHARE = 0.2
"""Who waits for so much of the time reads as fast as it comes."""

CATCHING_UP = 2.0
"""Seconds of the stream in each second: whoever reads so fast will soon be at its newest by itself."""

APART_NS = NS_PER_S // 5
"""While behind, pictures that stand alone are decoded this far apart."""


@dataclass(slots=True)
class _Look:
    """A time in which nothing had to be waited for, or the stream was late: since when, and what was read since."""

    began_ns: int
    began_media_ns: int | None
    waited_ns: int = 0

    def is_catching_up(self, now_ns: int, media_ns: int | None) -> bool:
        if media_ns is None or self.began_media_ns is None:
            return False
        return media_ns - self.began_media_ns >= CATCHING_UP * (now_ns - self.began_ns)


class Backlog:
    """Told of each read; says which packets to leave out. Belongs to the thread that reads.

    Packets are left out up to a key frame, never one of those that others are made from: no picture is torn by it.
    Key frames may be half a minute apart, so nothing is left out while reading on is quick enough.
    """

    def __init__(self) -> None:
        self._look: _Look | None = None
        self._earliest_ns: int | None = None
        self._behind = False
        self._skipping = False
        self._decoded_ns = -APART_NS

    def read(self, *, waited_ns: int, now_ns: int, media_ns: int | None = None) -> None:
        """A read has returned at `now_ns`, after `waited_ns`. media_ns: the packet's own time, where it has one."""
        if self._behind:
            if waited_ns <= SURELY_WAITED_NS:
                return
            self._behind, self._earliest_ns, self._look = False, None, None
        if not self._is_late(now_ns, media_ns) and waited_ns > WAITED_NS:
            self._look = None
        elif self._look is None:
            self._look = _Look(now_ns, media_ns)
        else:
            self._look.waited_ns += waited_ns
            if now_ns - self._look.began_ns > FULL_NS:
                self._judge(self._look, now_ns, media_ns)

    def wants(self, *, is_key: bool, now_ns: int) -> bool:
        """Whether the packet that was read is to be decoded."""
        if not self._skipping:
            return True
        if not is_key or (self._behind and now_ns - self._decoded_ns < APART_NS):
            return False
        self._decoded_ns = now_ns
        self._skipping = self._behind
        return True

    def _judge(self, look: _Look, now_ns: int, media_ns: int | None) -> None:
        self._look = None
        if look.waited_ns >= WAITING_SHARE * (now_ns - look.began_ns):
            self._earliest_ns = None  # it is its server that is later than before
        elif not look.is_catching_up(now_ns, media_ns):
            self._behind = self._skipping = True

    def _is_late(self, now_ns: int, media_ns: int | None) -> bool:
        if media_ns is None:
            return False
        arrived_ns = now_ns - media_ns
        if self._earliest_ns is None or arrived_ns < self._earliest_ns:
            self._earliest_ns = arrived_ns
        return arrived_ns - self._earliest_ns > FULL_NS
