"""When each frame of a file is shown, from what its decoder says. It reads nothing itself."""

import logging
import math

logger = logging.getLogger(__name__)

MAX_GAP_S = 24 * 3600.0
"""A frame that claims to come more than a day after the one before it is not believed."""

DEFAULT_STEP_S = 1 / 25
"""Between two frames where neither timestamps nor a rate can be believed."""


class Timeline:
    """Media time since the first frame: always finite, always growing, whatever the container says.

    name: for the warning. fps: the nominal rate, which stands in where a timestamp cannot be used.
    """

    def __init__(self, *, name: str, fps: float | None) -> None:
        self._name = name
        self._origin_s: float | None = None
        self._last_s: float | None = None
        self._warned = False
        self.step_s = DEFAULT_STEP_S if fps is None else 1 / fps
        """One frame's time, seconds."""

    @property
    def origin_s(self) -> float:
        """The first frame's position, as its decoder counts, seconds."""
        return self._origin_s or 0.0

    def place(self, position_s: float) -> float:
        """Seconds since the first frame for the next one, which its decoder puts at `position_s`.

        A position that is not a number, does not grow or leaps by more than a day is replaced by one frame's time
        after the frame before; the first time, a warning says so.
        """
        if self._origin_s is None:
            self._origin_s = position_s if math.isfinite(position_s) and abs(position_s) < MAX_GAP_S else 0.0
        offset_s = position_s - self._origin_s
        if self._last_s is None:
            offset_s = 0.0
        elif not self._last_s < offset_s < self._last_s + MAX_GAP_S:
            self._warn(position_s)
            offset_s = self._last_s + self.step_s
        self._last_s = offset_s
        return offset_s

    def restart(self) -> None:
        """The next frame is the file's first one again."""
        self._origin_s = self._last_s = None

    def jump(self, position_s: float) -> float:
        """As `place`, after a seek: the position is believed, whatever came before."""
        self._last_s = position_s - self.origin_s
        return self._last_s

    def _warn(self, position_s: float) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "%s: a timestamp cannot be used (%g s); such frames are put one frame's time after the one before",
                self._name,
                position_s,
            )
