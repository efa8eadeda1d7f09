"""Pictures: one, or many, one after another. Not a video: they have no clock, and each may have a size of its own."""

import logging
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from streamer.clock import Clock, MonotonicClock
from streamer.errors import SourceError, SourceOpenError
from streamer.frame import Frame, Image
from streamer.interfaces import SourceInfo
from streamer.sources.access import Access
from streamer.sources.bgr import to_bgr
from streamer.sources.options import DEFAULTS, MAX_PIXELS, SourceOptions
from streamer.sources.picture_sizes import size_of_picture
from streamer.sources.pixel_limit import refuse_larger
from streamer.sources.probing import refuse_missing
from streamer.text import printable

logger = logging.getLogger(__name__)


class PicturesSource:
    """Pictures as frames: `Frame.source` is the path as given, each begins an epoch, and none has a `pts_s`.

    paths: at least one, in the order in which they come. name: of the whole; the first path if left out.
    Of `options`, `stride`, `loop` and `max_pixels` are used.

    Read with cv2.imdecode: turned upright by EXIF, alpha left out. A picture among others that cannot be read is
    counted, warned of and left out.

    Raises SourceOpenError: the only picture is missing or cannot be read. `frames` raises SourceError when not one of
    many could be read.
    """

    live = False

    def __init__(
        self,
        paths: Sequence[str],
        *,
        name: str | None = None,
        options: SourceOptions = DEFAULTS,
        clock: Clock | None = None,
    ) -> None:
        self._paths = paths[:: options.stride]
        self._name = name or paths[0]
        self._loop = options.loop
        self._clock = clock or MonotonicClock()
        self._access = Access(lambda: None, name=printable(self._name, limit=256))
        self._produced = 0
        self._size_px: tuple[int, int] | None = None
        self._max_pixels = options.max_pixels
        if len(paths) == 1:
            self._size_px = _size_of_only(paths[0], self._max_pixels)

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        count = None if self._loop else len(self._paths)
        return SourceInfo(name=self._name, size_px=self._size_px, frame_count=count, decoder="OpenCV", kind="pictures")

    def frames(self) -> Iterator[Frame]:
        try:
            yield from self._round()
            while self._loop and not self._access.closing.is_set():
                yield from self._round()
        finally:
            self._access.close()

    def close(self) -> None:
        self._access.close()

    def _round(self) -> Iterator[Frame]:
        """Every picture once. Raises SourceError if none could be read."""
        readable = 0
        for path in self._paths:
            if self._access.closing.is_set():
                return
            frame = self._read(path)
            if frame is not None:
                readable += 1
                yield frame
        if not readable:
            raise SourceError(f"not one of {len(self._paths)} pictures can be read", where=self._name)

    def _read(self, path: str) -> Frame | None:
        index = self._produced
        self._produced += 1
        try:
            image = read_picture(path, max_pixels=self._max_pixels)
        except SourceOpenError as error:
            logger.warning("%s; it is left out", error)
            return None
        if image is None:
            logger.warning("%s: cannot be read as a picture; it is left out", printable(path, limit=256))
            return None
        return Frame(image, index=index, captured_ns=self._clock.now_ns(), epoch=index, source=path)


def read_picture(path: str, *, max_pixels: int = MAX_PIXELS) -> Image | None:
    """(height, width, 3) uint8 BGR, upright; None if the file cannot be read as a picture.

    Raises SourceOpenError for one whose header says that it has more than `max_pixels`: it is not decoded.
    """
    try:
        # cv2.imread cannot open a name that the system's code page has no letters for (Windows).
        data = np.fromfile(path, np.uint8)
        size_px = size_of_picture(data.data)
        if size_px is None:
            return None
        refuse_larger(size_px, max_pixels=max_pixels, where=path)
        return to_bgr(cv2.imdecode(data, cv2.IMREAD_COLOR))
    except (OSError, cv2.error):
        return None


def _size_of_only(path: str, max_pixels: int) -> tuple[int, int]:
    """(width, height) of the only picture. Raises SourceOpenError, saying why, if there is none to see."""
    refuse_missing(path)
    image = read_picture(path, max_pixels=max_pixels)
    if image is None:
        raise SourceOpenError("unreadable or truncated: OpenCV can read no picture in it", where=path)
    return image.shape[1], image.shape[0]
