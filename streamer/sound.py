"""The sound of a live stream, on its way beside the frames: packets as they came, and a clock to place them by.

A connection puts in what it reads, and never waits; a recording takes what belongs to its frames. It decodes nothing.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

from streamer.clock import NS_PER_S

KEPT_NS = 30 * NS_PER_S
"""How much sound is kept for recordings that begin later than it, or are behind."""

KEPT_BYTES = 8 * 1024 * 1024

_BUCKET_NS = NS_PER_S // 4
_BUCKETS = 40
"""The delay of the last ten seconds counts."""

_LEAP_NS = NS_PER_S // 2
"""A delay that differs by more says that the sender's time began anew."""


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """What a decoder must know. codec: FFmpeg's name. layout: of the channels, `stereo`."""

    codec: str
    rate: int
    layout: str
    extradata: bytes | None


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """media_ns: when it begins, by the sender's time, which frames have too. number: counts the packets from 0."""

    data: bytes
    media_ns: int
    number: int


class SoundLine:
    """The sound of one connection, from any thread: the last KEPT_NS of it, and KEPT_BYTES at most.

    Frames are shown when they came, so sound is heard as much later than it was sent as frames are shown: `shown` is
    told of each. That delay jitters, and grows or shrinks with the clock of the sender; what is used is the median of
    the last ten seconds, of the least of each quarter of a second, so that what came in a burst does not count.
    """

    def __init__(self, form: SoundFormat) -> None:
        self.format = form
        self._lock = threading.Lock()
        self._packets: deque[SoundPacket] = deque()
        self._bytes = 0
        self._number = 0
        self._buckets: deque[tuple[int, int]] = deque(maxlen=_BUCKETS)
        self._delay_ns: int | None = None

    def add(self, data: bytes, media_ns: int) -> None:
        """A packet has come. What is too old goes."""
        with self._lock:
            self._packets.append(SoundPacket(data, media_ns, self._number))
            self._number += 1
            self._bytes += len(data)
            while self._bytes > KEPT_BYTES or abs(media_ns - self._packets[0].media_ns) > KEPT_NS:
                self._bytes -= len(self._packets.popleft().data)

    def shown(self, *, media_ns: int, captured_ns: int) -> None:
        """A frame of this sender's time was captured."""
        delay_ns, bucket = captured_ns - media_ns, captured_ns // _BUCKET_NS
        with self._lock:
            if self._buckets and self._buckets[-1][0] == bucket:
                delay_ns = min(delay_ns, self._buckets.pop()[1])
            elif self._delay_ns is not None and self._leapt():
                newest = self._buckets.pop()
                self._buckets.clear()
                self._buckets.append(newest)
            self._buckets.append((bucket, delay_ns))
            self._delay_ns = round(median(delay for _, delay in self._buckets))

    def behind(self, number: int) -> Sequence[SoundPacket]:
        """The packets that are kept behind the one of this number, in the order in which they came."""
        with self._lock:
            if not self._packets:
                return ()
            skipped = max(0, number + 1 - self._packets[0].number)
            return list(islice(self._packets, skipped, None))

    def heard_ns(self, media_ns: int) -> int | None:
        """When that is heard, on the clock of `Frame.captured_ns`; None before the first frame."""
        delay_ns = self._delay_ns
        return None if delay_ns is None else media_ns + delay_ns

    def _leapt(self) -> bool:
        """Whether the newest whole quarter of a second has another delay than all before."""
        return self._delay_ns is not None and abs(self._buckets[-1][1] - self._delay_ns) > _LEAP_NS
