"""The recording: drawn frames as video, with their own times, readable after kill -9 up to the last second.

It decides what goes into which file; video_file.py writes one. The pipeline calls `write` and `close` on the thread of
this sink, the window calls `toggle` from the main thread.
"""

import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from streamer.clock import NS_PER_S
from streamer.errors import ConfigError, InternalError, SinkError
from streamer.frame import Frame, Image, Result
from streamer.interfaces import SinkRole
from streamer.sinks.conditions import Happening
from streamer.sinks.containers import container_of
from streamer.sinks.encoders import check_quality, choose_encoder
from streamer.sinks.options import STDOUT, Keep, VideoOptions
from streamer.sinks.original import Chapter, Original, original_of
from streamer.sinks.outfile import NO_ROOM, OutFile, is_stream, next_free
from streamer.sinks.segments import Schedule, captured_at, prune, stamped
from streamer.sinks.video_file import Recipe, VideoFile
from streamer.text import printable

logger = logging.getLogger(__name__)

DEFAULT_FPS = 25.0
"""For sources without a clock whose rate nobody knows."""

FPS_LIMITS = (1.0, 240.0)
"""Rates that are believed when somebody declares them."""

LITTLE_ROOM_BYTES = 100_000_000
"""Less free space than this is worth a warning: some minutes of video."""

ENOUGH_ROOM_BYTES = 200_000_000
"""So much must be free again before a live recording that met a full disk goes on."""

LONGEST_FRAME_S = 8 * 3600.0
"""A longer gap, or a leap back, begins a new file: mp4 counts a frame's time in 32 bits, which are 9.9 hours."""

_LEAP_BACK_S = 1.0
"""What goes back by less is out of order, and comes at once."""

_LOOK_NS = NS_PER_S
_LONGEST_LOOK_NS = 60 * NS_PER_S
"""How often a recording that waits looks whether there is room; twice as long each time that it was not true."""


@dataclass(frozen=True, slots=True)
class _Full:
    """A disk that is full: since when, when it was looked at last, and after how long it is again."""

    since_ns: int
    looked_ns: int
    wait_ns: int


class Recorder:
    """A Sink that records `Result.image`.

    path: the file. When the size or the epoch of the frames changes, or the recording is switched off and on, the next
    file is PATH-002.mp4, and so on; these never replace anything. While one is written it is PATH.part.mp4.
    video: how it is made. fps: the source's nominal rate, 25 where it is None or no number, clamped to 1 to 240. Frames
    are shown at their own `pts_s`, counted from the first of the file; only those without one come at this rate, by
    their index, so that a frame that is missing leaves its time. The last frame lasts as long as the one before.
    force: replace the file at `path`.
    active: False waits for `toggle`; the place is tried nevertheless.
    name_next: names each file when it begins, in place of `path`, which then only says where.
    from_files: `Frame.source` is a file, whose sound, title, chapters and colours are taken over.
    live: frames come at their own time: a full disk is waited out, and parts begin with the clock.
    segment_s: a new part so often, PATH-20250131T235900.mp4 where live, else PATH-002.mp4. keep: how much of them
    stays.
    chapters_when: a chapter begins whenever this begins to hold.

    After kill -9 the last second at most is missing, or the last two frames where a frame lasts over half a second.

    Raises SinkOpenError where nothing can be recorded at `path`; ConfigError for what its container cannot hold.
    """

    role: SinkRole = "record"

    def __init__(
        self,
        path: Path,
        *,
        video: VideoOptions | None = None,
        fps: float | None = None,
        force: bool = False,
        active: bool = True,
        name_next: Callable[[], Path] | None = None,
        from_files: bool = False,
        live: bool = False,
        segment_s: float | None = None,
        keep: Keep | None = None,
        chapters_when: Happening | None = None,
        room_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._recipe = recipe_for(path, video or VideoOptions(), fps=fps)
        self.name = f"recording {printable(str(path), limit=256)}"
        self.written = 0
        """Frames that are in the files; a few more wait in the encoder until `close`."""
        self._path = path
        self._name_next = name_next
        self._active = active
        self._toggled = False
        self._closed = False
        self._lock = threading.Lock()
        self._force = force
        self._from_files, self._live = from_files, live
        self._schedule = None if segment_s is None else Schedule(segment_s, live=live)
        self._keep = keep or Keep()
        if not self._stamped and self._keep != Keep():
            logger.warning("keep: no effect on the parts of a file")
        self._chapters_when = chapters_when
        self._room_bytes = room_bytes
        self._written_before = 0
        self._paths: list[Path] = []
        self._finished_ns: dict[Path, int] = {}
        self._segment: VideoFile | None = None
        self._segment_key: tuple[object, ...] = ()
        self._zero_s = self._last_s = 0.0
        self._original: Original | None = None
        self._original_path = ""
        self._full: _Full | None = None
        self._missed = 0
        if self._schedule is not None and (str(path) == STDOUT or is_stream(path)):
            raise ConfigError("parts need names", where="--segment", hint="a stream has none: leave it out")
        claim = next_free(stamped(path, datetime.now())) if self._stamped else path
        self._file: OutFile | None = OutFile(claim, force=force, part=True)
        if self._stamped or not active:
            self._release()

    @property
    def _stamped(self) -> bool:
        """Whether the parts are called after the time at which they begin."""
        return self._schedule is not None and self._live

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
            self._active, self._toggled = not self._active, True

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("the recording has ended", where=str(self._path))
        try:
            with self._waiting_for_room(result.frame):
                if result.image is None and not self._toggled and self._active:
                    raise InternalError("a recorder was given a frame that nobody has drawn")
                if result.image is None or not self._active:  # not drawn: it came while the recording was off
                    self._finish()
                elif self._full is None or self._room_again(result.frame):
                    self._record(result, result.image)
                else:
                    self._missed += 1
        except SinkError:
            self._closed = True
            raise

    def close(self) -> None:
        self._closed = True
        self._release()
        self._finish()
        missed, self._missed = self._missed, 0
        if missed:
            raise SinkError(f"{missed} frames are not recorded: the disk was full", where=str(self._path))

    @contextmanager
    def _waiting_for_room(self, frame: Frame) -> Iterator[None]:
        """Let what is live wait where the disk is full, and everything else end."""
        try:
            yield
        except SinkError as error:
            if not self._live or not _is_full(error):
                raise
            if self._segment is not None:
                self._paths[-1] = self._segment.path
                self._segment = None
            self._paths = [path for path in self._paths if os.path.lexists(path)]
            self._written_before = self.written
            self._missed += 1
            wait_ns = _LOOK_NS if self._full is None else min(2 * self._full.wait_ns, _LONGEST_LOOK_NS)
            if self._full is None:
                logger.error("%s: %s; it goes on when there is room", self.name, error)  # noqa: TRY400 - one sentence
            since_ns = frame.captured_ns if self._full is None else self._full.since_ns
            self._full = _Full(since_ns=since_ns, looked_ns=frame.captured_ns, wait_ns=wait_ns)

    def _room_again(self, frame: Frame) -> bool:
        """Whether it is time to try again, and there is room; what may go is removed first."""
        full = self._full
        assert full is not None
        if frame.captured_ns - full.looked_ns < full.wait_ns:
            return False
        self._full = replace(full, looked_ns=frame.captured_ns)
        prune(self._keep, self._path, made=self._finished_ns)
        try:
            return self._room_bytes(self._path.parent) >= ENOUGH_ROOM_BYTES
        except OSError:
            return False

    def _record(self, result: Result, image: Image) -> None:
        frame = result.frame
        time_s = frame.index / self._recipe.fps if frame.pts_s is None else frame.pts_s
        key = frame.epoch, image.shape
        leaps = not -_LEAP_BACK_S <= time_s - self._last_s <= LONGEST_FRAME_S
        if key != self._segment_key or leaps or (self._schedule is not None and self._schedule.over(frame, time_s)):
            goes_on = key == self._segment_key and not leaps
            self._finish(next_s=time_s - self._zero_s if goes_on else None)
        if self._segment is None:
            self._segment = self._next_segment(frame, time_s, size_px=(image.shape[1], image.shape[0]))
            self._segment_key, self._zero_s, self._last_s = key, time_s, time_s
        if self._chapters_when is not None and self._chapters_when.begins(result, time_s):
            self._mark(self._chapters_when.condition.text, time_s - self._zero_s + self._segment.lead_s)
        try:
            self._segment.write(image, time_s=time_s - self._zero_s)
        finally:
            self.written = self._written_before + self._segment.frames
        self._last_s = time_s
        if self._full is not None:
            waited_s = (frame.captured_ns - self._full.since_ns) / NS_PER_S
            logger.warning("%s: there is room again after %.0f s: it goes on", self.name, waited_s)
            self._full = None

    def _mark(self, title: str, at_s: float) -> None:
        """A chapter begins."""
        assert self._segment is not None
        self._segment.marks.append(Chapter(at_s, math.inf, title))

    def _next_segment(self, frame: Frame, time_s: float, *, size_px: tuple[int, int]) -> VideoFile:
        file = self._file or self._next_file(frame)
        self._file = None
        if self._schedule is not None:
            self._schedule.begin(frame, time_s)
        segment = VideoFile(file, self._recipe, size_px=size_px, original=self._original_for(frame), start_s=time_s)
        self._paths.append(file.written_path)
        _warn_if_little_room(file.written_path.parent)
        logger.info("recording %dx%d to %s", *size_px, printable(str(file.path), limit=256))
        return segment

    def _original_for(self, frame: Frame) -> Original | None:
        if not self._from_files:
            return None
        if frame.source != self._original_path:
            self._original_path, self._original = frame.source, original_of(frame.source)
        return self._original

    def _next_file(self, frame: Frame) -> OutFile:
        if self._force and not self._paths and not self._stamped:
            return OutFile(self._path, force=True, part=True)
        path = self._path if self._name_next is None else self._name_next()
        if self._stamped:
            path = stamped(path, captured_at(frame))
        return OutFile(next_free(path), part=True)

    def _finish(self, next_s: float | None = None) -> None:
        """Close the file; next_s: until when its last frame is shown, if time goes on behind it."""
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            segment.close(next_s=next_s)
        finally:
            self.written = self._written_before = self._written_before + segment.frames
            self._paths[-1] = segment.path
        path = printable(str(segment.path), limit=256)
        logger.info("recorded %d frames, %.2f s, in %s", segment.frames, segment.duration_s, path)
        self._finished_ns[segment.path] = time.monotonic_ns()
        prune(self._keep, self._path, made=self._finished_ns)

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def recipe_for(path: Path, video: VideoOptions, *, fps: float | None) -> Recipe:
    """How a video at `path` is made. Raises ConfigError or SinkOpenError where it cannot be."""
    container, codec = container_of(path, video.codec)
    check_quality(codec, video.crf)
    return Recipe(
        container=container,
        codec=codec,
        encoder=choose_encoder(codec, video.encoder),
        options=video,
        fps=_believable(fps),
    )


def _is_full(error: SinkError) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in NO_ROOM


def _believable(fps: float | None) -> float:
    if fps is None or not math.isfinite(fps) or fps <= 0:
        return DEFAULT_FPS
    return min(max(fps, FPS_LIMITS[0]), FPS_LIMITS[1])


def _warn_if_little_room(folder: Path) -> None:
    with suppress(OSError):  # a folder that has gone is told when it is written to
        free_bytes = shutil.disk_usage(folder).free
        if free_bytes < LITTLE_ROOM_BYTES:
            logger.warning("only %d MB are free in %s", free_bytes // 1_000_000, printable(str(folder), limit=256))
