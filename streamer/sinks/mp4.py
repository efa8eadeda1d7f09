"""One H.264 video in one mp4 file: frames of one size in, at any times, and a file that is readable at every moment.

recorder.py decides when one begins and ends. While it grows the file is fragmented, so that kill -9 costs less than
its last second; a clean end turns it into an ordinary mp4.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Final, NamedTuple

import cv2
import numpy as np

from streamer.errors import SinkOpenError
from streamer.frame import Image
from streamer.pyav import PictureType, VideoFrame, VideoReformatter, VideoStream, av
from streamer.sinks.outfile import OutFile, failure

logger = logging.getLogger(__name__)

ENCODER: Final = "libx264"

TICKS_PER_S = 120_000
"""Times are kept in units in which 1/10, 1/25, 1001/30000, 1001/24000 and 1001/60000 s are whole numbers."""

KEYFRAME_S = 1.0
"""A player can enter at least this often."""

FRAGMENT_US = 100_000
"""How much video a fragment gathers before it goes to the system; at least one frame."""

THREAD_PX = 1920 * 1088
"""One encoder thread for each so many pixels: one does 1080p at about 60 fps, and the model needs the others."""

HYBRID_SINCE = (61, 7)
"""The libavformat of FFmpeg 7.1, the first that knows `hybrid_fragmented`."""


class _Matrix(NamedTuple):
    """How colours become luma and chroma: PyAV's name of it, and its number in ISO/IEC 23091-2."""

    colorspace: str
    number: int


_SD = _Matrix("ITU601", 6)
_HD = _Matrix("ITU709", 1)
_TV_RANGE = 1
_HD_LINES = 720
"""Players that find no tags take BT.709 from here up, and BT.601 below; the tags say the same."""


class Mp4File:
    """A video being written.

    file: where to; `close` closes it.
    size_px: (width, height) of every frame; odd ones are padded to even by repeating the edge.
    fps: the nominal rate: how long a lone frame lasts, and how many frames the encoder may hold back. The times are
    the frames' own.
    crf, preset: x264's.

    The file stays empty until the first frame comes out of the encoder: FFmpeg 8 crashes (SIGSEGV) on the trailer of a
    hybrid file that has a header and no frame.
    """

    def __init__(self, file: OutFile, *, size_px: tuple[int, int], fps: float, crf: int, preset: str) -> None:
        self.frames = 0
        """Frames that came out of the encoder and went into the file; a few more wait in it until `close`."""
        self._file = file
        self._nominal_ticks = round(TICKS_PER_S / fps)
        self._last_ticks: int | None = None
        self._end_ticks = 0
        self._keyframe_ticks = 0
        self._durations: deque[int] = deque()
        self._closed = False
        width, height = size_px
        self._pad_px = width % 2, height % 2
        self._padded_px = width + width % 2, height + height % 2
        self._matrix = _HD if height >= _HD_LINES else _SD
        self._reformatter = VideoReformatter()
        self._container = av.open(file, "w", format="mp4", options=_muxer_options())
        self._stream = self._video_stream(fps=fps, crf=crf, preset=preset)

    @property
    def duration_s(self) -> float:
        """How long the video is so far, its last frame included."""
        return self._end_ticks / TICKS_PER_S

    def write(self, image: Image, *, time_s: float) -> None:
        """Add a frame that is shown from `time_s`, in seconds since the first; not later than the last means at once.

        Raises SinkError; what was written until then stays readable.
        """
        ticks = round(time_s * TICKS_PER_S)
        duration = self._nominal_ticks
        if self._last_ticks is not None:
            ticks = max(ticks, self._last_ticks + 1)
            duration = ticks - self._last_ticks
        self._last_ticks, self._end_ticks = ticks, ticks + duration
        self._durations.append(duration)
        with self._sink_errors():
            frame = self._yuv(image)
            frame.pts, frame.time_base = ticks, Fraction(1, TICKS_PER_S)
            if ticks - self._keyframe_ticks >= KEYFRAME_S * TICKS_PER_S:
                frame.pict_type = PictureType.I
                self._keyframe_ticks = ticks
            self._encode(frame)

    def close(self) -> None:
        """Write what waits in the encoder, finish the file and let go. Idempotent. Raises SinkError."""
        if self._closed:
            return
        self._closed = True
        with self._sink_errors():
            if self._last_ticks is not None:
                self._encode(None)
            self._container.close()
            self._file.close()

    def _video_stream(self, *, fps: float, crf: int, preset: str) -> VideoStream:
        options = {"crf": str(crf), "preset": preset, "x264-params": _x264_params(fps)}
        rate = Fraction(fps).limit_denominator(1001)
        stream = self._container.add_stream(ENCODER, rate=rate, options=options)
        stream.width, stream.height = self._padded_px
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, TICKS_PER_S)
        context = stream.codec_context
        context.time_base = stream.time_base
        context.thread_type, context.thread_count = "SLICE", _threads(self._padded_px)
        context.color_primaries = context.color_trc = context.colorspace = self._matrix.number
        context.color_range = _TV_RANGE
        return stream

    def _yuv(self, image: Image) -> VideoFrame:
        right, bottom = self._pad_px
        padded: Image = np.ascontiguousarray(image)
        if right or bottom:
            padded = np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        return self._reformatter.reformat(
            VideoFrame.from_numpy_buffer(padded, format="bgr24"),
            format="yuv420p",
            src_color_range="JPEG",
            dst_color_range="MPEG",
            dst_colorspace=self._matrix.colorspace,  # type: ignore[arg-type]  # the stubs say int; PyAV 14 takes names only
        )

    def _encode(self, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._durations.popleft()
            self._container.mux(packet)
            self.frames += 1

    @contextmanager
    def _sink_errors(self) -> Iterator[None]:
        """Turn what the encoder, the muxer or the disk raises into SinkError, and let go of everything."""
        try:
            yield
        except (OSError, av.FFmpegError) as error:
            self._abandon()
            saved = f"all but the last moments of the {self.duration_s:.1f} s recorded can be played"
            raise failure(self._file.path, error, saved=saved) from error

    def _abandon(self) -> None:
        self._closed = True
        self._file.freeze()
        with suppress(OSError, av.FFmpegError):  # its trailer goes nowhere; the first failure is the one to tell
            self._container.close()
        self._file.close()


def require_encoder(encoder: str = ENCODER) -> None:
    """Raise SinkOpenError where the FFmpeg inside PyAV has no H.264 encoder."""
    try:
        av.codec.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError as error:
        raise SinkOpenError(
            f"no video can be recorded: this PyAV has no {encoder} encoder",
            hint="the wheels of PyPI have it: pip install --force-reinstall --only-binary av av",
        ) from error


def _muxer_options() -> dict[str, str]:
    if av.library_versions["libavformat"] >= HYBRID_SINCE:
        movflags = "hybrid_fragmented"
    else:
        logger.info("this FFmpeg has no hybrid_fragmented: recordings stay fragmented mp4 files")
        movflags = "frag_keyframe+empty_moov+default_base_moof"
    return {"movflags": movflags, "flush_packets": "1", "frag_duration": str(FRAGMENT_US)}


def _x264_params(fps: float) -> str:
    """No B-frames and a short lookahead: what waits in the encoder is lost by a kill.

    x264 holds back lookahead + 1 frames: 0.13 s at 30 fps and 0.4 s at 5. Three frames of lookahead already give most
    of what ten do; below 4 fps there is none.
    """
    lookahead = min(3, int(fps // 4))
    return f"bframes=0:rc-lookahead={lookahead}:sync-lookahead=0"


def _threads(size_px: tuple[int, int]) -> int:
    width, height = size_px
    return min(-(-width * height // THREAD_PX), os.cpu_count() or 1)
