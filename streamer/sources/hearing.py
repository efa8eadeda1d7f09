"""The sound of a live container, put on its line as it is read. Connection has one where there is sound."""

from fractions import Fraction

from streamer.clock import NS_PER_S
from streamer.pyav import AudioStream, Packet, VideoFrame
from streamer.sound import SoundFormat, SoundLine


class Ear:
    """Hears one track."""

    def __init__(self, stream: AudioStream) -> None:
        context = stream.codec_context
        self.line = SoundLine(
            SoundFormat(context.codec.name, context.sample_rate, context.layout.name, context.extradata)
        )
        self._index = stream.index

    def hear(self, packet: Packet) -> None:
        """A packet of the container has come; if it is of this track, it is kept."""
        time_ns = media_ns(packet.pts, packet.time_base)
        if packet.stream_index == self._index and packet.size and time_ns is not None:
            self.line.add(bytes(packet), time_ns)

    def shown(self, frame: VideoFrame, *, captured_ns: int) -> None:
        """A frame of the container was captured."""
        time_ns = media_ns(frame.pts, frame.time_base)
        if time_ns is not None:
            self.line.shown(media_ns=time_ns, captured_ns=captured_ns)


def media_ns(ticks: int | None, time_base: Fraction | None) -> int | None:
    """A time of a container; None where it has none."""
    return None if ticks is None or not time_base else round(ticks * time_base * NS_PER_S)
