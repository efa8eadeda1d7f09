"""Which part of a long recording a frame belongs to, what the parts are called, and which of them are kept.

Parts of what is live begin when the clock says so; those of a file after equal times of it. recorder.py writes them.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from streamer.clock import NS_PER_S
from streamer.frame import Frame
from streamer.sinks.options import Keep
from streamer.text import printable

logger = logging.getLogger(__name__)

_STAMP = r"\d{8}T\d{6}"

_SHORTEST_S = 1.0
"""A part of which less than this would be left is joined to the next one."""

_FORGOTTEN_S = 60.0
"""A part that has not grown for so long was left by a run that did not end."""


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
            # In whole microseconds: 0.3 // 0.1 is 2.
            length_us = round(self._length_s * 1e6)
            self._end = (round(time_s * 1e6) // length_us + 1) * length_us / 1e6
            return
        captured = captured_at(frame, self._now, self._monotonic_ns)
        since_midnight = captured - captured.replace(hour=0, minute=0, second=0, microsecond=0)
        left_s = self._length_s - since_midnight.total_seconds() % self._length_s
        if left_s < min(_SHORTEST_S, self._length_s / 2):  # the clock was set back a little
            left_s += self._length_s
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
    waited_ns = monotonic_ns() - frame.captured_ns
    return now() - timedelta(microseconds=waited_ns / 1000)


def stamped(path: Path, when: datetime) -> Path:
    """`cam-20250131T235959.mp4` of cam.mp4, in local time: but for the hour that summer time takes back, names sort."""
    return path.with_name(f"{path.stem}-{when:%Y%m%dT%H%M%S}{path.suffix}")


def prune(
    keep: Keep,
    path: Path,
    *,
    beside: Sequence[str] = (),
    made: Mapping[Path, int] | None = None,
    now: Callable[[], float] = time.time,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
) -> None:
    """Remove the oldest of the files that are called like the parts of `path`, until what is left is within `keep`.

    Those of earlier runs count as well, what a run that did not end left behind included. The newest stays, however
    large it is. beside: endings of what belongs to a part and goes with it. What cannot be removed is told, and stays.
    made: the parts of this run and when they were finished, by the monotonic clock. They are younger than all others,
    whatever a wall clock that was set back since says.
    """
    if keep.bytes is None and keep.seconds is None:
        return
    ending = rf"(-\d{{3}})?(\.part(-\d{{3}})?)?{re.escape(path.suffix)}"
    pattern = re.compile(rf"{re.escape(path.stem)}-{_STAMP}{ending}")
    found: list[tuple[float, int, Path]] = []
    finished_ns = {part.name: at_ns for part, at_ns in (made or {}).items()}
    for entry in _entries(path.parent):
        if pattern.fullmatch(entry.name):
            with suppress(OSError):  # it has just gone
                whole = entry.stat()
                if ".part" not in entry.name or now() - whole.st_mtime > _FORGOTTEN_S:
                    age_s = now() - whole.st_mtime
                    if entry.name in finished_ns:
                        age_s = (monotonic_ns() - finished_ns[entry.name]) / NS_PER_S
                    found.append((age_s, whole.st_size, entry))
    found.sort(key=lambda part: (part[2].name in finished_ns, -part[0], part[1:]))
    total_bytes = sum(size for _, size, _ in found)
    for age_s, size, entry in found[:-1]:
        too_old = keep.seconds is not None and age_s > keep.seconds
        too_much = keep.bytes is not None and total_bytes > keep.bytes
        if (too_old or too_much) and _remove(entry, beside):
            total_bytes -= size


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _remove(path: Path, beside: Sequence[str]) -> bool:
    name = printable(str(path), limit=256)
    try:
        path.unlink()
    except OSError as error:
        logger.warning("%s is too old or too much, and cannot be removed: %s", name, error.strerror)
        return False
    logger.info("removed %s, to keep no more than was asked for", name)
    for ending in beside:
        with suppress(OSError):
            path.with_suffix(ending).unlink()
    return True
