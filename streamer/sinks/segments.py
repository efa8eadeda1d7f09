"""Which part of a long recording a frame belongs to, what the parts are called, and which of them are kept.

Parts of what is live begin when the clock says so; those of a file after equal times of it. recorder.py writes them.
"""

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from streamer.clock import NS_PER_S
from streamer.frame import Frame
from streamer.sinks.options import Keep
from streamer.text import printable

logger = logging.getLogger(__name__)

_STAMP = r"\d{8}-\d{6}"
_BESIDE = (".jpg", ".json")
"""What belongs to a clip and goes with it."""


class Schedule:
    """When the next part is due.

    length_s: how long one is. live: on the clock, at whole multiples of `length_s` since midnight, local time; else at
    multiples of it in the media time of the file.
    now: the wall clock; monotonic_ns: the clock of `Frame.captured_ns`.
    """

    def __init__(
        self,
        length_s: float,
        *,
        live: bool,
        now: Callable[[], datetime] = datetime.now,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._length_s = length_s
        self._live = live
        self._now = now
        self._monotonic_ns = monotonic_ns
        self._end: float = 0.0

    def begin(self, frame: Frame, time_s: float) -> None:
        """A part begins with this frame, which is shown at `time_s` of the media."""
        if not self._live:
            self._end = (time_s // self._length_s + 1) * self._length_s
            return
        captured = captured_at(frame, self._now, self._monotonic_ns)
        since_midnight = captured - captured.replace(hour=0, minute=0, second=0, microsecond=0)
        left_s = self._length_s - since_midnight.total_seconds() % self._length_s
        self._end = frame.captured_ns / NS_PER_S + left_s

    def over(self, frame: Frame, time_s: float) -> bool:
        """Whether this frame belongs to the next part."""
        return (frame.captured_ns / NS_PER_S if self._live else time_s) >= self._end


def captured_at(
    frame: Frame,
    now: Callable[[], datetime] = datetime.now,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
) -> datetime:
    """The wall clock's time at which the frame was captured."""
    return now() - timedelta(microseconds=(monotonic_ns() - frame.captured_ns) / 1000)


def stamped(path: Path, when: datetime) -> Path:
    """`cam-20250131-235959.mp4` of cam.mp4: files of one name sort in the order of time."""
    return path.with_name(f"{path.stem}-{when:%Y%m%d-%H%M%S}{path.suffix}")


def prune(keep: Keep, path: Path, *, now: Callable[[], float] = time.time) -> None:
    """Remove the oldest of the files that are called like the parts of `path`, until what is left is within `keep`.

    Those of earlier runs count as well, and the one that is being written does not: it is still a part. What cannot be
    removed is told, and stays.
    """
    if keep.bytes is None and keep.seconds is None:
        return
    pattern = re.compile(rf"{re.escape(path.stem)}-{_STAMP}(-\d{{3}})?{re.escape(path.suffix)}")
    found: list[tuple[float, int, Path]] = []
    for entry in _entries(path.parent):
        if pattern.fullmatch(entry.name):
            with suppress(OSError):  # it has just gone
                whole = entry.stat()
                found.append((whole.st_mtime, whole.st_size, entry))
    found.sort()
    total_bytes = sum(size for _, size, _ in found)
    for changed_s, size, entry in found:
        too_old = keep.seconds is not None and now() - changed_s > keep.seconds
        too_much = keep.bytes is not None and total_bytes > keep.bytes
        if (too_old or too_much) and _remove(entry):
            total_bytes -= size


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _remove(path: Path) -> bool:
    name = printable(str(path), limit=256)
    try:
        path.unlink()
    except OSError as error:
        logger.warning("%s is too old or too much, and cannot be removed: %s", name, error.strerror)
        return False
    logger.info("removed %s, to keep no more than was asked for", name)
    for ending in _BESIDE:
        with suppress(OSError):
            path.with_suffix(ending).unlink()
    return True
