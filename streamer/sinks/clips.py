"""Clips of what happens, from some seconds before it: one video, one picture and one JSON file for each event.

All frames are encoded all the time and the last seconds kept in memory (preroll.py); nothing is written until the
condition holds. Events that touch become one clip.
"""

import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.errors import InternalError, SinkError
from streamer.frame import Frame, Image, Result
from streamer.interfaces import SinkRole
from streamer.labels import Labels
from streamer.sinks.conditions import Condition
from streamer.sinks.containers import TICKS_PER_S
from streamer.sinks.options import Keep, VideoOptions
from streamer.sinks.original import Original, original_of
from streamer.sinks.outfile import OutFile, failure, next_free, publish, refusal
from streamer.sinks.packet_file import PacketFile
from streamer.sinks.pictures import save_picture
from streamer.sinks.preroll import PreRoll
from streamer.sinks.recorder import recipe_for
from streamer.sinks.segments import captured_at, prune, stamped
from streamer.text import printable, safe_file_name

logger = logging.getLogger(__name__)

_ENDING = ".mp4"


@dataclass(slots=True)
class _Event:
    """What happens, and its clip once that is begun. Times are of the media, in 1/TICKS_PER_S s."""

    number: int
    path: Path
    begins: Frame
    begins_at: datetime
    start_ticks: int
    last_ticks: int
    last: Frame
    clip: PacketFile | None = None
    written_ticks: int = -1
    best_score: float = -1.0
    best: Result | None = None
    classes: dict[str, dict[str, float]] = field(default_factory=dict)


class Clips:
    """A Sink that records events.

    folder: made if it is not there. source: what the clips are called after.
    condition: when something happens. pre_s, post_s: what is kept from before it first holds and after it last does.
    video, fps, from_files, live: as for Recorder; the clips are mp4. keep: how many of them stay.

    A clip that cannot be written is told, and the next one tried; `close` raises SinkError then.

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
    ) -> None:
        self._recipe = recipe_for(Path(f"x{_ENDING}"), video or VideoOptions(), fps=fps)
        self.name = f"clips in {printable(str(folder), limit=256)}"
        self.written = 0
        """Frames in the clips so far."""
        self._stem = folder / f"{safe_file_name(Path(source).stem) or 'clip'}{_ENDING}"
        self._condition = condition
        self._labels = labels
        self._pre_ticks, self._post_ticks = round(pre_s * TICKS_PER_S), round(post_s * TICKS_PER_S)
        self._pre_s = pre_s
        self._from_files, self._live = from_files, live
        self._keep = keep or Keep()
        self._preroll: PreRoll | None = None
        self._key: tuple[object, ...] = ()
        self._original: Original | None = None
        self._event: _Event | None = None
        self._events = 0
        self._files: list[Path] = []
        self._failures: list[SinkError] = []
        self._closed = False
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
        preroll = self._preroll_for(frame, result.image)
        preroll.add(result.image, time_s)
        ticks = round(time_s * TICKS_PER_S)
        if self._event is not None:
            self._go_on(self._event, preroll)
        if self._event is not None and self._over(self._event, ticks, preroll):
            self._finish_event()
        if not result.failed and result.detections.looked and self._condition.holds(result.detections):
            self._happens(result, ticks)

    def close(self) -> None:
        """Finish the clip that is under way. Raises SinkError where a clip could not be written."""
        self._closed = True
        self._end_of_stream()
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def _preroll_for(self, frame: Frame, image: Image) -> PreRoll:
        key = frame.epoch, image.shape, frame.source
        if self._preroll is None or key != self._key:
            self._end_of_stream()
            self._key = key
            self._original = original_of(frame.source) if self._from_files else None
            size_px = image.shape[1], image.shape[0]
            self._preroll = PreRoll(self._recipe, size_px=size_px, length_s=self._pre_s, original=self._original)
        return self._preroll

    def _over(self, event: _Event, ticks: int, preroll: PreRoll) -> bool:
        """Whether a clip that begins with this frame would not touch it, and all of it has come out of the encoder."""
        end_ticks = event.last_ticks + self._post_ticks
        return ticks > end_ticks + self._pre_ticks and preroll.newest_ticks >= end_ticks

    def _happens(self, result: Result, ticks: int) -> None:
        event = self._event
        if event is None:
            self._events += 1
            begins_at = captured_at(result.frame)
            event = self._event = _Event(
                number=self._events,
                path=next_free(self._named(begins_at, ticks)),
                begins=result.frame,
                begins_at=begins_at,
                start_ticks=max(0, ticks - self._pre_ticks),
                last_ticks=ticks,
                last=result.frame,
            )
            logger.info("event %d: %s", event.number, self._condition.text)
        event.last_ticks, event.last = ticks, result.frame
        detections = result.detections[self._condition.meant(result.detections)]
        counts: dict[str, int] = {}
        for class_id, score in zip(detections.class_ids.tolist(), detections.scores.tolist(), strict=True):
            name = self._labels.name(class_id)
            counts[name] = counts.get(name, 0) + 1
            seen = event.classes.setdefault(name, {"most": 0, "best_score": 0.0})
            seen["most"] = max(seen["most"], counts[name])
            seen["best_score"] = max(seen["best_score"], round(score, 4))
        best = float(detections.scores[0]) if len(detections) else 0.0
        if best > event.best_score:
            event.best_score, event.best = best, result

    def _named(self, begins_at: datetime, ticks: int) -> Path:
        if self._live:
            return stamped(self._stem, begins_at)
        return self._stem.with_name(f"{self._stem.stem}-{ticks / TICKS_PER_S:09.3f}s{_ENDING}")

    def _go_on(self, event: _Event, preroll: PreRoll, *, ended: bool = False) -> None:
        """Write what belongs to the clip and has come out of the encoder."""
        try:
            if event.clip is None:
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
            if event.best is not None and event.best.image is not None:
                save_picture(event.path.with_suffix(".jpg"), event.best.image, force=True)
            self._tell(event, event.clip)
        except SinkError as error:
            self._fail(event, error)
            return
        if self._live:
            prune(self._keep, self._stem)

    def _tell(self, event: _Event, clip: PacketFile) -> None:
        path = event.path.with_suffix(".json")
        data = json.dumps(self._told(event, clip), ensure_ascii=False, indent=2) + "\n"
        try:
            publish(path, data.encode("utf-8", "backslashreplace"), force=True)
        except OSError as error:
            raise failure(path, error, saved="its clip is there") from error

    def _told(self, event: _Event, clip: PacketFile) -> dict[str, Any]:
        best = event.best
        return {
            "event": event.number,
            "condition": self._condition.text,
            "source": event.begins.source,
            "begins": self._moment(event.begins),
            "ends": self._moment(event.last),
            "clip": {
                "file": event.path.name,
                "starts_pts_s": round(event.start_ticks / TICKS_PER_S, 6),
                "duration_s": round(clip.duration_s, 6),
                "frames": clip.frames,
            },
            "classes": event.classes,
            "snapshot": None
            if best is None
            else {"file": event.path.with_suffix(".jpg").name, "score": round(event.best_score, 4)}
            | self._moment(best.frame),
        }

    def _moment(self, frame: Frame) -> dict[str, Any]:
        when = captured_at(frame).astimezone(UTC).isoformat(timespec="milliseconds") if self._live else None
        return {
            "index": frame.index,
            "pts_s": None if frame.pts_s is None else round(frame.pts_s, 6),
            "wall_time": when,
        }

    def _fail(self, event: _Event, error: SinkError) -> None:
        self._failures.append(error)
        self._event = None
        logger.error("event %d is not kept: %s", event.number, error)
