"""A file decoded by PyAV: HDR, what OpenCV cannot decode, and the one that can say why a file cannot be read."""

import math
from collections.abc import Generator

from streamer.errors import SourceOpenError
from streamer.frame import Image
from streamer.pyav import VideoFrame, VideoStream, av
from streamer.sources.converting import Converter
from streamer.sources.decoding import believable_count, believable_fps, local_name


class PyAvDecoder:
    """The first video stream of a file, up to its end or to the first packet that cannot be decoded, as with OpenCV.

    Rotation is applied. A picture of another size in mid-stream keeps its size. What is tagged as PQ or HLG, and has
    more than 8 bits, comes as SDR.

    Raises SourceOpenError: unreadable or truncated, or without a video stream.
    """

    def __init__(self, path: str) -> None:
        self.damaged = False
        """Whether it ended where something could not be decoded."""
        try:
            self._container = av.open(local_name(path), metadata_errors="ignore")
        except (av.FFmpegError, OSError) as error:
            raise SourceOpenError(f"unreadable or truncated: {error.strerror}", where=path) from error
        if not self._container.streams.video:
            has_sound = bool(self._container.streams.audio)
            self._container.close()
            raise SourceOpenError(f"no video frames{': it holds only sound' if has_sound else ''}", where=path)
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._frames = self._decoded()
        self._frame: VideoFrame | None = None
        self._converter = Converter(self._stream)
        self.name = f"PyAV (OpenCV cannot decode {self._stream.codec_context.codec.canonical_name})"
        if self.is_hdr:
            self.name = f"PyAV (HDR, {self._converter.transfer}, shown as SDR)"
        self.fps = believable_fps(float(self._stream.average_rate or self._stream.guessed_rate or 0))
        self.frame_count = believable_count(self._promised(), fps=self.fps)

    @property
    def is_hdr(self) -> bool:
        """Whether the stream is of high dynamic range, so that OpenCV would show it wrongly."""
        return self._converter.transfer is not None

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
        except av.FFmpegError:
            self.damaged = True
