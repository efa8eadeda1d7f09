"""What was seen, as a table: one JSON object a line, one line a frame.

Lines go to the system one by one, so that kill -9 costs at most the last one, and `tail -f` works.
"""

import json
from pathlib import Path
from typing import Any

from streamer.clock import NS_PER_MS
from streamer.errors import SinkError
from streamer.frame import Result
from streamer.interfaces import SinkRole
from streamer.labels import Labels
from streamer.sinks.outfile import OutFile, failure
from streamer.text import printable


class JsonLines:
    """A Sink that writes JSON Lines (https://jsonlines.org), UTF-8. Every line has every key:

        index       number of the frame in the source, from 0; a gap is a frame that was dropped or unusable
        source      the name of the camera, file or picture
        pts_s       media time in seconds since the first frame; null where the source has no clock
        epoch       grows when the stream starts anew: a reconnect, another size, the next file
        size        [width, height] of the frame in pixels
        failed      true where the model failed, so that having no detections says nothing
        detected    true where the detections were made on this very frame; false where they are an older one's, where
                    the model failed, and where it has not looked yet
        age_ms      how much older the frame is that the detections were made on; 0 where it is this one
        detections  highest score first, each with
            box         [x1, y1, x2, y2] in pixels, to 0.01
            box_norm    the same divided by width and height, to 0.000001
            class_id    as the model counts
            label       its name
            score       0 to 1
            track_id    only where objects are tracked

    Raises SinkOpenError.
    """

    role: SinkRole = "report"
    needs_image = False

    def __init__(self, path: Path, *, labels: Labels, force: bool = False) -> None:
        self.name = f"JSON lines {printable(str(path), limit=256)}"
        self.written = 0
        self._labels = labels
        self._file = OutFile(path, force=force)
        self._closed = False

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("the report has ended", where=str(self._file.path))
        line = json.dumps(_row(result, self._labels), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            # A lone surrogate, from a file name that is no UTF-8, becomes \udcXX: valid JSON.
            self._file.write(f"{line}\n".encode("utf-8", "backslashreplace"))
        except OSError as error:
            self.close()
            raise self._failure(error) from error
        self.written += 1

    def close(self) -> None:
        self._closed = True
        try:
            self._file.close()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> SinkError:
        return failure(self._file.path, error, saved=f"the first {self.written} lines are whole")


def _row(result: Result, labels: Labels) -> dict[str, Any]:
    frame, detections = result.frame, result.detections
    return {
        "index": frame.index,
        "source": frame.source,
        "pts_s": None if frame.pts_s is None else round(frame.pts_s, 6),
        "epoch": frame.epoch,
        "size": list(frame.size_px),
        "failed": result.failed,
        "detected": result.detected,
        "age_ms": round(detections.age_ns / NS_PER_MS, 3),
        "detections": _detections(result, labels),
    }


def _detections(result: Result, labels: Labels) -> list[dict[str, Any]]:
    detections, (width, height) = result.detections, result.frame.size_px
    tracks = None if detections.track_ids is None else detections.track_ids.tolist()
    rows: list[dict[str, Any]] = []
    for number, (box, class_id, score) in enumerate(
        zip(detections.boxes.tolist(), detections.class_ids.tolist(), detections.scores.tolist(), strict=True)
    ):
        x1, y1, x2, y2 = box
        row: dict[str, Any] = {
            "box": [round(edge, 2) for edge in box],
            "box_norm": [round(part, 6) for part in (x1 / width, y1 / height, x2 / width, y2 / height)],
            "class_id": class_id,
            "label": labels.name(class_id),
            "score": round(score, 4),
        }
        if tracks is not None:
            row["track_id"] = tracks[number]
        rows.append(row)
    return rows
