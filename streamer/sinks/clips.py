"""Clips of what happens, from some seconds before it: one video, one picture and one JSON file for each event.

All frames are encoded all the time and the last seconds kept in memory (preroll.py); nothing is written until the
condition holds. Events that touch become one clip. event.py is what is told of one.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamer.clock import NS_PER_S
from streamer.errors import InternalError, SinkError
from streamer.frame import Frame, Image, Result
from streamer.interfaces import SinkRole
from streamer.labels import Labels
from streamer.sinks.conditions import Condition
from streamer.sinks.containers import TICKS_PER_S
from streamer.sinks.event import Event, Moment
from streamer.sinks.options import Keep, VideoOptions
from streamer.sinks.original import Original, original_of
from streamer.sinks.outfile import OutFile, failure, next_free, publish, refusal
from streamer.sinks.packet_file import PacketFile
from streamer.sinks.pictures import save_picture
from streamer.sinks.preroll import PreRoll
from streamer.sinks.recorder import ENOUGH_ROOM_BYTES, recipe_for
from streamer.sinks.segments import captured_at, prune, stamped
from streamer.sinks.video_file import CODING_ERRORS
from streamer.text import printable, safe_file_name

logger = logging.getLogger(__name__)

_ENDING = ".mp4"
_BESIDE = (".jpg", ".json")
_LOOK_NS = NS_PER_S
"""How long after a clip that could not be written the next one is tried, at the earliest."""


class Clips:
    """A Sink that records events.

    folder: made if it is not there. source: what the clips are called after.
    condition: when something happens. pre_s, post_s: what is kept from before it first holds and after it last does.
    video, fps, from_files, live: as for Recorder; the clips are mp4. keep: how many of them stay.

    A clip that cannot be written is told, and the next event tried, once there is room; `close` raises SinkError then.

    Raises SinkOpenError where nothing can be written into `folder`.
    """

    role: SinkRole = "clips"
    needs_image = True

    def __init__(
        self,
        folder: Path,
        *,
        source: str,
        condition: Condition,
        labels: Labels,
        pre_s: float = 5.0,
        post_s: float = 5.0,
        video: VideoOptions | None = None,
        fps: float | None = None,
        from_files: bool = False,
        live: bool = False,
        keep: Keep | None = None,
        room_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._recipe = recipe_for(Path(f"x{_ENDING}"), video or VideoOptions(), fps=fps)
        self.name = f"clips in {printable(str(folder), limit=256)}"
        self.written = 0
        """Frames in the clips so far."""
        self._stem = folder / f"{safe_file_name(Path(source).stem) or 'clip'}-event{_ENDING}"
        self._condition = condition
        self._labels = labels
        self._pre_ticks, self._post_ticks = round(pre_s * TICKS_PER_S), round(post_s * TICKS_PER_S)
        self._pre_s = pre_s
        self._from_files, self._live = from_files, live
        self._keep = keep or Keep()
        self._room_bytes = room_bytes
        self._preroll: PreRoll | None = None
        self._key: tuple[object, ...] = ()
        self._original: Original | None = None
        self._event: Event | None = None
        self._events = 0
        self._files: list[Path] = []
        self._finished_ns: dict[Path, int] = {}
        self._failure: SinkError | None = None
        self._failed_ns: int | None = None
        self._closed = False
        self._made = not folder.exists()
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise refusal(folder, error) from error
        OutFile(next_free(self._stem)).close()

    @property
    def recorded_files(self) -> tuple[Path, ...]:
        """The finished clips, in the order of time."""
        return tuple(self._files)

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("no more clips are kept", where=str(self._stem.parent))
        if result.image is None:
            raise InternalError("clips were given a frame that nobody has drawn")
        frame = result.frame
        time_s = frame.index / self._recipe.fps if frame.pts_s is None else frame.pts_s
        ticks = round(time_s * TICKS_PER_S)
        preroll = self._preroll_for(frame, result.image)
        try:
            with self._sink_errors():
                preroll.add(result.image, time_s)
        except SinkError:
            self._preroll = None  # nothing more comes out of its encoder
            preroll.close()
            raise
        if self._event is not None:
            self._go_on(self._event, preroll)
        if self._event is not None and self._over(self._event, ticks, preroll):
            self._finish_event()
        holds = not result.failed and result.detections.looked and self._condition.holds(result.detections)
        if self._failed_ns is not None:
            self._recover(frame, holds=holds)
        elif holds:
            self._happens(result, ticks)

    def close(self) -> None:
        """Finish the clip that is under way. Raises SinkError where a clip could not be written."""
        self._closed = True
        try:
            self._end_of_stream()
        finally:
            if self._made:
                with suppress(OSError):  # it holds something, or has gone
                    self._stem.parent.rmdir()
        failed, self._failure = self._failure, None
        if failed is not None:
            raise failed

    def _preroll_for(self, frame: Frame, image: Image) -> PreRoll:
        key = frame.epoch, image.shape, frame.source
        if self._preroll is None or key != self._key:
            self._end_of_stream()
            self._key = key
            self._original = original_of(frame.source) if self._from_files else None
            size_px = image.shape[1], image.shape[0]
            with self._sink_errors():
                self._preroll = PreRoll(self._recipe, size_px=size_px, length_s=self._pre_s, original=self._original)
        return self._preroll

    def _over(self, event: Event, ticks: int, preroll: PreRoll) -> bool:
        """Whether a clip that begins with this frame would not touch it, and all of it has come out of the encoder."""
        end_ticks = event.last_ticks + self._post_ticks
        return event.clip is not None and ticks > end_ticks + self._pre_ticks and preroll.newest_ticks >= end_ticks

    def _happens(self, result: Result, ticks: int) -> None:
        if self._event is None:
            self._events += 1
            moment = Moment.of(result.frame, live=self._live)
            self._event = Event(
                number=self._events,
                path=_free(self._named(result.frame, ticks)),
                source=result.frame.source,
                begins=moment,
                start_ticks=max(0, ticks - self._pre_ticks),
                last_ticks=ticks,
                ends=moment,
            )
            logger.info("event %d: %s", self._events, self._condition.text)
        meant = result.detections[self._condition.meant(result.detections)]
        self._event.goes_on(result, meant, ticks, labels=self._labels, live=self._live)

    def _named(self, frame: Frame, ticks: int) -> Path:
        if self._live:
            return stamped(self._stem, captured_at(frame))
        return self._stem.with_name(f"{self._stem.stem}-{ticks / TICKS_PER_S:09.3f}s{_ENDING}")

    def _go_on(self, event: Event, preroll: PreRoll, *, ended: bool = False) -> None:
        """Write what belongs to the clip and has come out of the encoder."""
        try:
            if event.clip is None:
                with self._sink_errors():
                    encoded = preroll.since(event.start_ticks, ended=ended)
                if not encoded:
                    return
                event.clip = PacketFile(
                    OutFile(event.path, part=True),
                    self._recipe,
                    size_px=preroll.size_px,
                    zero_ticks=encoded[0].ticks,
                    original=self._original,
                )
                event.start_ticks = encoded[0].ticks
            else:
                encoded = preroll.behind(event.written_ticks)
            for one in encoded:
                if one.ticks > event.last_ticks + self._post_ticks:
                    break
                event.clip.write(one)
                event.written_ticks = one.ticks
                self.written += 1
        except SinkError as error:
            self._fail(event, error)

    def _end_of_stream(self) -> None:
        """Nothing comes behind what is there: finish the clip with all that the encoder still holds."""
        preroll, self._preroll = self._preroll, None
        if preroll is None:
            return
        try:
            with self._sink_errors():
                preroll.flush()
            if self._event is not None:
                self._go_on(self._event, preroll, ended=True)
                self._finish_event()
        finally:
            preroll.close()

    def _finish_event(self) -> None:
        event, self._event = self._event, None
        if event is None or event.clip is None:
            return
        try:
            event.clip.close()
            event.path = event.clip.path
            self._files.append(event.path)
            self._finished_ns[event.path] = time.monotonic_ns()
        except SinkError as error:
            self._fail(event, error)
            return
        try:
            if event.best is not None and event.best.image is not None:
                save_picture(event.path.with_suffix(".jpg"), event.best.image)
            self._tell(event, event.clip)
        except SinkError as error:
            self._failure = self._failure or error
            logger.error("event %d: %s", event.number, error)  # noqa: TRY400 - a sentence, not a traceback
        if self._live:
            prune(self._keep, self._stem, beside=_BESIDE, made=self._finished_ns)

    def _tell(self, event: Event, clip: PacketFile) -> None:
        path = event.path.with_suffix(".json")
        told = event.told(self._condition.text, clip, ticks_per_s=TICKS_PER_S)
        data = json.dumps(told, ensure_ascii=False, indent=2) + "\n"
        try:
            publish(path, data.encode("utf-8", "backslashreplace"), force=False)
        except OSError as error:
            raise failure(path, error, saved="its clip is there") from error

    def _fail(self, event: Event, error: SinkError) -> None:
        """The clip is lost; the same event is not begun again with the next frame."""
        self._failure = self._failure or error
        self._event = None
        self._failed_ns = event.best.frame.captured_ns if event.best is not None else 0
        logger.error("event %d is not kept: %s", event.number, error)

    def _recover(self, frame: Frame, *, holds: bool) -> None:
        """Be ready for the next event, once this one is over and there is room."""
        assert self._failed_ns is not None
        if holds or (self._live and frame.captured_ns - self._failed_ns < _LOOK_NS):
            return
        self._failed_ns = frame.captured_ns
        with suppress(OSError):
            if self._room_bytes(self._stem.parent) >= ENOUGH_ROOM_BYTES:
                self._failed_ns = None

    @contextmanager
    def _sink_errors(self) -> Iterator[None]:
        """Turn what the encoder raises into SinkError."""
        try:
            yield
        except CODING_ERRORS as error:
            raise failure(self._stem.parent, error, saved="the clips that are finished are whole") from error


def _free(path: Path) -> Path:
    """`path`, or the next one of that name that is free together with what will lie beside it."""
    free = next_free(path)
    while any(os.path.lexists(free.with_suffix(ending)) for ending in _BESIDE):
        number = int(free.stem.rpartition("-")[2]) + 1 if free != path else 2
        free = next_free(path.with_name(f"{path.stem}-{number:03d}{path.suffix}"))
    return free
