"""One track of sound on its way from a file into a recording: copied as it is, or decoded and encoded.

sound.py reads the file and asks for the packets.
"""

import logging
import math
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from streamer.pyav import AudioFrame, AudioStream, Packet, av

logger = logging.getLogger(__name__)

Samples = NDArray[np.float32]
"""Or of whatever type a frame has: PyAV looks."""

_EARLY_S = 0.2
"""AAC leans on the packet before, of 0.128 s at 8 kHz, and files begin with one that holds nothing else."""

_GAP_S = 0.05
"""Sound that comes later than this after what was before has a hole, and silence goes there."""

_LONGEST_GAP_S = 3600.0
"""A longer hole is a wrong timestamp."""


class Track:
    """What both kinds have in common. Times are seconds of the recording."""

    def __init__(self, source: AudioStream, target: AudioStream) -> None:
        self.source = source
        self.target = target
        self.read_s = float("-inf")
        """Up to where packets were read."""
        self._earliest_s = float("-inf")
        self._waiting: deque[tuple[float, Packet]] = deque()
        self._damaged = 0

    def add(self, packet: Packet, time_s: float) -> None:
        """A packet of the file, which says that it begins at `time_s`.

        One that begins before half of the packet before is over, or an hour after it, is put behind that instead.
        """
        length_s = float((packet.duration or 0) * (packet.time_base or 0))
        if math.isfinite(self.read_s) and not self._earliest_s <= time_s < self.read_s + _LONGEST_GAP_S:
            time_s = self.read_s
        self.read_s = time_s + length_s
        self._earliest_s = time_s + length_s / 2
        if self._wanted(time_s, length_s):
            self._waiting.append((time_s, packet))

    def until(self, time_s: float) -> Iterator[Packet]:
        """Packets for the recording, of all sound that begins before `time_s`; what is damaged is left out."""
        while self._waiting and self._waiting[0][0] < time_s:
            began_s, packet = self._waiting.popleft()
            yield from self._given(packet, began_s)

    def flush(self) -> Iterator[Packet]:
        """The last packets."""
        if self._damaged:
            logger.warning("%d packets of sound are damaged and left out", self._damaged)
        yield from ()

    def _wanted(self, time_s: float, length_s: float) -> bool:
        raise NotImplementedError

    def _given(self, packet: Packet, began_s: float) -> Iterator[Packet]:
        raise NotImplementedError

    def _heard(self, packet: Packet, began_s: float) -> list[AudioFrame] | None:
        """What is in a packet; None if it cannot be decoded."""
        try:
            return [frame for frame in packet.decode() if isinstance(frame, AudioFrame)]
        except av.FFmpegError as error:
            logger.debug("sound at %.3f s cannot be decoded: %s", began_s, error)
            self._damaged += 1
            return None


class CopiedTrack(Track):
    """Packets as they are, but for their time; each is decoded all the same, because players stumble over damage.

    hides_start: the container can hide what comes before the recording begins; a little of it is given, then, for
    decoders to find their way into the sound. bare: it wants AAC without the header that each packet has in a stream.
    """

    def __init__(self, source: AudioStream, target: AudioStream, *, hides_start: bool, bare: bool) -> None:
        super().__init__(source, target)
        self._early_s = _EARLY_S if hides_start else 0.0
        is_aac = source.codec_context.codec.canonical_name == "aac"
        has_headers = bare and is_aac and not source.codec_context.extradata
        # FFmpeg's muxer for mp4 does the same, but not where its own header waits for the first fragment.
        self._bared = av.BitStreamFilterContext("aac_adtstoasc", source) if has_headers else None

    def _wanted(self, time_s: float, length_s: float) -> bool:
        return time_s + length_s > -self._early_s

    def _given(self, packet: Packet, began_s: float) -> Iterator[Packet]:
        if self._heard(packet, began_s) is None:
            return
        shift = round(began_s / packet.time_base) - (packet.pts or 0)
        for one in self._without_header(packet, began_s):
            one.pts = None if one.pts is None else one.pts + shift
            one.dts = None if one.dts is None else one.dts + shift
            one.stream = self.target
            yield one

    def _without_header(self, packet: Packet, began_s: float) -> list[Packet]:
        if self._bared is None:
            return [packet]
        try:
            return self._bared.filter(packet)
        except av.FFmpegError as error:
            logger.debug("sound at %.3f s has no header: %s", began_s, error)
            self._damaged += 1
            return []


class EncodedTrack(Track):
    """Sound decoded and encoded: without a hole, and from the very moment at which the recording begins."""

    def __init__(self, source: AudioStream, target: AudioStream) -> None:
        super().__init__(source, target)
        self._next_s: float | None = None

    def flush(self) -> Iterator[Packet]:
        yield from super().flush()
        if self._next_s is not None:
            yield from self.target.encode(None)

    def _wanted(self, time_s: float, length_s: float) -> bool:
        return not length_s or time_s + length_s > 0  # how long it is may only be known when it is decoded

    def _given(self, packet: Packet, began_s: float) -> Iterator[Packet]:
        offset_s = began_s - float((packet.pts or 0) * (packet.time_base or 0))
        for frame in self._heard(packet, began_s) or ():
            yield from self._placed(frame, began_s if frame.time is None else frame.time + offset_s)

    def _placed(self, frame: AudioFrame, at_s: float) -> Iterator[Packet]:
        if self._next_s is None:
            early = max(0, round(-at_s * frame.sample_rate))
            if early >= frame.samples:
                return
            if early:
                frame = _later_part(frame, early)
            self._next_s = max(0.0, at_s)
        if _GAP_S < at_s - self._next_s < _LONGEST_GAP_S:
            yield from self._silence(frame, at_s - self._next_s)
        yield from self._put(frame)

    def _silence(self, like: AudioFrame, length_s: float) -> Iterator[Packet]:
        left = round(length_s * like.sample_rate)
        samples = like.to_ndarray()
        width = 1 if like.format.is_planar else len(like.layout.channels)
        while left > 0:
            length = min(left, like.sample_rate)
            yield from self._put(_frame(np.zeros((samples.shape[0], length * width), samples.dtype), like))
            left -= length

    def _put(self, frame: AudioFrame) -> Iterator[Packet]:
        assert self._next_s is not None
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(self._next_s * frame.sample_rate)
        self._next_s += frame.samples / frame.sample_rate
        yield from self.target.encode(frame)


def _later_part(frame: AudioFrame, first: int) -> AudioFrame:
    """`frame` without its first samples."""
    width = 1 if frame.format.is_planar else len(frame.layout.channels)
    return _frame(np.ascontiguousarray(frame.to_ndarray()[:, first * width :]), frame)


def _frame(samples: Samples, like: AudioFrame) -> AudioFrame:
    made = AudioFrame.from_ndarray(samples, format=like.format.name, layout=like.layout.name)
    made.sample_rate = like.sample_rate
    return made
