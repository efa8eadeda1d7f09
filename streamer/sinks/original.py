"""The file that a recording is made of, as far as the recording takes it over: sound, chapters, title, colours.

The frames come from elsewhere, drawn; this opens the same file again beside them. sound.py does what it says.
"""

import logging
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from streamer.pyav import VideoFrame, VideoStream, av
from streamer.sinks.colours import Tags
from streamer.text import local_name, printable

logger = logging.getLogger(__name__)

_KEPT = (
    *("title", "artist", "author", "composer", "album", "genre", "date", "creation_time", "copyright"),
    *("description", "synopsis", "comment", "location"),
)
"""What is said about the content and stays true of a copy; what is said about the file itself is not taken over."""


_SAME_TIME_S = 0.0015
"""Containers that count in milliseconds round."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a video with a name: seconds of media time since the first frame."""

    start_s: float
    end_s: float
    title: str


@dataclass(frozen=True, slots=True)
class Original:
    """What is known of the file.

    tags: what it says of its colours. pixel_aspect: how wide a pixel is shown for its height, upright; None is square.
    first_s: when its first frame is shown, as the container counts. sound_first_s: when its first sound begins, None
    where it has none. language: of what is seen, as ISO 639-2 has it; empty where it does not say.
    """

    path: str
    tags: Tags
    pixel_aspect: Fraction | None
    first_s: float
    sound_first_s: float | None
    metadata: Mapping[str, str]
    language: str
    chapters: tuple[Chapter, ...]

    @property
    def lead_s(self) -> float:
        """How much earlier than the first frame the sound begins."""
        return 0.0 if self.sound_first_s is None else max(0.0, self.first_s - self.sound_first_s)


def original_of(path: str) -> Original | None:
    """What a recording of the frames of `path` takes over; None where that is no file that can be opened twice."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            logger.warning("%s: sound and chapters cannot be taken from what is read once", printable(path, limit=256))
            return None
        with av.open(local_name(path), metadata_errors="ignore") as container:
            if not container.streams.video:
                return None
            stream = container.streams.video[0]
            sounds = [one for one in container.streams.audio if one.codec_context is not None]
            starts_s = [float(one.start_time * (one.time_base or 0)) for one in sounds if one.start_time is not None]
            metadata = {key: text for key, text in container.metadata.items() if key in _KEPT}
            chapters = container.chapters()
            frame = next(container.decode(stream))
            pixel_aspect = _upright_aspect(stream, frame)  # a stream says it only while its container is open
    except (OSError, ValueError, av.FFmpegError, StopIteration) as error:
        # The pictures may come all the same: OpenCV reads past more than PyAV does.
        logger.info("%s: nothing but its pictures can be taken over: %s", printable(path, limit=256), error)
        return None
    first_s = frame.time or 0.0
    sound_first_s: float | None = None
    if sounds:
        sound_first_s = min(starts_s, default=first_s)
    return Original(
        path=path,
        tags=Tags(frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range),
        pixel_aspect=pixel_aspect,
        first_s=first_s,
        sound_first_s=sound_first_s,
        metadata=metadata,
        language=stream.metadata.get("language", ""),
        chapters=tuple(
            Chapter(
                float(one["start"] * (one["time_base"] or 0)) - first_s,
                float(one["end"] * (one["time_base"] or 0)) - first_s,
                one["metadata"].get("title", ""),
            )
            for one in chapters
        ),
    )


def shown_until_s(original: Original, last_s: float) -> float | None:
    """When the frame that begins at `last_s` ends, if it is the file's last one and the file says it; None otherwise.

    In seconds since the first frame.
    """
    try:
        with av.open(local_name(original.path), metadata_errors="ignore") as container:
            stream = container.streams.video[0]
            container.seek(round((original.first_s + last_s) * av.time_base), backward=True)
            ends_s = [
                (float(packet.pts * packet.time_base) - original.first_s, float(packet.duration * packet.time_base))
                for packet in container.demux(stream)
                if packet.pts is not None and packet.duration and not packet.is_discard
            ]
    except (OSError, IndexError, av.FFmpegError):
        return None
    time_s, length_s = max(ends_s, default=(0.0, 0.0))
    return time_s + length_s if abs(time_s - last_s) < _SAME_TIME_S else None


def _upright_aspect(stream: VideoStream, frame: VideoFrame) -> Fraction | None:
    aspect = stream.sample_aspect_ratio
    if not aspect or aspect == 1:
        return None
    return 1 / aspect if round(frame.rotation) % 180 else aspect
