"""What comes in on standard input: a stream of MPEG-TS, Matroska or y4m, or raw pictures. `open_source("-")` makes one.

A pipe is not live: whoever writes into it waits for us, and no frame is lost.
"""

import logging
import os
import select
import stat
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

from streamer.clock import Clock, MonotonicClock
from streamer.errors import ConfigError, SourceOpenError
from streamer.frame import Frame
from streamer.interfaces import SourceInfo
from streamer.pyav import InputContainer, av
from streamer.sources.access import Access
from streamer.sources.options import DEFAULTS, SourceOptions, pairs_of
from streamer.sources.pixel_limit import for_ffmpeg, undecoded
from streamer.sources.pyav_decoder import PyAvDecoder
from streamer.sources.timeline import Timeline

logger = logging.getLogger(__name__)

STDIN = 0

FORMATS = (
    "mpegts,matroska,webm,yuv4mpegpipe,mov,mp4,avi,flv,mpeg,ogg,nut,ivf,asf,gif,"
    "h264,hevc,mjpeg,mpegvideo,mpjpeg,jpeg_pipe,png_pipe,rawvideo"
)
"""Those of FFmpeg that read what they are given and nothing else: a playlist would open files and addresses."""

_OF_RAW_VIDEO = {"size": "video_size", "pixel_format": "pixel_format", "fps": "framerate"}
_KNOWN = ("format", *_OF_RAW_VIDEO)


class PipeSource:
    """The video that a file descriptor gives, to its end; not live.

    fd: of a pipe, a socket or a file; it is left open. Of `options`, `stride` and `max_pixels` are used, and
    `source_options`: `size=640x480` makes it raw pictures, with `pixel_format=bgr24` (yuv420p) and `fps=30` (25);
    `format=mjpeg` names what is not found out by itself.

    What is damaged is read to the last good frame, and a warning says after how many. A new size starts an epoch.

    Raises SourceOpenError: a terminal, nothing comes, not readable; ConfigError for an option that is not known.
    """

    live = False

    def __init__(
        self, fd: int = STDIN, *, name: str = "stdin", options: SourceOptions = DEFAULTS, clock: Clock | None = None
    ) -> None:
        self._name = name
        self._stride = options.stride
        self._max_pixels = options.max_pixels
        self._clock = clock or MonotonicClock()
        self._produced = 0
        self._epoch = 0
        how, wanted = _asked(options)
        if os.isatty(fd):
            hint = "for example: ffmpeg -i clip.mp4 -f mpegts - | streamer -"
            raise SourceOpenError("nothing is piped in: it is a terminal", where=name, hint=hint)
        self._inlet = _Inlet(fd)
        self._decoder = self._opened(how, wanted)
        self._access = Access(self._let_go, name=name)
        try:
            position_s = self._first_position_s()
            first = self._decoder.retrieve()
        except BaseException:
            self.close()
            raise
        self._timeline = Timeline(name=name, fps=self._decoder.fps)
        self._pts_s: float | None = self._timeline.place(position_s)
        self._size_px = None if first is None else (first.shape[1], first.shape[0])

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        fps = None if self._decoder.fps is None else self._decoder.fps / self._stride
        return SourceInfo(name=self._name, size_px=self._size_px, fps=fps, decoder=self._decoder.name, kind="pipe")

    def frames(self) -> Iterator[Frame]:
        try:
            while self._pts_s is not None:
                with self._access.turn() as is_open:
                    if not is_open:
                        return
                    frame = self._take(self._pts_s)
                if frame is not None:
                    yield frame
                with self._access.turn() as is_open:
                    self._pts_s = self._advanced() if is_open else None
            if self._decoder.damaged and not self._access.closing.is_set():
                logger.warning("%s: damaged after %d frames; the rest is left out", self._name, self._produced)
        finally:
            self.close()

    def close(self) -> None:
        self._inlet.end()
        self._access.close()

    def _take(self, pts_s: float) -> Frame | None:
        """The grabbed frame; None, and counted, if there is no picture in it."""
        captured_ns = self._clock.now_ns()
        image = self._decoder.retrieve()
        index = self._produced
        self._produced += 1
        if image is None:
            logger.warning("%s: frame %d has no picture; it is left out", self._name, index)
            return None
        size_px = image.shape[1], image.shape[0]
        if size_px != self._size_px:
            self._epoch += self._size_px is not None
            self._size_px = size_px
        return Frame(image, index=index, captured_ns=captured_ns, pts_s=pts_s, epoch=self._epoch, source=self._name)

    def _advanced(self) -> float | None:
        """When the next wanted frame is shown; None at the end."""
        pts_s: float | None = None
        for _ in range(self._stride):
            position_s = self._decoder.grab()
            if position_s is None:
                return None
            pts_s = self._timeline.place(position_s)
        return pts_s

    def _let_go(self) -> None:
        self._decoder.close()
        self._inlet.close()

    def _opened(self, how: str | None, options: dict[str, str]) -> PyAvDecoder:
        try:
            return PyAvDecoder(
                self._name,
                open_container=lambda _: _container(self._inlet.file, how, options, self._max_pixels),
                max_pixels=self._max_pixels,
            )
        except BaseException as error:
            self._inlet.close()
            self._inlet.raise_interrupt()
            if isinstance(error, SourceOpenError):
                raise self._why(error) from error
            raise

    def _first_position_s(self) -> float:
        position_s = self._decoder.grab()
        self._inlet.raise_interrupt()
        if position_s is None and self._decoder.refused:
            raise undecoded(max_pixels=self._max_pixels, where=self._name)
        if position_s is None:
            what = "unreadable or truncated" if self._decoder.damaged else "no video frames"
            raise SourceOpenError(what, where=self._name)
        return position_s

    def _why(self, error: SourceOpenError) -> SourceOpenError:
        if self._inlet.is_empty:
            return SourceOpenError("nothing came in", where=self._name)
        hint = "raw pictures need their size: --source-options size=640x480,pixel_format=bgr24"
        return SourceOpenError(error.what, where=self._name, hint=hint)


class _Waiting:
    """A descriptor as a file that PyAV reads; waiting for more can be ended from any thread."""

    def __init__(self, fd: int, wake: int) -> None:
        self._fd = fd
        self._wake = wake
        self._came = False
        self.is_empty = False
        """Whether the end came before anything else."""
        self.interrupt: BaseException | None = None
        """What a signal raised in a read; FFmpeg, through which it would have to pass, would read on."""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, as soon as there are any; none at the end."""
        try:
            data = self._read(size)
        except BaseException as interrupt:  # noqa: BLE001 - it is raised again, by _Inlet
            self.interrupt = self.interrupt or interrupt
            return b""
        self._came = self._came or bool(data)
        self.is_empty = not self._came
        return data

    def _read(self, size: int) -> bytes:
        if self.interrupt is not None:
            return b""
        if sys.platform != "win32":  # select knows only sockets there
            ready, _, _ = select.select([self._fd, self._wake], [], [])
            if self._wake in ready:
                return b""
        return os.read(self._fd, size if size > 0 else 1 << 16)


class _Inlet:
    """What PyAV is given to read `fd`: a file that can be sought where it is one, else one whose waits can be ended."""

    def __init__(self, fd: int) -> None:
        self._wake, self._waker = os.pipe()
        self._waiting = _Waiting(fd, self._wake)
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        self._stored: BinaryIO | None = os.fdopen(os.dup(fd), "rb") if is_file else None
        self._is_empty_file = is_file and os.fstat(fd).st_size == 0
        self._lock = threading.Lock()
        self._closed = False

    @property
    def file(self) -> "BinaryIO | _Waiting":
        """What is read."""
        return self._stored or self._waiting

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come in."""
        return self._waiting.is_empty if self._stored is None else self._is_empty_file

    def raise_interrupt(self) -> None:
        """Raise what a signal raised in a read, if it did."""
        if self._waiting.interrupt is not None:
            raise self._waiting.interrupt

    def end(self) -> None:
        """Let a read that waits, and all after it, find the end."""
        with self._lock:
            if not self._closed:
                os.write(self._waker, b"x")

    def close(self) -> None:
        """Let go of all but the descriptor itself. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for fd in (self._wake, self._waker):
                os.close(fd)
            if self._stored is not None:
                self._stored.close()


def _asked(options: SourceOptions) -> tuple[str | None, dict[str, str]]:
    """FFmpeg's name of the format, None where it is to be found out, and its options. Raises ConfigError."""
    given = dict(pairs_of(options.source_options, what="source_options"))
    unknown = [name for name in given if name not in _KNOWN]
    if unknown:
        hint = f"it knows {', '.join(_KNOWN)}"
        raise ConfigError(f"source_options of standard input knows no {unknown[0]!r}", hint=hint)
    raw = {_OF_RAW_VIDEO[name]: value for name, value in given.items() if name in _OF_RAW_VIDEO}
    if raw and "size" not in given:
        raise ConfigError("source_options: raw pictures need their size", hint="size=640x480,pixel_format=bgr24")
    return given.get("format", "rawvideo" if raw else None), raw


def _container(
    file: "BinaryIO | _Waiting", how: str | None, options: dict[str, str], max_pixels: int
) -> InputContainer:
    allowed = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
    told = {**options, **for_ffmpeg(max_pixels), **allowed}
    return av.open(file, "r", format=how, options=told, metadata_errors="ignore")
