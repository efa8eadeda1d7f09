"""A row a detection, for spreadsheets, pandas and SQL."""

import csv
import io
from typing import ClassVar

from streamer.frame import Result
from streamer.sinks.tables.lines import LineTable
from streamer.sinks.tables.rows import Row, frame_fields, rows_of

OF_FRAME = ("index", "source", "pts_s", "wall_time", "epoch", "width", "height", "failed", "detected", "age_ms")
OF_DETECTION = (
    *("x1", "y1", "x2", "y2", "x1_norm", "y1_norm", "x2_norm", "y2_norm"),
    *("class_id", "label", "score", "track_id"),
)

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""With one of these a cell is a formula to spreadsheets (https://owasp.org/www-community/attacks/CSV_Injection)."""


class CommaSeparated(LineTable):
    """A Sink that writes CSV (RFC 4180, UTF-8): a header, and a row for each detection, highest score first.

    The columns are the keys of a line of JsonLines, with each number in a column of its own. A frame without detections
    has one row with nothing in the columns of detections: a frame without a row is one that was dropped or unusable.

    Text that a spreadsheet would take for a formula has an apostrophe before it.

    Raises SinkOpenError.
    """

    kind: ClassVar[str] = "CSV"
    head: ClassVar[str] = ",".join((*OF_FRAME, *OF_DETECTION)) + "\r\n"

    def _lines(self, result: Result) -> str:
        fields = frame_fields(result, self._wall)
        width, height = fields.pop("size")
        fields |= {
            "source": _harmless(fields["source"]),
            "width": width,
            "height": height,
            "failed": str(fields["failed"]).lower(),
            "detected": str(fields["detected"]).lower(),
        }
        cells = [fields[name] for name in OF_FRAME]
        text = io.StringIO()
        rows = csv.writer(text)
        for row in rows_of(result, self._labels):
            rows.writerow([*cells, *_cells(row)])
        if not len(result.detections):
            rows.writerow(cells + [None] * len(OF_DETECTION))
        return text.getvalue()


def _cells(row: Row) -> list[object]:
    return [*row.box, *row.box_norm, row.class_id, _harmless(row.label), row.score, row.track_id]


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
