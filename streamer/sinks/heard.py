"""The sound of a live stream, beside the recording of its drawn frames: encoded, without a hole, in step with them.

It is never copied: what was lost on the way becomes silence, and what the two clocks differ by is taken out where it is
more than HEARD_S. sound.py does it for files.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from streamer.clock import NS_PER_S
from streamer.pyav import AudioCodecContext, AudioFrame, AudioResampler, OutputContainer, Packet, av
from streamer.sinks.containers import Container
from streamer.sinks.sound import add_encoder
from streamer.sound import KEPT_NS, SoundLine, SoundPacket

logger = logging.getLogger(__name__)

Samples = NDArray[np.float32]
"""(channels, samples)."""

HEARD_S = 0.04
"""By no less is sound moved: lips are out of step for people from about three times that on."""

LATE_S = 0.2
"""What has not come so long after its frame is silence. A container waits for its sound, and with it its frames."""

LATEST_S = 2.0
"""The same of a sender who sends sound so much later than its frames, as those do that send pictures ahead of time."""

_LEAST_RATE = 16_000
"""A packet of AAC has 1024 samples; at the 8 kHz of telephones it would hold back its frames for 0.13 s."""

_FAR_S = KEPT_NS / NS_PER_S
"""What is to be heard so much later has a wrong time."""

_EARLY_S = 0.2
"""A decoder finds its way into the sound by what was before."""


@dataclass(frozen=True, slots=True)
class Listening:
    """What a recording hears. zero_ns: when it begins, on the clock of `Frame.captured_ns`."""

    line: SoundLine
    zero_ns: int


class HeardSound:
    """What comes on `listening.line`, as a stream of `target`.

    Raises av.FFmpegError or ValueError where nobody here can decode or encode it.
    """

    def __init__(self, listening: Listening, target: OutputContainer, container: Container) -> None:
        form = listening.line.format
        self._line = listening.line
        self._zero_ns = listening.zero_ns
        self._decoder = _decoder_of(listening.line)
        self._target = add_encoder(target, container, rate=max(form.rate, _LEAST_RATE), layout=form.layout)
        self._rate = self._target.codec_context.sample_rate
        self._layout = self._target.codec_context.layout.name
        self._resampler = AudioResampler("fltp", self._layout, self._rate)
        self._read = -1
        self._written = 0
        self._late_s = 0.0
        self._damaged = 0
        logger.info("the sound (%s) is encoded: %s", form.codec, self._target.codec_context.codec.canonical_name)

    def until(self, time_s: float) -> Iterator[Packet]:
        """Packets of all sound that begins before `time_s` of the recording; silence where none has come for long."""
        newest_s: float | None = None
        for packet in self._line.behind(self._read):
            heard_ns = self._line.heard_ns(packet.media_ns)
            if heard_ns is None or time_s <= (at_s := (heard_ns - self._zero_ns) / NS_PER_S) < time_s + _FAR_S:
                break
            self._read = packet.number
            if -_EARLY_S < at_s < time_s:
                newest_s = at_s
                yield from self._placed(packet, at_s)
        if newest_s is not None:
            self._late_s = min(time_s - newest_s, LATEST_S)
        yield from self._silence(round((time_s - LATE_S - self._late_s) * self._rate) - self._written)

    def rest(self, end_s: float) -> Iterator[Packet]:
        """The last packets: up to `end_s`, where the last frame ends."""
        yield from self.until(end_s)
        if self._written:
            yield from self._target.encode(None)
        if self._damaged:
            logger.warning("%d packets of sound are damaged: silence stands for them", self._damaged)

    def close(self) -> None:
        """There is nothing to let go."""

    def _placed(self, packet: SoundPacket, at_s: float) -> Iterator[Packet]:
        """The samples of a packet where they belong: behind silence, or less what was heard already."""
        samples = self._samples(packet)
        if samples is None:
            return
        apart = round(at_s * self._rate) - self._written
        if self._written and abs(apart) <= HEARD_S * self._rate:
            apart = 0
        yield from self._silence(apart)
        yield from self._encoded(samples[:, max(0, -apart) :])

    def _samples(self, packet: SoundPacket) -> Samples | None:
        """(channels, samples) at the rate of the recording; None where the packet cannot be decoded, or holds none."""
        try:
            heard = self._decoder.decode(Packet(packet.data))
            parts = [made.to_ndarray() for frame in heard for made in self._resampler.resample(frame)]
        except (av.FFmpegError, ValueError) as error:
            logger.debug("sound cannot be decoded: %s", error)
            self._damaged += 1
            return None
        return np.concatenate(parts, axis=1) if parts else None

    def _silence(self, length: int) -> Iterator[Packet]:
        channels = len(self._target.codec_context.layout.channels)
        while length > 0:
            part = min(length, self._rate)
            yield from self._encoded(np.zeros((channels, part), np.float32))
            length -= part

    def _encoded(self, samples: Samples) -> Iterator[Packet]:
        if not samples.shape[1]:
            return
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=self._layout)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._written
        self._written += samples.shape[1]
        yield from self._target.encode(frame)


def _decoder_of(line: SoundLine) -> AudioCodecContext:
    form = line.format
    decoder = av.CodecContext.create(form.codec, "r")
    assert isinstance(decoder, AudioCodecContext)
    if form.extradata:
        decoder.extradata = form.extradata
    decoder.sample_rate, decoder.layout = form.rate, form.layout
    return decoder
