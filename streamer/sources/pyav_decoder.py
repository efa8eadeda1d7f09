"""A file decoded by PyAV: what OpenCV cannot decode or shows wrongly. It can say why a file cannot be read."""

import logging
import math
from collections.abc import Callable, Generator
from functools import partial

from streamer.errors import SourceLost, SourceOpenError
from streamer.frame import Image
from streamer.pyav import HWAccel, InputContainer, VideoFrame, VideoStream, av
from streamer.sources.converting import Converter
from streamer.sources.decoding import believable_count, believable_fps
from streamer.sources.hardware import Hardware
from streamer.sources.options import MAX_PIXELS
from streamer.sources.pixel_limit import for_ffmpeg
from streamer.text import local_name, printable

logger = logging.getLogger(__name__)

OpenContainer = Callable[[str, HWAccel | None], InputContainer]
"""Opens what there is to read, with what decodes it in hardware, if anything does."""

_NEAR_BT709 = frozenset({0, 1, 2, 3, 5, 6, 7})
"""Primaries, as H.273 numbers them, that are none, or those of BT.709 and of old television."""


def open_local(path: str, hwaccel: HWAccel | None = None, *, max_pixels: int = MAX_PIXELS) -> InputContainer:
    """The file at `path`, and nothing that its name might mean besides."""
    return av.open(local_name(path), options=for_ffmpeg(max_pixels), metadata_errors="ignore", hwaccel=hwaccel)


class PyAvDecoder:
    """The first video stream of a file, up to its end or to the first packet that cannot be decoded, as with OpenCV.

    Rotation is applied. A picture of another size in mid-stream keeps its size. What is tagged as PQ or HLG, and has
    more than 8 bits, comes as SDR.

    open_container: what opens `path`, where it is no local file; it is opened once, then.
    hardware: what is to decode; once a frame was grabbed, `in_hardware` says whether it does. A file whose hardware
    decoder fails in the middle, where software does not, goes on in software without a frame lost, unless it was
    demanded.
    max_pixels: larger pictures are not decoded.

    Raises SourceOpenError: unreadable or truncated, or without a video stream. `grab` raises SourceLost where a
    hardware decoder that was demanded fails.
    """

    def __init__(
        self,
        path: str,
        *,
        open_container: OpenContainer | None = None,
        hardware: Hardware | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.damaged = False
        """Whether it ended where something could not be decoded."""
        self.refused = False
        """Whether that was for its numbers, such as a picture of more than `max_pixels`, and not for its data."""
        self._path = path
        self._opens_again = open_container is None
        self._open_container = open_container or partial(open_local, max_pixels=max_pixels)
        self._hardware = hardware
        self._max_pixels = max_pixels
        self._failure: av.FFmpegError | None = None
        self._gave_up: Hardware | None = None
        self._open()
        self._frame: VideoFrame | None = None
        self.fps = believable_fps(float(self._stream.average_rate or self._stream.guessed_rate or 0))
        self.frame_count = believable_count(self._promised(), fps=self.fps)

    def _open(self) -> None:
        path, hardware = self._path, self._hardware
        try:
            self._container = self._open_container(path, None if hardware is None else hardware.accelerator())
        except (av.FFmpegError, OSError) as error:
            raise SourceOpenError(f"unreadable or truncated: {error.strerror}", where=path) from error
        if not self._container.streams.video:
            has_sound = bool(self._container.streams.audio)
            self._container.close()
            raise SourceOpenError(f"no video frames{': it holds only sound' if has_sound else ''}", where=path)
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.options = for_ffmpeg(self._max_pixels)
        self._frames = self._decoded()
        self._converter = Converter(self._stream)

    @property
    def in_hardware(self) -> bool:
        """Whether the frame grabbed last was decoded in hardware."""
        return self._hardware is not None and self._frame is not None and self._hardware.decodes(self._stream)

    def require_hardware(self) -> None:
        """Raise SourceOpenError where hardware was demanded and does not decode the frame grabbed last."""
        if self._hardware is not None and self._hardware.demanded and not self.in_hardware:
            raise self._hardware.refused(self._stream, where=self._path)

    @property
    def format(self) -> str:
        """FFmpeg's name of the container's format."""
        return str(self._container.format.name)

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec."""
        return str(self._stream.codec_context.codec.canonical_name)

    @property
    def duration_s(self) -> float | None:
        """How long the container says that it is; None where it does not."""
        return self._container.duration / av.time_base if self._container.duration else None

    @property
    def name(self) -> str:
        return f"PyAV ({self.place or self.why or f'OpenCV cannot decode {self.codec}'})"

    @property
    def place(self) -> str:
        """Where it is decoded, for people, if hardware was asked for; else nothing."""
        if self.in_hardware:
            return f"{self.codec} in hardware: {self._hardware}"
        return f"software: {self._gave_up} failed" if self._gave_up else ""

    @property
    def why(self) -> str:
        """Why OpenCV would show the grabbed frame wrongly; empty where it would not."""
        if self._converter.transfer is not None:
            return f"HDR, {self._converter.transfer}, shown as SDR"
        if self._frame is not None and self._frame.interlaced_frame:
            return "interlaced"
        if self._frame is not None and self._frame.color_primaries not in _NEAR_BT709:
            return "wide gamut"
        return ""

    def grab(self) -> float | None:
        before, self._frame = self._frame, next(self._frames, None)
        if self._failure is not None and self._hardware is not None:
            self._frame = self._in_software(self._hardware, before)
        if self._frame is None:
            return None
        return math.nan if self._frame.time is None else self._frame.time

    def retrieve(self) -> Image | None:
        return None if self._frame is None else self._converter.image(self._frame)

    def seek(self, position_s: float) -> None:
        self._frames.close()
        self._container.seek(round(position_s * av.time_base), backward=True)
        self._frames = self._decoded()

    def close(self) -> None:
        self._frames.close()
        self._frame = None
        self._container.close()

    def _promised(self) -> float:
        if self._stream.frames or self.fps is None or self._container.duration is None:
            return self._stream.frames
        return self._container.duration / av.time_base * self.fps

    def _decoded(self) -> Generator[VideoFrame, None, None]:
        try:
            yield from self._container.decode(self._stream)
        except av.FFmpegError as error:
            if self._hardware is None:
                self.damaged = True
                self.refused = isinstance(error, av.ArgumentError)
            else:
                self._failure = error
        except IndexError:  # PyAV, at the end, of a stream that came up behind the header
            return

    def _in_software(self, hardware: Hardware, before: VideoFrame | None) -> VideoFrame | None:
        """The frame behind `before`, where it was the hardware that failed and not the file; None where it was that."""
        error, self._failure = self._failure, None
        failed = f"{hardware} failed to decode ({getattr(error, 'strerror', '')})"
        if not self._opens_again or (before is not None and before.pts is None):
            raise SourceLost(failed, where=self._path, hint="--hwaccel none") from error
        self._container.close()
        self._hardware, self._gave_up = None, hardware
        self._open()
        if before is not None and before.pts is not None:
            self._container.seek(before.pts, backward=True, stream=self._stream)
        frame = next((one for one in self._frames if _is_behind(one, before)), None)
        if frame is not None and hardware.demanded:
            raise SourceLost(failed, where=self._path, hint="--hwaccel auto goes on in software") from error
        if frame is not None:
            logger.warning("%s: %s: software goes on", printable(self._path, limit=256), failed)
        return frame


def _is_behind(frame: VideoFrame, other: VideoFrame | None) -> bool:
    return other is None or other.pts is None or (frame.pts is not None and frame.pts > other.pts)
