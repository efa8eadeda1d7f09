"""Everything that can be said of one file of video: what its header claims, and what comes out when it is decoded."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from streamer.pyav import VideoFrame, VideoStream, av
from tests.e2e.conformance.pictures import SIDE_PX, Eye, Tags
from tests.e2e.conformance.sound import Ear, Track, language_of

DEFAULT_STEP_S = 1 / 25
"""How long a lone frame lasts of which nobody says it."""


class Chapter(NamedTuple):
    """Where a chapter begins, and what it is called."""

    start_s: float
    title: str


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """One file.

    times_s: of each decoded frame, as the container counts; None where it has none.
    end_s: when the last frame's time is over. thumbs: (N, SIDE_PX, SIDE_PX, 3) uint8 RGB, upright.
    size_px: as stored, upright: (width, height). stored_lines: the height before it is turned. aspect: of a pixel,
    upright. rotation: degrees counterclockwise.
    container_s, stream_s: what the header says that the file and its video last; None where it says nothing.
    damaged: whether a packet could not be decoded; nothing of the video is read beyond it.
    """

    path: Path
    times_s: tuple[float | None, ...]
    end_s: float
    thumbs: NDArray[np.uint8]
    size_px: tuple[int, int]
    stored_lines: int
    aspect: Fraction
    rotation: int
    tags: Tags
    codec: str
    pix_fmt: str
    tracks: tuple[Track, ...]
    chapters: tuple[Chapter, ...]
    title: str
    language: str
    container_s: float | None
    stream_s: float | None
    damaged: bool

    @property
    def frames(self) -> int:
        """How many could be decoded."""
        return len(self.times_s)

    @property
    def step_s(self) -> float:
        """How long a frame lasts, on average."""
        return (self.end_s - self.start_s) / max(1, self.frames)

    @property
    def in_order(self) -> bool:
        """Whether each frame has a time, later than that of the one before; AVI has none for frames out of order."""
        times_s = [time for time in self.times_s if time is not None]
        return len(times_s) == self.frames and all(one < other for one, other in pairwise(times_s))

    @property
    def start_s(self) -> float:
        """When the first frame is shown."""
        return self.times_s[0] or 0.0


def read(path: Path) -> Facts | None:
    """Decode all of it; None where there is no picture in it."""
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            return _decode(path, container) if container.streams.video else None
    except (av.FFmpegError, OSError):
        return None


def _decode(path: Path, container: "av.container.InputContainer") -> Facts | None:
    video = container.streams.video[0]
    ears = {stream.index: Ear(stream) for stream in container.streams.audio}
    reel = _Reel()
    packets = container.demux(video, *container.streams.audio)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            reel.damaged = True
            break
        except IndexError:  # PyAV, at the end, of a stream that came up behind the header
            break
        if packet is None:
            break
        if packet.stream.index == video.index:
            reel.take(packet)
        else:
            ears[packet.stream.index].take(cast("av.Packet[av.AudioStream]", packet))
    first = reel.first
    return (
        None if first is None else _facts(path, container, video, reel, first, [ear.track() for ear in ears.values()])
    )


class _Reel:
    """The frames of one video stream, as far as they can be decoded."""

    def __init__(self) -> None:
        self.first: VideoFrame | None = None
        self.times_s: list[float | None] = []
        self.thumbs: list[NDArray[np.uint8]] = []
        self.last_duration_s: float | None = None
        self.damaged = False
        self._eye = Eye()

    def take(self, packet: "av.Packet[Any]") -> None:
        if self.damaged:
            return
        try:
            for frame in packet.decode():
                self._take(frame)
        except av.FFmpegError:
            self.damaged = True

    def _take(self, frame: VideoFrame) -> None:
        if self.first is None:
            self.first = frame
        self.times_s.append(frame.time)
        self.thumbs.append(self._eye.see(frame))
        lasts = frame.duration and frame.time_base and float(frame.duration * frame.time_base)
        self.last_duration_s = lasts or None


def _facts(
    path: Path,
    container: "av.container.InputContainer",
    video: VideoStream,
    reel: _Reel,
    first: VideoFrame,
    tracks: list[Track],
) -> Facts:
    rotation = round(first.rotation)
    lies = rotation % 180 != 0
    aspect = Fraction(video.sample_aspect_ratio or 1)
    width, height = first.width, first.height
    return Facts(
        path=path,
        times_s=tuple(reel.times_s),
        end_s=_end_s(reel, rate=video.average_rate),
        thumbs=np.stack(reel.thumbs) if reel.thumbs else np.empty((0, SIDE_PX, SIDE_PX, 3), np.uint8),
        size_px=(height, width) if lies else (width, height),
        stored_lines=height,
        aspect=1 / aspect if lies else aspect,
        rotation=rotation,
        tags=Tags.of(first),
        codec=video.codec_context.codec.canonical_name,
        pix_fmt=first.format.name,
        tracks=tuple(tracks),
        chapters=tuple(
            Chapter(float(chapter["start"] * chapter["time_base"]), chapter["metadata"].get("title", ""))
            for chapter in container.chapters()
            if chapter["time_base"] is not None
        ),
        title=next((value for key, value in container.metadata.items() if key.lower() == "title"), ""),
        language=language_of(video.metadata),
        container_s=None if container.duration is None else container.duration / av.time_base,
        stream_s=None if video.duration is None or video.time_base is None else float(video.duration * video.time_base),
        damaged=reel.damaged,
    )


def _end_s(reel: _Reel, *, rate: Fraction | None) -> float:
    """The last frame lasts as long as its container says, else as the one before it, else as the rate says."""
    times_s = sorted(time for time in reel.times_s if time is not None)
    if not times_s:
        return float(1 / rate) if rate else DEFAULT_STEP_S
    step_s = times_s[-1] - times_s[-2] if len(times_s) > 1 else float(1 / rate) if rate else DEFAULT_STEP_S
    lasts_s = reel.last_duration_s or 0.0
    # Matroska and FLV without a duration give one tick, 1 ms.
    return times_s[-1] + (lasts_s if lasts_s > step_s / 4 else step_s)
