"""Waiting until a frame is due. It knows nothing of frames: seconds in, a wait on the injected clock."""

import threading

from streamer.clock import NS_PER_S, Clock

MAX_LAG_S = 1.0
"""Who is later than this starts afresh instead of hurrying after what was missed."""


class Pacer:
    """Lets moments of media time pass at their own speed."""

    def __init__(self, clock: Clock, closing: threading.Event) -> None:
        self._clock = clock
        self._closing = closing
        self._origin_ns: int | None = None

    def wait_until(self, media_s: float) -> bool:
        """Wait until `media_s` is due, counted from the first call; False if the source is being closed."""
        now_ns = self._clock.now_ns()
        media_ns = round(media_s * NS_PER_S)
        if self._origin_ns is None or now_ns - self._origin_ns - media_ns > MAX_LAG_S * NS_PER_S:
            self._origin_ns = now_ns - media_ns
        delay_s = (self._origin_ns + media_ns - now_ns) / NS_PER_S
        if delay_s > 0:
            self._clock.wait(self._closing, delay_s)
        return not self._closing.is_set()
