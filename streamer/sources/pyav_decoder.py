"""A file decoded by PyAV: what OpenCV cannot decode or shows wrongly. It can say why a file cannot be read."""

import math
from collections.abc import Callable, Generator
from functools import partial

from streamer.errors import SourceOpenError
from streamer.frame import Image
from streamer.pyav import InputContainer, VideoFrame, VideoStream, av
from streamer.sources.converting import Converter
from streamer.sources.decoding import believable_count, believable_fps
from streamer.sources.options import MAX_PIXELS
from streamer.sources.pixel_limit import for_ffmpeg
from streamer.text import local_name

_NEAR_BT709 = frozenset({0, 1, 2, 3, 5, 6, 7})
"""Primaries, as H.273 numbers them, that are none, or those of BT.709 and of old television."""


def open_local(path: str, *, max_pixels: int = MAX_PIXELS) -> InputContainer:
    """The file at `path`, and nothing that its name might mean besides."""
    return av.open(local_name(path), options=for_ffmpeg(max_pixels), metadata_errors="ignore")


class PyAvDecoder:
    """The first video stream of a file, up to its end or to the first packet that cannot be decoded, as with OpenCV.

    Rotation is applied. A picture of another size in mid-stream keeps its size. What is tagged as PQ or HLG, and has
    more than 8 bits, comes as SDR.

    open_container: what opens `path`, where it is no local file. max_pixels: larger pictures are not decoded.

    Raises SourceOpenError: unreadable or truncated, or without a video stream.
    """

    def __init__(
        self,
        path: str,
        *,
        open_container: Callable[[str], InputContainer] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.damaged = False
        """Whether it ended where something could not be decoded."""
        self.refused = False
        """Whether that was for its numbers, such as a picture of more than `max_pixels`, and not for its data."""
        opener = open_container or partial(open_local, max_pixels=max_pixels)
        try:
            self._container = opener(path)
        except (av.FFmpegError, OSError) as error:
            raise SourceOpenError(f"unreadable or truncated: {error.strerror}", where=path) from error
        if not self._container.streams.video:
            has_sound = bool(self._container.streams.audio)
            self._container.close()
            raise SourceOpenError(f"no video frames{': it holds only sound' if has_sound else ''}", where=path)
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.options = for_ffmpeg(max_pixels)
        self._frames = self._decoded()
        self._frame: VideoFrame | None = None
        self._converter = Converter(self._stream)
        self.fps = believable_fps(float(self._stream.average_rate or self._stream.guessed_rate or 0))
        self.frame_count = believable_count(self._promised(), fps=self.fps)

    @property
    def name(self) -> str:
        return f"PyAV ({self.why or f'OpenCV cannot decode {self._stream.codec_context.codec.canonical_name}'})"

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
        self._frame = next(self._frames, None)
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
            self.damaged = True
            self.refused = isinstance(error, av.ArgumentError)
        except IndexError:  # PyAV, at the end, of a stream that came up behind the header
            return
