"""The recording: drawn frames as H.264 in mp4, with their own times, readable after kill -9 up to the last second.

It decides what goes into which file; mp4.py writes one. The pipeline calls `write` and `close` on the thread of this
sink, the window calls `toggle` from the main thread.
"""

import logging
import math
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from streamer.errors import InternalError, SinkError
from streamer.frame import Frame, Image, Result
from streamer.interfaces import SinkRole
from streamer.sinks.mp4 import ENCODER, Mp4File, require_encoder
from streamer.sinks.outfile import OutFile, next_free
from streamer.text import printable

logger = logging.getLogger(__name__)

DEFAULT_FPS = 25.0
"""For sources without a clock whose rate nobody knows."""

FPS_LIMITS = (1.0, 240.0)
"""Rates that are believed when somebody declares them."""

LITTLE_ROOM_BYTES = 100_000_000
"""Less free space than this is worth a warning: some minutes of video."""


class Recorder:
    """A Sink that records `Result.image`.

    path: the .mp4 file. When the size or the epoch of the frames changes, or the recording is switched off and on, the
    next file is PATH-002.mp4, and so on; these never replace anything.
    fps: the source's nominal rate, 25 where it is None or no number, clamped to 1 to 240. Frames are shown at their
    own `pts_s`, counted from the first of the file; only those without one come at this rate, by their index, so that
    a frame that is missing leaves its time. The last frame lasts as long as the one before.
    force: replace the file at `path`.
    crf, preset: x264's quality and effort.
    active: False waits for `toggle`; the place is tried nevertheless.
    name_next: names each file when it begins, in place of `path`, which then only says where.

    After kill -9 the last second at most is missing, or the last two frames where a frame lasts over half a second.

    Raises SinkOpenError where nothing can be recorded at `path`.
    """

    role: SinkRole = "record"

    def __init__(
        self,
        path: Path,
        *,
        fps: float | None = None,
        force: bool = False,
        crf: int = 20,
        preset: str = "veryfast",
        active: bool = True,
        name_next: Callable[[], Path] | None = None,
    ) -> None:
        require_encoder(ENCODER)
        self.name = f"recording {printable(str(path), limit=256)}"
        self.written = 0
        """Frames that are in the files; a few more wait in the encoder until `close`."""
        self._path = path
        self._name_next = name_next or (lambda: path)
        self._fps = _believable(fps)
        self._crf, self._preset = crf, preset
        self._active = active
        self._switched_on = False
        self._closed = False
        self._lock = threading.Lock()
        self._force = force
        self._written_before = 0
        self._paths: list[Path] = []
        self._segment: Mp4File | None = None
        self._segment_key: tuple[object, ...] = ()
        self._zero_s = 0.0
        self._claimed: OutFile | None = OutFile(path, force=force)
        if not active:
            self._release()

    @property
    def needs_image(self) -> bool:
        """Whether frames must be drawn for it: while it waits for the key, they need not be."""
        return self.recording

    @property
    def recording(self) -> bool:
        """Whether the next frame will be recorded."""
        return self._active and not self._closed

    @property
    def recorded_files(self) -> tuple[Path, ...]:
        """The files that hold frames, in the order of time."""
        return tuple(self._paths)

    def toggle(self) -> None:
        """Switch the recording off or on, from any thread: off finishes the file when the next frame comes."""
        with self._lock:
            self._active = self._switched_on = not self._active

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("the recording has ended", where=str(self._path))
        try:
            if not self._active:
                self._finish()
            elif result.image is not None:
                self._switched_on = False
                self._record(result.frame, result.image)
            elif not self._switched_on:  # else it was on its way when the key was pressed
                raise InternalError("a recorder was given a frame that nobody has drawn")
        except SinkError:
            self._closed = True
            raise

    def close(self) -> None:
        self._closed = True
        self._release()
        self._finish()

    def _record(self, frame: Frame, image: Image) -> None:
        time_s = frame.index / self._fps if frame.pts_s is None else frame.pts_s
        key = frame.epoch, image.shape
        if key != self._segment_key:
            self._finish()
        if self._segment is None:
            self._segment = self._next_segment(size_px=(image.shape[1], image.shape[0]))
            self._segment_key, self._zero_s = key, time_s
        try:
            self._segment.write(image, time_s=time_s - self._zero_s)
        finally:
            self.written = self._written_before + self._segment.frames

    def _next_segment(self, *, size_px: tuple[int, int]) -> Mp4File:
        file = self._claimed or self._next_file()
        self._claimed = None
        segment = Mp4File(file, size_px=size_px, fps=self._fps, crf=self._crf, preset=self._preset)
        self._paths.append(file.path)
        _warn_if_little_room(file.path.parent)
        logger.info("recording %dx%d to %s", *size_px, printable(str(file.path), limit=256))
        return segment

    def _next_file(self) -> OutFile:
        if self._force and not self._paths:
            return OutFile(self._path, force=True)
        return OutFile(next_free(self._name_next()))

    def _finish(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            segment.close()
        finally:
            self.written = self._written_before = self._written_before + segment.frames
        path = printable(str(self._paths[-1]), limit=256)
        logger.info("recorded %d frames, %.2f s, in %s", segment.frames, segment.duration_s, path)

    def _release(self) -> None:
        if self._claimed is not None:
            self._claimed.close()
            self._claimed = None


def _believable(fps: float | None) -> float:
    if fps is None or not math.isfinite(fps) or fps <= 0:
        return DEFAULT_FPS
    return min(max(fps, FPS_LIMITS[0]), FPS_LIMITS[1])


def _warn_if_little_room(folder: Path) -> None:
    with suppress(OSError):  # a folder that has gone is told when it is written to
        free_bytes = shutil.disk_usage(folder).free
        if free_bytes < LITTLE_ROOM_BYTES:
            logger.warning("only %d MB are free in %s", free_bytes // 1_000_000, printable(str(folder), limit=256))
