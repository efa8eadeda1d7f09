"""Packets of an open stream, one after another: how long each was waited for, and why there are no more."""

from collections.abc import Iterator

from streamer.clock import NS_PER_S, Clock
from streamer.errors import SourceError
from streamer.pyav import InputContainer, Packet, av
from streamer.sources.address import Address
from streamer.sources.network_faults import is_plain_end, nothing_came, why_lost
from streamer.sources.streams import knows_length
from streamer.sources.ways import Way

TIMED = frozenset({"mpegts", "rtsp", "flv", "hls"})
"""Formats whose packets have a time of the sender. Of motion JPEG it is made up, from a rate that it may not have."""


class Receiver:
    """Reads `container`, to which `way` led, and waits at most `patience_s` for a packet.

    waited_ns: how long the last read took. lost: why there are no more packets, where that is not the end.
    is_malformed: whether that is because of the form of what came.
    """

    def __init__(
        self, container: InputContainer, address: Address, way: Way, *, patience_s: float, clock: Clock
    ) -> None:
        self.waited_ns = 0
        self.lost: SourceError | None = None
        self.is_malformed = False
        self._container = container
        self._address = address
        self._way = way
        self._patience_s = patience_s
        self._clock = clock
        self._packets: Iterator[Packet] = container.demux()

    def next(self) -> Packet | None:
        """The next packet; None at the end, and where it is lost."""
        began_ns = self._clock.now_ns()
        packet = None
        try:
            packet = next(self._packets, None)
            failure = None
        except (av.FFmpegError, OSError) as error:
            failure = error
        self.waited_ns = self._clock.now_ns() - began_ns
        if self.waited_ns >= self._patience_s * NS_PER_S:
            # FFmpeg may give what its parser holds when its time is over, and would wait as long again.
            self.lost = nothing_came(self._address, self._patience_s)
            return None
        if failure is not None:
            known = self._way.reason(failure)
            self.is_malformed = isinstance(failure, av.InvalidDataError)
            if isinstance(known, SourceError) or not self._is_end(failure):
                self.lost = why_lost(failure, self._address, timeout_s=self._patience_s, failure=known)
        elif packet is None:
            self.lost = self._way.why_ended()
        return packet

    def media_ns(self, packet: Packet) -> int | None:
        """The time that its sender gave the packet; None where it has none."""
        if self._container.format.name not in TIMED or packet.dts is None or packet.time_base is None:
            return None
        return round(packet.dts * packet.time_base * NS_PER_S)

    def _is_end(self, failure: Exception) -> bool:
        """To FFmpeg, what has no length over HTTP never ends in the right place."""
        over_http = self._address.scheme in {"http", "https"}
        return over_http and is_plain_end(failure) and not knows_length(self._container)
