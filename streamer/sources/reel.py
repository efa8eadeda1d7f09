"""A file under its decoder: which frame is grabbed, when it is shown, and how to get to the first one that is wanted.

FileSource drives one; it makes no Frames, and knows neither strides nor clocks.
"""

import logging
import stat
from collections.abc import Callable
from typing import Protocol

from streamer.errors import SourceOpenError
from streamer.frame import Image
from streamer.sources.decoding import Decoder
from streamer.sources.opencv_decoder import OpenCvDecoder
from streamer.sources.options import MAX_PIXELS
from streamer.sources.pixel_limit import refuse_larger, refuse_undecoded
from streamer.sources.probing import file_mode
from streamer.sources.timeline import Timeline
from streamer.text import printable

logger = logging.getLogger(__name__)

OpenDecoder = Callable[[str], tuple[Decoder, float]]
"""Opens a file and grabs its first frame; returns that frame's position in seconds as well."""


class OpenLimited(Protocol):
    """The same for pictures of at most `max_pixels`."""

    def __call__(self, path: str, *, max_pixels: int = MAX_PIXELS) -> tuple[Decoder, float]: ...


_SEEK_MARGINS_S = (1.0, 4.0, 16.0, 64.0)
"""How far before the wanted frame a seek aims: each time further, while it lands behind that frame."""


def open_decoder(path: str, *, max_pixels: int = MAX_PIXELS) -> tuple[Decoder, float]:
    """OpenCV where it can decode the file and show it rightly, else PyAV: HDR, AV1, wide gamut, interlaced.

    A pipe cannot be opened twice: it is OpenCV's, whatever is in it. PyAV looks first: it holds the limit.

    Raises SourceOpenError, which says why neither can read it, or that its pictures are too large.
    """
    is_file = stat.S_ISREG(file_mode(path))
    opened = _open_truer(path, max_pixels) if is_file else None
    if opened is None:
        opencv = OpenCvDecoder(path)
        try:
            refuse_larger(opencv.size_px, max_pixels=max_pixels, where=path)
            first_s = opencv.grab()
        except BaseException:
            opencv.close()
            raise
        if first_s is not None:
            return opencv, first_s
        opencv.close()
    if not is_file:
        raise SourceOpenError("unreadable or truncated", where=path)
    pyav, first_s = opened or open_pyav(path, max_pixels=max_pixels)
    logger.info("%s: decoded by %s", printable(path, limit=256), pyav.name)
    return pyav, first_s


def _open_truer(path: str, max_pixels: int) -> tuple[Decoder, float] | None:
    """PyAV where OpenCV would show the file wrongly and PyAV can decode it. Raises SourceOpenError: too large."""
    from streamer.sources.pyav_decoder import PyAvDecoder  # noqa: PLC0415 - slow

    try:
        pyav = PyAvDecoder(path, max_pixels=max_pixels)
    except SourceOpenError:
        return None
    first_s = pyav.grab()
    if pyav.refused:
        pyav.close()
        refuse_undecoded(path, max_pixels=max_pixels)
        return None
    if first_s is not None and pyav.why:
        return pyav, first_s
    pyav.close()
    return None


def open_pyav(path: str, *, max_pixels: int = MAX_PIXELS) -> tuple[Decoder, float]:
    """PyAV, whatever OpenCV could do with the file. Raises SourceOpenError, which says why it cannot be read."""
    from streamer.sources.pyav_decoder import PyAvDecoder  # noqa: PLC0415 - slow, and rarely needed

    pyav = PyAvDecoder(path, max_pixels=max_pixels)
    first_s = pyav.grab()
    if first_s is not None:
        return pyav, first_s
    pyav.close()
    if pyav.refused:
        refuse_undecoded(path, max_pixels=max_pixels)
    raise SourceOpenError("unreadable or truncated" if pyav.damaged else "no video frames", where=path)


class Reel:
    """An open file with the first wanted frame grabbed: the first one at or after `start_s`.

    seekable: False for a pipe, where the frames before are read and thrown away.

    Raises SourceOpenError: it cannot be read, or `start_s` is beyond its end.
    """

    def __init__(self, path: str, *, start_s: float, seekable: bool, open_decoder: OpenDecoder = open_decoder) -> None:
        self._path = path
        self._start_s = start_s
        self._seekable = seekable
        self._open_decoder = open_decoder
        self._frames_read: int | None = 0
        self.decoder, first_s = open_decoder(path)
        self.timeline = Timeline(name=printable(path, limit=256), fps=self.decoder.fps)
        self.pts_s: float | None = None
        """When the grabbed frame is shown, seconds since the file's first; None at the end."""
        try:
            self._begin(first_s)
        except BaseException:
            self.close()
            raise

    def rewind(self) -> None:
        """Grab the first wanted frame again."""
        self.decoder.close()
        self.decoder, first_s = self._open_decoder(self._path)
        self._begin(first_s)

    def advance(self) -> bool:
        """Grab the next frame, without a look at its picture; False at the end."""
        position_s = self.decoder.grab()
        if position_s is None:
            self.pts_s = None
            return False
        if self._frames_read is not None:
            self._frames_read += 1
        self.pts_s = self.timeline.place(position_s)
        return True

    def image(self) -> Image | None:
        """The picture of the grabbed frame; None if there is none in it."""
        return self.decoder.retrieve()

    def close(self) -> None:
        """Let the file go."""
        self.decoder.close()

    def warn_if_short(self) -> None:
        """At the end: warn if the header promised clearly more, and a look at the file confirms it."""
        promised, read = self.decoder.frame_count, self._frames_read
        if promised is None or read is None or read >= promised or not self._seekable:
            return
        from streamer.sources.completeness import is_damaged, is_short  # noqa: PLC0415 - slow, and rarely needed

        if is_short(read, promised) and is_damaged(self._path, frames_read=read):
            logger.warning(
                "%s: read %d of %d frames: the file is damaged or truncated",
                printable(self._path, limit=256),
                read,
                promised,
            )

    def _begin(self, first_s: float) -> None:
        self._place_first(first_s)
        if self._seekable and self._start_s > _SEEK_MARGINS_S[0]:
            self._seek_before(self._start_s)
        last_s = 0.0
        while self.pts_s is not None and self.pts_s < self._start_s:
            last_s = self.pts_s
            self.advance()
        if self.pts_s is None:
            raise SourceOpenError(
                f"start ({self._start_s:g} s) is beyond the end: the last frame is at {last_s:.2f} s", where=self._path
            )

    def _place_first(self, first_s: float) -> None:
        self._frames_read = 1
        self.timeline.restart()
        self.pts_s = self.timeline.place(first_s)

    def _seek_before(self, wanted_s: float) -> None:
        """Land on a frame at or before `wanted_s`: on the first one, if no seek can be believed."""
        origin_s = self.timeline.origin_s
        for margin_s in _SEEK_MARGINS_S:
            if margin_s >= wanted_s:
                break
            self.decoder.seek(origin_s + wanted_s - margin_s)
            position_s = self.decoder.grab()
            if position_s is not None and 0 < position_s - origin_s <= wanted_s:
                self.pts_s = self.timeline.jump(position_s)
                self._frames_read = None
                return
        self.decoder.close()
        self.decoder, first_s = self._open_decoder(self._path)
        self._place_first(first_s)
