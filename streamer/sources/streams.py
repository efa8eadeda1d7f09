"""What was found behind an address: which of its streams is read, and whether it has an end."""

from dataclasses import dataclass

from streamer.errors import SourceRefused
from streamer.pyav import AudioStream, Discard, InputContainer, VideoStream, av
from streamer.sources.address import Address
from streamer.sources.decoding import believable_fps

LARGEST_BYTES = 2**40
"""Some servers promise a length for what never ends: no file that is watched over HTTP is larger."""

_ALWAYS_LIVE = frozenset({"mpjpeg"})
"""Formats in which a camera sends picture after picture, whatever length its server promises."""

_PICTURE = "_pipe"
"""How FFmpeg's formats end that are single pictures: `jpeg_pipe`."""

_LISTS = frozenset({"hls", "dash"})
"""Formats that are lists of files: the length that is known is that of the list."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known once it is open. live: False where it has an end, so that nothing needs to be lost."""

    live: bool
    size_px: tuple[int, int] | None
    fps: float | None
    duration_s: float | None
    decoder: str


def choose_stream(container: InputContainer, address: Address) -> VideoStream:
    """The first video stream, of a playlist's variants the largest.

    Raises SourceRefused: no picture in it, or of a kind that cannot be decoded.
    """
    videos = container.streams.video
    if not videos:
        has_sound = "it holds only sound" if container.streams.audio else "it holds no picture"
        raise SourceRefused(f"not a video: {has_sound}", where=address.name)
    is_list = container.format.name in _LISTS
    stream: VideoStream = max(videos, key=_area_px) if is_list else videos[0]
    if stream.codec_context is None:
        raise SourceRefused("what it sends cannot be decoded here", where=address.name)
    return stream


def choose_sound(container: InputContainer, stream: VideoStream) -> AudioStream | None:
    """The sound of `stream`: the first track behind it, else the first of all, that can be decoded here."""
    heard = [sound for sound in container.streams.audio if _can_be_heard(sound)]
    return min(heard, key=lambda sound: (sound.index < stream.index, sound.index), default=None)


def leave_others(container: InputContainer, *kept: VideoStream | AudioStream | None) -> None:
    """Let a list not fetch what nobody reads."""
    if container.format.name in _LISTS:
        for other in container.streams:
            if all(other is not stream for stream in kept):
                other.discard = Discard.all


def _can_be_heard(sound: AudioStream) -> bool:
    context = sound.codec_context
    return context is not None and context.sample_rate > 0 and context.layout.nb_channels > 0


def _area_px(stream: VideoStream) -> int:
    context = stream.codec_context
    return 0 if context is None else context.width * context.height


def facts_of(container: InputContainer, stream: VideoStream, address: Address) -> Facts:
    """What is known of `stream`."""
    context = stream.codec_context
    duration_s = None if container.duration is None else container.duration / av.time_base
    live = not _has_end(container, address, duration_s)
    return Facts(
        live=live,
        size_px=(context.width, context.height) if live and context.width and context.height else None,
        fps=None if _has_no_rate(container) else believable_fps(float(stream.average_rate or stream.guessed_rate or 0)),
        duration_s=None if live else duration_s or None,
        decoder=f"PyAV, {context.codec.canonical_name} over {address.scheme}",
    )


def knows_length(container: InputContainer) -> bool:
    """Whether its server says how long it is, in bytes."""
    return container.format.name not in _LISTS and 0 < container.size < LARGEST_BYTES


def _has_no_rate(container: InputContainer) -> bool:
    """Whether its pictures have no times, so that FFmpeg makes a rate up."""
    name = container.format.name
    return name in _ALWAYS_LIVE or name.endswith(_PICTURE)


def _has_end(container: InputContainer, address: Address, duration_s: float | None) -> bool:
    """Whether it is a file that is read from its beginning to its end, and not something that goes on."""
    name = container.format.name
    if address.scheme not in {"http", "https"} or name in _ALWAYS_LIVE:
        return False
    return bool(duration_s) or knows_length(container) or name.endswith(_PICTURE)
