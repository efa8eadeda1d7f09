"""One JSON object a line, one line a frame: the table that holds everything, and that `streamer render` reads."""

import json
from typing import Any, ClassVar

from streamer.frame import Result
from streamer.sinks.tables.lines import LineTable
from streamer.sinks.tables.rows import Row, frame_fields, rows_of


class JsonLines(LineTable):
    """A Sink that writes JSON Lines (https://jsonlines.org), UTF-8. Every line has every key:

        index       number of the frame in the source, from 0; a gap is a frame that was dropped or unusable
        source      the name of the camera, file or picture
        pts_s       media time in seconds since the first frame; null where the source has no clock
        wall_time   when it was captured, in UTC: 2025-01-31T23:59:59.123Z; null where the source is not live
        epoch       grows when the stream starts anew: a reconnect, another size, the next file
        size        [width, height] of the frame in pixels
        failed      true where the model failed, so that having no detections says nothing
        detected    true where the detections were made on this very frame; false where they are an older one's, where
                    the model failed, and where it has not looked yet
        age_ms      how much older the frame is that the detections were made on; 0 where it is this one
        detections  highest score first, each with
            box         [x1, y1, x2, y2] in pixels; float32, as the shortest decimals that give it again
            box_norm    the same divided by width and height, to 0.000001
            class_id    as the model counts
            label       its name
            score       0 to 1; float32, as the box
            track_id    only where objects are tracked

    Raises SinkOpenError.
    """

    kind: ClassVar[str] = "JSON lines"

    def _lines(self, result: Result) -> str:
        line = frame_fields(result, self._wall)
        line["detections"] = [_fields(row) for row in rows_of(result, self._labels)]
        return json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _fields(row: Row) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "box": row.box,
        "box_norm": row.box_norm,
        "class_id": row.class_id,
        "label": row.label,
        "score": row.score,
    }
    if row.track_id is not None:
        fields["track_id"] = row.track_id
    return fields
