"""What a run saw, seen again: a table stands in for the model. Called by the verb render."""

import logging
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from streamer.analytics.table_reading import Table, Told
from streamer.errors import ConfigError
from streamer.frame import MAX_DETECTIONS, Detections, Frame, Image
from streamer.interfaces import Analysis, SourceInfo
from streamer.labels import Labels
from streamer.text import printable

logger = logging.getLogger(__name__)

SAME_MOMENT_S = 0.0005
"""How far a frame's time may be from the one in the table: half of what the coarsest containers round to."""


class Recorded:
    """A Detector that looks at nothing, and the Analyzer behind it, which knows what a table says of each frame.

    A frame is found by its file and its time in it, not by its number, which another `--start` or `--stride` than the
    run's would change; a picture by its file alone. Where table and source are both of one file, its name may be
    another; else a file is found by its path or, if no two in the table share it, by its name. A frame that is not
    there goes without boxes.

    conf, classes, max_det: what is passed on of what the table holds; there is nothing to be had below its scores.
    whole: the source is read from its first frame to its last, so that all that is in the table should come.

    Raises ConfigError for a class that is not in the table, and for two lines of one frame. `update` raises it for a
    frame of another size than the table says.
    """

    batch = 1
    concurrency = 1
    runtime = "a table, no model"

    def __init__(
        self,
        table: Table,
        *,
        conf: float = 0.0,
        classes: Sequence[str] = (),
        max_det: int = MAX_DETECTIONS,
        whole: bool = True,
    ) -> None:
        self.conf = conf
        self._table = table
        self._name = printable(str(table.path), limit=256)
        self._classes = sorted(table.labels.ids(classes)) if classes else None
        self._max_det = max_det
        self._whole = whole
        self._files = _by_file(table)
        self._times_s = {name: [row.pts_s or 0.0 for row in rows] for name, rows in self._files.items()}
        self._only = next(iter(self._files)) if len(self._files) == 1 else None
        self._one_file = False
        self._used: set[int] = set()
        self._frames = self._missing = 0

    @property
    def path(self) -> Path:
        """The file of the table."""
        return self._table.path

    @property
    def labels(self) -> Labels:
        return self._table.labels

    def describe(self) -> str:
        """What is in the table, for people."""
        rows = self._table.rows
        scores = np.concatenate([row.detections.scores for row in rows])
        text = f"{self._name}: {len(rows)} frames, {len(scores)} detections"
        return text if not len(scores) else f"{text} with scores from {scores.min():.3g} to {scores.max():.3g}"

    def suit(self, source: SourceInfo) -> None:
        """Look whether the table can be of this source, before anything is read; a doubt is a warning.

        Raises ConfigError where it cannot.
        """
        self._one_file = not source.several
        sizes = {row.size_px for row in self._table.rows}
        if self._one_file and source.size_px is not None and source.size_px not in sizes:
            raise self._of_another(next(iter(self._table.rows)), source.size_px)
        if self._one_file and self._only is not None and Path(self._only).name != Path(source.name).name:
            made_of, name = printable(Path(self._only).name), printable(Path(source.name).name)
            logger.warning("%s: is of %s, and is drawn on %s", self._name, made_of, name)
        if lowest := [row.detections.scores[-1] for row in self._table.rows if len(row.detections)]:
            self._say_if_lower(float(min(lowest)))

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Nothing yet: which frame an image is of, only `update` is told."""
        return [Detections.unknown()] * len(images)

    def update(self, frame: Frame, detections: Detections) -> Analysis:
        """What the table says of this frame, instead of `detections`."""
        del detections
        self._frames += 1
        row = self._row_of(frame)
        if row is None:
            self._missing += 1
            return Analysis(Detections.unknown(), detected=False)
        if row.size_px != frame.size_px:
            raise self._of_another(row, frame.size_px)
        self._used.add(row.line)
        return Analysis(self._wanted(row.detections), failed=row.failed, detected=row.detected)

    def close(self) -> None:
        """Say which frames were not in the table, and which of the table did not come. Idempotent."""
        frames, self._frames = self._frames, 0
        if not frames:
            return
        if self._missing == frames:
            logger.warning("%s: not one of %d frames is in it: is it of another clip?", self._name, frames)
        elif self._missing:
            logger.warning("%s: %d of %d frames are not in it; they have no boxes", self._name, self._missing, frames)
        if self._whole and self._used:
            self._say_what_did_not_come()

    def _say_what_did_not_come(self) -> None:
        """Of one file of many, the others need not come."""
        used = {row.source for row in self._table.rows if row.line in self._used}
        due = [row for row in self._table.rows if row.source in used or not self._one_file]
        if len(due) > len(self._used):
            logger.warning("%s: %d of its %d frames did not come", self._name, len(due) - len(self._used), len(due))

    def _wanted(self, found: Detections) -> Detections:
        kept = found.scores.astype(np.float64) >= self.conf  # as from_raw compares them
        if self._classes is not None:
            kept &= np.isin(found.class_ids, self._classes)
        return found[kept][: self._max_det]

    def _row_of(self, frame: Frame) -> Told | None:
        name = self._only if self._one_file and self._only is not None else self._name_of(frame.source)
        rows = self._files.get(name, [])
        if frame.pts_s is None or (rows and rows[0].pts_s is None):
            return rows[0] if rows and rows[0].pts_s is frame.pts_s else None
        times_s = self._times_s.get(name, [])
        after = bisect_left(times_s, frame.pts_s)
        near = [at for at in (after - 1, after) if 0 <= at < len(rows)]
        nearest = min(near, key=lambda at: abs(times_s[at] - (frame.pts_s or 0.0)), default=None)
        if nearest is None or abs(times_s[nearest] - frame.pts_s) > SAME_MOMENT_S:
            return None
        return rows[nearest]

    def _name_of(self, source: str) -> str:
        """What the table calls this file: its path, or another one with its name if there is but one."""
        if source in self._files:
            return source
        same = [known for known in self._files if Path(known).name == Path(source).name]
        return same[0] if len(same) == 1 else source

    def _of_another(self, row: Told, size_px: tuple[int, int]) -> ConfigError:
        (table_w, table_h), (width, height) = row.size_px, size_px
        return ConfigError(
            f"is of a frame of {table_w}x{table_h}, and here it has {width}x{height}",
            where=f"{self.path}:{row.line}",
            hint="the table is of another clip",
        )

    def _say_if_lower(self, lowest: float) -> None:
        if 0 < self.conf < lowest:
            logger.info(
                "--conf %g: the lowest score in the table is %.3g, and a table gives no more", self.conf, lowest
            )


def _by_file(table: Table) -> dict[str, list[Told]]:
    """The lines of each file in the order of time. Raises ConfigError where two are of one moment."""
    files: dict[str, list[Told]] = {}
    for row in table.rows:
        files.setdefault(row.source, []).append(row)
    for rows in files.values():
        rows.sort(key=lambda row: -1.0 if row.pts_s is None else row.pts_s)
        for one, other in pairwise(rows):
            if one.pts_s == other.pts_s or one.pts_s is None:
                first, second = sorted((one.line, other.line))
                raise ConfigError(
                    f"is of the same frame as line {first}",
                    where=f"{table.path}:{second}",
                    hint="a table holds one run",
                )
    return files
