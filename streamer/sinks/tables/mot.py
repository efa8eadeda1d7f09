"""The text format of MOTChallenge, for tools that compare trackers."""

from typing import ClassVar

from streamer.frame import Result
from streamer.sinks.tables.lines import LineTable
from streamer.sinks.tables.rows import rows_of

NO_TRACK = -1
"""What stands for the identity of a detection that belongs to no track."""


class Mot(LineTable):
    """A Sink that writes what MOTChallenge takes for detections and for the results of trackers, a line a detection:

        frame,id,bb_left,bb_top,bb_width,bb_height,conf,x,y,z

    As there (https://motchallenge.net/instructions/), frames and pixels count from 1: `bb_left` is ours plus 1.
    `id` is -1 where nobody tracks, and x, y, z, which are places in the world, are -1. These ten columns are what
    TrackEval, py-motmetrics and readers of `det.txt` take; those of its ground truth, with class and visibility, are
    another format. So it has no room for classes, times and frames on which nothing was seen: run with `--classes`
    where one class is meant.

    Raises SinkOpenError.
    """

    kind: ClassVar[str] = "MOT"

    def _lines(self, result: Result) -> str:
        number = result.frame.index + 1
        lines: list[str] = []
        for row in rows_of(result, self._labels):
            left, top, width, height = row.xywh
            identity = NO_TRACK if row.track_id is None else row.track_id
            place = f"{_plain(left + 1)},{_plain(top + 1)},{_plain(width)},{_plain(height)}"
            lines.append(f"{number},{identity},{place},{_plain(row.score)},-1,-1,-1\n")
        return "".join(lines)


def _plain(value: float) -> str:
    """To 0.0001 and without an exponent, which not every reader knows."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
