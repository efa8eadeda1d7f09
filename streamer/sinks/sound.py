"""The sound of a file, beside the recording of its drawn frames: every track, copied or encoded, in step with them.

It reads the file once, from front to back, no further than the recording has come.
"""

import logging
from collections.abc import Iterator

from streamer.pyav import AudioCodecContext, AudioStream, OutputContainer, Packet, av
from streamer.sinks.containers import Container
from streamer.sinks.options import AudioMode
from streamer.sinks.original import Original
from streamer.sinks.tracks import CopiedTrack, EncodedTrack, Track
from streamer.text import local_name, printable

logger = logging.getLogger(__name__)

_AHEAD_S = 3.0
"""How far the file is read ahead of the recording for a track that gives nothing: it may have ended."""

_OPUS_RATE = 48_000
_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""By the number of channels, what all encoders know."""


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
        self._tracks = {
            stream.index: track
            for stream in self._input.streams.audio
            if (track := _track(stream, target, container, mode)) is not None
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
        for index, track in list(self._tracks.items()):
            yield from self._unless_it_fails(index, track.until(time_s))

    def rest(self, end_s: float) -> Iterator[Packet]:
        """The last packets: up to `end_s`, where the last frame ends; to the end of the sound, if it was the file's."""
        last_s = self._last_wanted_s(end_s)
        while not self._ended and (end_s := end_s + _AHEAD_S) < last_s:  # in steps: what is read waits in memory
            yield from self.until(end_s)
        yield from self.until(last_s)
        for index, track in list(self._tracks.items()):
            yield from self._unless_it_fails(index, track.flush())

    def close(self) -> None:
        """Let the file go."""
        self._input.close()

    def _unless_it_fails(self, index: int, packets: Iterator[Packet]) -> Iterator[Packet]:
        """`packets` of one track; if they cannot be made, the recording goes on without it."""
        try:
            yield from packets
        except (av.FFmpegError, ValueError) as error:
            logger.warning("%s: a sound track ends at %.2f s: %s", self._name, self._tracks[index].read_s, error)
            del self._tracks[index]

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
        except IndexError:  # PyAV, at the end, of a stream that came up behind the header
            packet = None
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
            elif (track := self._tracks.get(packet.stream_index)) is not None:
                track.add(packet, time_s)


def _track(stream: AudioStream, target: OutputContainer, container: Container, mode: AudioMode) -> Track | None:
    """`stream` as a track of the recording; None, with a warning, where nobody here can read it."""
    name = stream.codec_context.codec.canonical_name if stream.codec_context is not None else ""
    if not name:
        logger.warning("a sound track of unknown kind is left out")
        return None
    track: Track
    try:
        if mode == "copy" and name in container.copies and _describes_itself(stream, name):
            made = target.add_stream_from_template(stream)
            track = CopiedTrack(stream, made, hides_start=container.is_mp4, bare=container.format != "mpegts")
        else:
            context = stream.codec_context
            made = add_encoder(target, container, rate=context.sample_rate, layout=context.layout.name)
            track = EncodedTrack(stream, made)
            logger.info("the sound (%s) is encoded: %s", name, made.codec_context.codec.canonical_name)
    except (av.FFmpegError, ValueError, OSError) as error:
        logger.warning("a sound track (%s) is left out: %s", name, error)
        return None
    for key in ("language", "title"):
        if text := stream.metadata.get(key):
            made.metadata[key] = text
    return track


def _describes_itself(stream: AudioStream, name: str) -> bool:
    """Whether what a container must say about the sound is known before the first packet."""
    return stream.codec_context.sample_rate > 0 and (name != "vorbis" or bool(stream.codec_context.extradata))


def add_encoder(target: OutputContainer, container: Container, *, rate: int, layout: str) -> AudioStream:
    """A track that is encoded, for sound of `rate` samples a second and such channels. Raises ValueError."""
    rate = min((known for known in _RATES if known >= rate), default=_RATES[-1])
    if container.audio_encoder == "libopus":
        rate = _OPUS_RATE
    channels = av.AudioLayout(layout).nb_channels
    layout = _layout(container.audio_encoder, channels, layout)
    made = target.add_stream(container.audio_encoder, rate=rate)
    assert isinstance(made, AudioStream)
    made.codec_context.layout = layout
    made.bit_rate = 64_000 * channels if rate >= 32_000 else 32_000 * channels
    return made


def _layout(encoder: str, channels: int, own: str) -> str:
    """What the channels are called, so that `encoder` takes them. Raises ValueError where nothing fits."""
    usual = _LAYOUTS.get(channels)
    if usual is not None and (channels <= 2 or not _takes(encoder, own)):
        return usual
    if not _takes(encoder, own):
        raise ValueError(f"{encoder} takes no {channels} channels")
    return own


def _takes(encoder: str, layout: str) -> bool:
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, AudioCodecContext)
    try:
        context.layout, context.sample_rate, context.format = (
            layout,
            _OPUS_RATE,
            next(iter(context.codec.audio_formats or ())),
        )
        context.open()
    except (av.FFmpegError, ValueError):
        return False
    return True
