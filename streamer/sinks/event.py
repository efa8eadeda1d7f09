"""Something that happens: from when to when, what was seen meanwhile, and its best moment, ready to be told as JSON."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.frame import Detections, Frame, Result
from streamer.labels import Labels
from streamer.sinks.packet_file import PacketFile
from streamer.sinks.segments import captured_at


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of it, without its picture. at: the wall clock's time of its capture, None where it is not live."""

    index: int
    pts_s: float | None
    at: datetime | None

    @classmethod
    def of(cls, frame: Frame, *, live: bool) -> "Moment":
        """Now: the wall clock may be set later."""
        return cls(frame.index, frame.pts_s, captured_at(frame) if live else None)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        when = None if self.at is None else self.at.astimezone(UTC).isoformat(timespec="milliseconds")
        return {"index": self.index, "pts_s": None if self.pts_s is None else round(self.pts_s, 6), "wall_time": when}


@dataclass(slots=True)
class Event:
    """What happens, and its clip once that is begun. Ticks are of the media, in 1/TICKS_PER_S s.

    path: the clip's, whose .jpg and .json lie beside it.
    """

    number: int
    path: Path
    source: str
    begins: Moment
    start_ticks: int
    last_ticks: int
    ends: Moment
    clip: PacketFile | None = None
    written_ticks: int = -1
    best_score: float = -1.0
    best: Result | None = None
    best_at: Moment | None = None
    classes: dict[str, dict[str, float]] = field(default_factory=dict)

    def goes_on(self, result: Result, meant: Detections, ticks: int, *, labels: Labels, live: bool) -> None:
        """It is still so on this frame; `meant`: the detections that it is about."""
        moment = Moment.of(result.frame, live=live)
        self.last_ticks, self.ends = ticks, moment
        counts: dict[str, int] = {}
        for class_id, score in zip(meant.class_ids.tolist(), meant.scores.tolist(), strict=True):
            name = labels.name(class_id)
            counts[name] = counts.get(name, 0) + 1
            seen = self.classes.setdefault(name, {"most": 0, "best_score": 0.0})
            seen["most"] = max(seen["most"], counts[name])
            seen["best_score"] = max(seen["best_score"], round(score, 4))
        best = float(meant.scores[0]) if len(meant) else 0.0
        if best > self.best_score:
            self.best_score, self.best, self.best_at = best, result, moment

    def told(self, condition: str, clip: PacketFile, *, ticks_per_s: int) -> dict[str, Any]:
        """For JSON."""
        snapshot: dict[str, Any] | None = None
        if self.best_at is not None:
            snapshot = {"file": self.path.with_suffix(".jpg").name, "score": round(self.best_score, 4)}
            snapshot |= self.best_at.told()
        return {
            "event": self.number,
            "condition": condition,
            "source": self.source,
            "begins": self.begins.told(),
            "ends": self.ends.told(),
            "clip": {
                "file": self.path.name,
                "starts_pts_s": round(self.start_ticks / ticks_per_s, 6),
                "duration_s": round(clip.duration_s, 6),
                "frames": clip.frames,
            },
            "classes": self.classes,
            "snapshot": snapshot,
        }
