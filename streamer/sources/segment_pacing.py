"""When pictures of live HLS are due: they come a segment at a time, and are given at their own speed.

Other than Pacer it never waits for what leaps ahead, and makes up for what it was held up by.
"""

import threading

from streamer.clock import NS_PER_S, Clock

LATE_S = 1.0
"""Who is later than this hurries."""

WAITED_S = 0.5
"""A read that took longer waited for a segment that was not there yet."""

LONGEST_STEP_S = 3.0
"""Between two pictures. More is a leap: segments were missed, or the server began its clock anew."""


class SegmentPacer:
    """Lets moments of a live stream's own time pass at their own speed."""

    def __init__(self, clock: Clock, closing: threading.Event) -> None:
        self._clock = clock
        self._closing = closing
        self._origin_s = 0.0
        self._last_s: float | None = None
        self._hurrying = False

    def wait_until(self, media_s: float, *, read_s: float) -> bool:
        """Wait until `media_s` is due, which took `read_s` to be read; False if the source is being closed.

        Who was held up is late, and hurries: what came meanwhile is there. Where it has to be waited for all the same,
        the stream itself is later than before.
        """
        now_s = self._clock.now_ns() / NS_PER_S
        leaps = self._last_s is None or not 0 <= media_s - self._last_s <= LONGEST_STEP_S
        self._last_s = media_s
        late_s = now_s - self._origin_s - media_s
        if leaps or (self._hurrying and late_s > LATE_S and read_s > WAITED_S):
            self._origin_s, late_s = now_s - media_s, 0.0
        self._hurrying = late_s > LATE_S or (self._hurrying and late_s > 0)
        if late_s < 0:
            self._clock.wait(self._closing, -late_s)
        return not self._closing.is_set()
