"""What the rows of all tables say alike: of a frame, and of each detection on it. It knows no format."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.clock import NS_PER_MS
from streamer.frame import Result
from streamer.labels import Labels
from streamer.sinks.tables.wall import WallClock

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One detection. Pixels and scores are float32, as the shortest decimals that give the very same float32 again.

    box: x1 y1 x2 y2 in pixels. box_norm: the same divided by width and height, to 0.000001.
    track_id: None where nobody tracks.
    """

    box: Box
    box_norm: Box
    class_id: int
    label: str
    score: float
    track_id: int | None

    @property
    def xywh(self) -> Box:
        """Left, top, width and height in pixels, the last two to 0.000001."""
        return _with_sides(self.box)

    @property
    def xywh_norm(self) -> Box:
        """The same divided by width and height of the frame."""
        return _with_sides(self.box_norm)

    @property
    def area(self) -> float:
        """In square pixels, to 0.0001."""
        _, _, width, height = self.xywh
        return round(width * height, 4)


def frame_fields(result: Result, wall: WallClock | None) -> dict[str, Any]:
    """What is said of the frame, by name, ready for JSON. wall: of a live source; None leaves `wall_time` null."""
    frame = result.frame
    return {
        "index": frame.index,
        "source": frame.source,
        "pts_s": None if frame.pts_s is None else round(frame.pts_s, 6),
        "wall_time": None if wall is None else wall.at(frame.captured_ns),
        "epoch": frame.epoch,
        "size": list(frame.size_px),
        "failed": result.failed,
        "detected": result.detected,
        "age_ms": round(result.detections.age_ns / NS_PER_MS, 3),
    }


def rows_of(result: Result, labels: Labels) -> list[Row]:
    """The detections of a frame, highest score first."""
    seen = result.detections
    columns = (
        exact(seen.boxes),
        np.round(seen.boxes / np.array(result.frame.size_px * 2, np.float64), 6).tolist(),
        seen.class_ids.tolist(),
        exact(seen.scores),
        [None] * len(seen) if seen.track_ids is None else seen.track_ids.tolist(),
    )
    return [
        Row(box, box_norm, class_id, labels.name(class_id), score, track_id)
        for box, box_norm, class_id, score, track_id in zip(*columns, strict=True)
    ]


def exact(values: NDArray[np.float32]) -> list[Any]:
    """The values as Python floats that are written with as few digits as tell each float32 from its neighbours."""
    shortest: list[Any] = values.astype(np.str_).astype(np.float64).tolist()
    return shortest


def _with_sides(box: Box) -> Box:
    x1, y1, x2, y2 = box
    return x1, y1, round(x2 - x1, 6), round(y2 - y1, 6)
