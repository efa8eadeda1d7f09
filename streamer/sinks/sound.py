"""The sound of a file, beside the recording of its drawn frames: every track, copied or encoded, in step with them.

It reads the file once, from front to back, no further than the recording has come.
"""

import logging
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from streamer.pyav import AudioFrame, AudioStream, OutputContainer, Packet, av
from streamer.sinks.containers import Container
from streamer.sinks.options import AudioMode
from streamer.sinks.original import Original, local_name
from streamer.text import printable

logger = logging.getLogger(__name__)

_AHEAD_S = 3.0
"""How far the file is read ahead of the recording for a track that gives nothing: it may have ended."""

_EARLY_S = 0.2
"""AAC leans on the packet before, of 0.128 s at 8 kHz, and files begin with one that holds nothing else."""

_GAP_S = 0.05
"""Sound that comes later than this after what was before has a hole, and silence goes there."""

_LONGEST_GAP_S = 3600.0

_OPUS_RATE = 48_000
_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)
_LAYOUTS = {1: "mono", 2: "stereo"}


class _Track:
    """One track, on its way from the file to the recording. Times are seconds of the recording.

    early_s: how much of what comes before the recording begins is given all the same, for decoders to find their way
    into the sound; the container must hide it.
    """

    def __init__(self, source: AudioStream, target: AudioStream, *, copied: bool, early_s: float) -> None:
        self.source = source
        self.target = target
        self.copied = copied
        self._early_s = early_s
        self.read_s = float("-inf")
        """Up to where packets were read."""
        self._waiting: deque[tuple[float, Packet]] = deque()
        self._next_s: float | None = None
        self._begun_s = 0.0

    def add(self, packet: Packet, time_s: float) -> None:
        """A packet of the file, which begins at `time_s`."""
        length_s = float((packet.duration or 0) * (packet.time_base or 0))
        self.read_s = time_s + length_s
        if self.read_s > (-self._early_s if self.copied else 0):
            self._waiting.append((time_s, packet))

    def until(self, time_s: float) -> Iterator[Packet]:
        """Packets for the recording, of all sound that begins before `time_s`."""
        while self._waiting and self._waiting[0][0] < time_s:
            began_s, packet = self._waiting.popleft()
            yield from self._copied(packet, began_s) if self.copied else self._encoded(packet, began_s)

    def flush(self) -> Iterator[Packet]:
        """What the encoder still holds."""
        if not self.copied and self._next_s is not None:
            yield from self.target.encode(None)

    def _copied(self, packet: Packet, began_s: float) -> Iterator[Packet]:
        shift = round(began_s / packet.time_base) - (packet.pts or 0)
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift
        packet.stream = self.target
        yield packet

    def _encoded(self, packet: Packet, began_s: float) -> Iterator[Packet]:
        offset_s = began_s - float((packet.pts or 0) * (packet.time_base or 0))
        try:
            frames = [frame for frame in packet.decode() if isinstance(frame, AudioFrame)]
        except av.FFmpegError as error:
            logger.debug("sound at %.3f s cannot be decoded: %s", began_s, error)
            return
        for frame in frames:
            at_s = began_s if frame.time is None else frame.time + offset_s
            yield from self._placed(frame, at_s)

    def _placed(self, frame: AudioFrame, at_s: float) -> Iterator[Packet]:
        if self._next_s is None:
            self._next_s = self._begun_s = max(0.0, at_s)
        if _GAP_S < at_s - self._next_s < _LONGEST_GAP_S:
            yield from self._silence(frame, at_s - self._next_s)
        yield from self._put(frame)

    def _silence(self, like: AudioFrame, length_s: float) -> Iterator[Packet]:
        left = round(length_s * like.sample_rate)
        while left > 0:
            samples = min(left, like.sample_rate)
            zero = np.zeros_like(like.to_ndarray(), shape=(like.to_ndarray().shape[0], 0))
            width = samples * (1 if like.format.is_planar else len(like.layout.channels))
            silent = AudioFrame.from_ndarray(
                np.zeros((zero.shape[0], width), zero.dtype), format=like.format.name, layout=like.layout.name
            )
            silent.sample_rate = like.sample_rate
            yield from self._put(silent)
            left -= samples

    def _put(self, frame: AudioFrame) -> Iterator[Packet]:
        assert self._next_s is not None
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(self._next_s * frame.sample_rate)
        self._next_s += frame.samples / frame.sample_rate
        yield from self.target.encode(frame)


class Sound:
    """All tracks of `original`, as streams of `target`.

    mode: see VideoOptions. start_s: the media time at which the recording begins, seconds since the first frame.
    """

    def __init__(
        self, original: Original, target: OutputContainer, container: Container, mode: AudioMode, *, start_s: float
    ) -> None:
        self._name = printable(original.path, limit=256)
        self._zero_s = original.first_s + start_s
        self._input = av.open(local_name(original.path), metadata_errors="ignore")
        self._ended = False
        self._head_s = float("-inf")
        self._video_s = float("-inf")
        early_s = _EARLY_S if container.is_mp4 else 0.0
        self._tracks = {
            stream.index: track
            for stream in self._input.streams.audio
            if (track := _track(stream, target, container, mode, early_s=early_s)) is not None
        }
        streams = [*self._input.streams.video[:1], *(track.source for track in self._tracks.values())]
        self._video_index = self._input.streams.video[0].index
        if start_s > _AHEAD_S:
            self._input.seek(round((self._zero_s - _AHEAD_S) * av.time_base), backward=True)
        self._packets = self._input.demux(streams)

    def until(self, time_s: float) -> Iterator[Packet]:
        """Packets of all sound that begins before `time_s` of the recording; each is given once."""
        while not self._ended and self._behind(time_s):
            self._read()
        for track in self._tracks.values():
            yield from track.until(time_s)

    def rest(self, end_s: float) -> Iterator[Packet]:
        """The last packets: up to `end_s`, where the last frame ends; to the end of the sound, if it was the file's."""
        last_s = self._last_wanted_s(end_s)
        yield from self.until(last_s)
        for track in self._tracks.values():
            yield from track.flush()

    def close(self) -> None:
        """Let the file go."""
        self._input.close()

    def _behind(self, time_s: float) -> bool:
        return self._head_s < time_s + _AHEAD_S and any(track.read_s < time_s for track in self._tracks.values())

    def _last_wanted_s(self, end_s: float) -> float:
        """`end_s`, or for ever where the file shows no more frames behind it."""
        while not self._ended and self._head_s < end_s + _AHEAD_S and self._video_s < end_s:
            self._read()
        return end_s if self._video_s >= end_s else float("inf")

    def _read(self) -> None:
        try:
            packet = next(self._packets, None)
        except (av.FFmpegError, OSError) as error:
            logger.warning("%s: its sound ends at %.2f s: %s", self._name, max(0.0, self._head_s), error)
            packet = None
        if packet is None:
            self._ended = True
        elif packet.pts is not None:
            time_s = float(packet.pts * packet.time_base) - self._zero_s
            if packet.stream_index == self._video_index:
                self._head_s = max(self._head_s, time_s)
                if not packet.is_discard:
                    self._video_s = max(self._video_s, time_s)
            else:
                self._tracks[packet.stream_index].add(packet, time_s)


def _track(
    stream: AudioStream, target: OutputContainer, container: Container, mode: AudioMode, *, early_s: float
) -> _Track | None:
    """`stream` as a track of the recording; None, with a warning, where nobody here can read it."""
    name = stream.codec_context.codec.canonical_name if stream.codec_context is not None else ""
    if not name:
        logger.warning("a sound track of unknown kind is left out")
        return None
    try:
        copied = mode == "copy" and name in container.copies and _describes_itself(stream, name)
        made = target.add_stream_from_template(stream) if copied else _encoder(stream, target, container)
    except (av.FFmpegError, ValueError, OSError) as error:
        logger.warning("a sound track (%s) is left out: %s", name, error)
        return None
    for key in ("language", "title"):
        if text := stream.metadata.get(key):
            made.metadata[key] = text
    if not copied:
        logger.info("the sound (%s) is encoded: %s", name, made.codec_context.codec.canonical_name)
    return _Track(stream, made, copied=copied, early_s=early_s)


def _describes_itself(stream: AudioStream, name: str) -> bool:
    """Whether what a container must say about the sound is known before the first packet."""
    return stream.codec_context.sample_rate > 0 and (name != "vorbis" or bool(stream.codec_context.extradata))


def _encoder(stream: AudioStream, target: OutputContainer, container: Container) -> AudioStream:
    rate = stream.codec_context.sample_rate
    if container.audio_encoder == "libopus":
        rate = _OPUS_RATE
    elif rate not in _RATES:
        rate = min(_RATES, key=lambda known: abs(known - rate))
    channels = stream.codec_context.channels
    made = target.add_stream(container.audio_encoder, rate=rate)
    assert isinstance(made, AudioStream)
    made.codec_context.layout = _LAYOUTS.get(channels, stream.codec_context.layout.name)
    made.bit_rate = 64_000 * channels if rate >= 32_000 else 32_000 * channels
    return made
