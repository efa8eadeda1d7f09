"""One video file, from its first frame to its last, with its own timestamps.

Not for cameras and networks, where the newest frame wins: here none is lost. `open_source` makes one for a video file,
SequenceSource one for each video of a folder.
"""

import logging
import math
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from streamer.clock import Clock, MonotonicClock
from streamer.errors import SourceOpenError
from streamer.frame import Frame
from streamer.interfaces import SourceInfo
from streamer.sources.access import Access
from streamer.sources.options import DEFAULTS, SourceOptions
from streamer.sources.pacing import Pacer
from streamer.sources.probing import file_mode, refuse_non_video
from streamer.sources.reel import OpenLimited, Reel, open_decoder
from streamer.text import printable

logger = logging.getLogger(__name__)


class FileSource:
    """A video file: every frame, in order, upright, at the time that the container gives it.

    path: a file, or a named pipe, which can be neither sought in nor looped. Of `options`, what concerns files is used.
    With `realtime` frames come at the file's own speed and `live` is True. With `loop`, `pts_s` goes on growing.
    open_decoder: how the file is opened; `reel.open_pyav` leaves OpenCV out.

    A damaged file is read to its last good frame, and a warning says how many came of how many. A change of size in
    mid-stream starts a new epoch where PyAV decodes; OpenCV rescales to the first size and does not tell.

    Raises SourceOpenError: missing, a directory, empty, not a video, unreadable or truncated, larger than
    `max_pixels`, without video frames, or `start_s` beyond the end; SourceLost when its first frame fails. `frames`
    raises SourceError.
    """

    def __init__(
        self,
        path: str,
        *,
        options: SourceOptions = DEFAULTS,
        clock: Clock | None = None,
        open_decoder: OpenLimited = open_decoder,
    ) -> None:
        self._path = path
        self._name = printable(path, limit=256)
        self._options = options
        self._clock = clock or MonotonicClock()
        self._produced = 0
        self._epoch = 0
        self._passed_s = 0.0
        refuse_non_video(path)
        seekable = stat.S_ISREG(file_mode(path))
        if options.loop and not seekable:
            raise SourceOpenError("a pipe cannot be read again: it cannot loop", where=path)
        opener = partial(open_decoder, max_pixels=options.max_pixels)
        self._reel = Reel(path, start_s=options.start_s or 0.0, seekable=seekable, open_decoder=opener)
        self._access = Access(self._reel.close, name=self._name)
        self._captured_ns = self._clock.now_ns()
        try:
            first = self._reel.image()
        except BaseException:
            self._access.close()
            raise
        self._shape = None if first is None else first.shape
        self._info = self._describe()

    @property
    def live(self) -> bool:
        return self._options.realtime

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        """What the header says of the part that is read; a loop has neither `frame_count` nor `duration_s`."""
        return self._info

    def frames(self) -> Iterator[Frame]:
        pacer = Pacer(self._clock, self._access.closing) if self._options.realtime else None
        self._captured_ns = self._clock.now_ns()
        try:
            while (pts_s := self._due(pacer)) is not None:
                with self._access.turn() as is_open:
                    frame = self._take(pts_s) if is_open else None
                if frame is not None:
                    yield frame
                self._go_on()
        finally:
            self._access.close()

    def close(self) -> None:
        self._access.close()

    def _due(self, pacer: Pacer | None) -> float | None:
        """When the grabbed frame is shown, once that time has come; None where there is nothing more to show."""
        pts_s = self._reel.pts_s
        if pts_s is None or pts_s >= self._options.stop_s or self._access.closing.is_set():
            return None
        if pacer is not None:
            if not pacer.wait_until(self._passed_s + pts_s):
                return None
            self._captured_ns = self._clock.now_ns()
        return pts_s

    def _take(self, pts_s: float) -> Frame | None:
        """The grabbed frame; None, and counted, if there is no picture in it."""
        image = self._reel.image()
        index = self._produced
        self._produced += 1
        if image is None:
            logger.warning("%s: frame %d has no picture; it is left out", self._name, index)
            return None
        if image.shape != self._shape:
            self._shape = image.shape
            self._epoch += 1
        return Frame(
            image,
            index=index,
            captured_ns=self._captured_ns,
            pts_s=self._passed_s + pts_s,
            epoch=self._epoch,
            source=self._path,
        )

    def _go_on(self) -> None:
        """Grab the next wanted frame, of this round or of the next one."""
        with self._access.turn() as is_open:
            if not is_open:
                return
            last_s = self._reel.pts_s or 0.0
            for _ in range(self._options.stride):
                if not self._reel.advance():
                    self._reel.warn_if_short()
                    break
            if self._options.loop and (self._reel.pts_s is None or self._reel.pts_s >= self._options.stop_s):
                self._reel.rewind()
                self._passed_s += last_s + self._reel.timeline.step_s - (self._reel.pts_s or 0.0)
            self._captured_ns = self._clock.now_ns()

    def _describe(self) -> SourceInfo:
        fps, promised = self._reel.decoder.fps, self._reel.decoder.frame_count
        span_s: float | None = None
        count: int | None = None
        if fps is not None and promised is not None and not self._options.loop:
            span_s = max(0.0, min(self._options.stop_s, promised / fps) - (self._options.start_s or 0.0))
            count = math.ceil(round(span_s * fps) / self._options.stride)
        return SourceInfo(
            name=Path(self._path).name,
            size_px=None if self._shape is None else (self._shape[1], self._shape[0]),
            fps=None if fps is None else fps / self._options.stride,
            frame_count=count,
            duration_s=span_s,
            decoder=self._reel.decoder.name,
        )
