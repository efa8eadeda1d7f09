"""What travels from source to sink: Frame, Moment, Detections, Result, Ledger, Status.

All of it is frozen, and checked once, where it is made. Who holds one may keep it, share it and hand it to another
thread; nobody draws on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.uint8]
"""(height, width, 3) uint8, blue-green-red, as OpenCV has it."""

MAX_DETECTIONS = 300
"""The most boxes that one frame may carry, however many a model gives."""

SCORE_TOLERANCE = 1e-3
"""How far a score may lie outside [0, 1] and still be rounding rather than a wrong output."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Frame:
    """One captured picture and when it was taken.

    image: (height, width, 3) uint8 BGR, C-contiguous. It is made read-only here: OpenCV refuses to draw on it.
    index: counts every frame that the source produced, from 0; a gap is a frame that could not be used.
    captured_ns: monotonic time at which the grab returned.
    pts_s: seconds of media time since the stream's first frame; None only where the source has no clock.
    epoch: grows by one when the stream starts anew: a reconnect, another size, the next file of a folder.
    source: the name of where it came from; for a folder, the file.

    Raises ValueError for an image of another shape, dtype or layout.
    """

    image: Image
    index: int
    captured_ns: int
    pts_s: float | None = None
    epoch: int = 0
    source: str = ""

    def __post_init__(self) -> None:
        image = self.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ValueError(f"a frame is (height, width, 3) uint8, not {image.shape} {image.dtype}")
        if not image.flags.c_contiguous:
            raise ValueError("a frame's image must be C-contiguous")
        image.setflags(write=False)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height)."""
        return self.image.shape[1], self.image.shape[0]

    def __repr__(self) -> str:
        width, height = self.size_px
        return f"Frame(#{self.index} {width}x{height} pts={self.pts_s} epoch={self.epoch} source={self.source!r})"


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame's place in the stream, without its picture; the fields are those of `Frame`."""

    index: int
    captured_ns: int
    pts_s: float | None = None
    epoch: int = 0

    @classmethod
    def of(cls, frame: Frame) -> Self:
        """That of `frame`."""
        return cls(frame.index, frame.captured_ns, frame.pts_s, frame.epoch)

    def ns_since(self, earlier: "Moment") -> int:
        """Nanoseconds from `earlier` to this one: of media time where both have one, else of the clock."""
        if self.pts_s is None or earlier.pts_s is None:
            return self.captured_ns - earlier.captured_ns
        return round((self.pts_s - earlier.pts_s) * 1e9)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Detections:
    """What a model saw on one frame, as a struct of arrays with the highest score first.

    boxes: (N, 4) float32: x1 y1 x2 y2 in pixels of the frame; finite, x1 < x2, y1 < y2, inside the frame.
    scores: (N,) float32 in [0, 1], descending.
    class_ids: (N,) int32, 0 or more; an id that the labels do not know is drawn as `#17`.
    track_ids: (N,) int64 or None.
    age_ns: 0 where they were computed on this very frame, else how much older the frame is that they were computed on.
    rejected: rows that `from_raw` refused.
    looked: False where no detector has seen this picture or one before it, so that having no boxes says nothing.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    track_ids: NDArray[np.int64] | None = None
    age_ns: int = 0
    rejected: int = 0
    looked: bool = True

    @classmethod
    def empty(cls, *, rejected: int = 0) -> Self:
        """No detection."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32), rejected=rejected)

    @classmethod
    def unknown(cls) -> Self:
        """No detection, because no detector has looked."""
        return replace(cls.empty(), looked=False)

    @classmethod
    def from_raw(
        cls,
        boxes: ArrayLike,
        scores: ArrayLike,
        class_ids: ArrayLike,
        *,
        size_px: tuple[int, int],
        conf: float = 0.0,
        max_det: int = MAX_DETECTIONS,
        classes: frozenset[int] | None = None,
    ) -> Self:
        """The one door: whatever a model gave becomes valid detections, and what cannot be is counted in `rejected`.

        boxes: (N, 4) x1 y1 x2 y2 in pixels of a frame of `size_px` (width, height).
        scores: (N,); class_ids: (N,), rounded to the nearest whole number because exports give 1.988 for 2.
        conf: rows with a lower score are left out; they, and rows of classes not in `classes`, are not rejects.
        max_det: the most rows kept, highest scores first.

        Rejected: a score that is not finite or outside [0, 1]; a coordinate that is not finite; a box without area,
        turned inside out or outside the frame; a class id that is negative or no int32. Boxes that reach over the edge
        are clamped to it. Equal scores keep the model's order, so the same input gives the same output.

        Raises ValueError when the arrays do not have these shapes.
        """
        raw_boxes = np.asarray(boxes, np.float64)
        raw_scores = np.asarray(scores, np.float64)
        raw_ids = np.asarray(class_ids, np.float64)
        rows = raw_scores.shape[0] if raw_scores.ndim == 1 else -1
        if raw_boxes.shape != (rows, 4) or raw_ids.shape != (rows,):
            raise ValueError(
                f"boxes {raw_boxes.shape}, scores {raw_scores.shape} and class ids {raw_ids.shape} do not belong "
                "together: (N, 4), (N,) and (N,) are wanted"
            )
        with np.errstate(invalid="ignore"):
            score_ok = (raw_scores >= -SCORE_TOLERANCE) & (raw_scores <= 1 + SCORE_TOLERANCE)
            wanted = score_ok & (raw_scores >= conf)
            rejected = rows - int(np.count_nonzero(score_ok))
            ids = np.rint(raw_ids[wanted])
            boxes_px, kept_scores = raw_boxes[wanted], np.clip(raw_scores[wanted], 0.0, 1.0)
            id_ok = (ids >= 0) & (ids <= np.iinfo(np.int32).max)
            finite = np.isfinite(boxes_px).all(axis=1)
            width, height = size_px
            clamped = np.clip(boxes_px, 0.0, (width, height, width, height)).astype(np.float32)
            ordered = (clamped[:, 0] < clamped[:, 2]) & (clamped[:, 1] < clamped[:, 3])
            valid = id_ok & finite & ordered
        rejected += int(np.count_nonzero(~valid))
        if classes is not None:
            valid &= np.isin(ids, np.fromiter(classes, np.float64, len(classes)))
        scores32 = kept_scores[valid].astype(np.float32)
        clamped, ids = clamped[valid], ids[valid]
        if len(scores32) > max_det:  # of a flood, only what can be kept is worth sorting
            best = scores32 >= np.partition(scores32, -max_det)[-max_det]
            scores32, clamped, ids = scores32[best], clamped[best], ids[best]
        order = np.argsort(-scores32, kind="stable")[:max_det]
        return cls(
            np.ascontiguousarray(clamped[order]), scores32[order], ids[order].astype(np.int32), rejected=rejected
        )

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: NDArray[Any] | slice | Sequence[int]) -> "Detections":
        """The rows that a mask, a slice or indices select; they must keep the order of the scores."""
        tracks = None if self.track_ids is None else self.track_ids[rows]
        return replace(
            self, boxes=self.boxes[rows], scores=self.scores[rows], class_ids=self.class_ids[rows], track_ids=tracks
        )

    def at_least(self, conf: float) -> "Detections":
        """Those with a score of `conf` or more."""
        return self[: int(np.searchsorted(-self.scores, -np.float32(conf), side="right"))]

    def aged(self, age_ns: int) -> "Detections":
        """The same, seen from a frame captured `age_ns` later."""
        return replace(self, age_ns=age_ns)

    def __repr__(self) -> str:
        if not self.looked:
            return "Detections(unknown)"
        return f"Detections({len(self)} boxes, age={self.age_ns / 1e6:.0f} ms, rejected={self.rejected})"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a frame: `kind` says what, `data` the rest, ready for JSON."""

    kind: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Result:
    """What sinks receive: a frame and what was made of it.

    frame: as it was captured, or as an analyzer left it: nobody behind an analyzer sees what it took out.
    image: the frame with everything drawn on it, read-only and of the frame's size; None when no sink asked for it.
    failed: the detector raised on this frame, so that having no detections says nothing about what it shows.
    detected: the detections were made on this very frame. False where they are an older frame's, or nobody looked.
    made_on: the frame that they were made on; None where nobody looked.
    interpolated: the boxes were put between those of `made_on`, which is older, and those of a frame that came later.
        Recordings only, and only if they were asked for smooth boxes.
    """

    frame: Frame
    detections: Detections
    events: tuple[Event, ...] = ()
    image: Image | None = None
    failed: bool = False
    detected: bool = False
    made_on: Moment | None = None
    interpolated: bool = False

    def __repr__(self) -> str:
        drawn = "drawn" if self.image is not None else "not drawn"
        return f"Result({self.frame!r}, {self.detections!r}, {drawn})"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where every frame went. At every moment

        produced == inferred + carried + dropped + failed + in_flight

    produced: frames that the source made, unusable ones included.
    inferred: passed on with what the detector saw on this very frame.
    carried: passed on under the detections of an older frame: the detector was busy (live only), or looks at every Nth
        frame only.
    dropped: discarded on the way, or left out by a source that gave more than could be taken: neither drawn, nor shown,
        nor kept.
    failed: unusable when captured, or the detector raised.
    in_flight: under way.
    shown, recorded: frames that reached the window, and a recording or pictures; they are counted above as well.
    reconnects: how often the source came back.
    """

    produced: int = 0
    inferred: int = 0
    carried: int = 0
    dropped: int = 0
    failed: int = 0
    in_flight: int = 0
    shown: int = 0
    recorded: int = 0
    reconnects: int = 0

    @property
    def balanced(self) -> bool:
        """Whether the sum holds; False is a bug of ours."""
        return self.produced == self.inferred + self.carried + self.dropped + self.failed + self.in_flight

    def __str__(self) -> str:
        parts = [f"{self.produced} produced", f"{self.inferred} inferred"]
        counts = {
            "carried": self.carried,
            "dropped": self.dropped,
            "failed": self.failed,
            "in flight": self.in_flight,
            "shown": self.shown,
            "recorded": self.recorded,
            "reconnects": self.reconnects,
        }
        return ", ".join(parts + [f"{count} {name}" for name, count in counts.items()])


@dataclass(frozen=True, slots=True)
class Status:
    """How the run is doing now; rates are those of the last two seconds.

    state: `starting`, `running`, `paused`, `stalled`, `draining` or `ended`; of a source that was lost `waiting`,
        `connecting` or `failed`.
    detail: what stands still, or why, and since when; empty when all is well.
    no_signal: for how long the source has given nothing, and why; empty while it does.
    latency_p50_ms, latency_p95_ms: from the capture of a frame to the moment it was ready to be shown or kept.
    age_ms: how much older the newest detections are than the newest frame.
    runtime: what runs the model; decoder: what decodes the source; both for people.
    recording: whether what comes is being recorded.
    stalls: which of the run's own stages stand still, and since when. A source that gives nothing is none, until a
        read takes so long that it hangs.
    frame_ns: when the newest frame was captured, in monotonic ns; None before the first.
    """

    state: str = "starting"
    detail: str = ""
    no_signal: str = ""
    live: bool = False
    capture_fps: float = 0.0
    detect_fps: float = 0.0
    view_fps: float = 0.0
    latency_p50_ms: float = 0.0
    latency_p95_ms: float = 0.0
    age_ms: float = 0.0
    conf: float = 0.0
    runtime: str = ""
    decoder: str = ""
    recording: bool = False
    stalls: str = ""
    frame_ns: int | None = None
    ledger: Ledger = Ledger()
