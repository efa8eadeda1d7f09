"""A live source that ends by itself: `--duration` for cameras and streams. Files see to it themselves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.frame import Frame
from streamer.interfaces import Audible, Source, SourceInfo
from streamer.sound import SoundLine
from streamer.sources.reconnecting import Persistent

LOOK_S = 0.1
GRACE_NS = NS_PER_S // 4
"""So much later than by its frames does it end by the clock: the frame that ends it may be on its way."""


class LimitedSource:
    """Another source, for `duration_s` seconds from its first frame; then the stream has ended.

    A live one ends by `clock`, too, from a thread of its own: while there is no signal, no frame tells the time. What
    never gives a frame ends `duration_s` after it was asked for one.
    """

    def __init__(self, source: Source, *, duration_s: float, clock: Clock | None = None) -> None:
        self._source = source
        self._duration_s = duration_s
        self._clock = clock or MonotonicClock()
        self._left_out = 0
        self._over = threading.Event()
        self._since_ns = 0

    @property
    def live(self) -> bool:
        return self._source.live

    @property
    def info(self) -> SourceInfo:
        info = self._source.info
        return replace(info, duration_s=min(self._duration_s, info.duration_s or self._duration_s), frame_count=None)

    @property
    def produced(self) -> int:
        return self._source.produced - self._left_out

    @property
    def sound(self) -> SoundLine | None:
        """That of the other source."""
        return self._source.sound if isinstance(self._source, Audible) else None

    def frames(self) -> Iterator[Frame]:
        first_s: float | None = None
        with self._timed():
            for frame in self._source.frames():
                time_s = frame.captured_ns / NS_PER_S if frame.pts_s is None else frame.pts_s
                if first_s is None:
                    first_s, self._since_ns = time_s, frame.captured_ns
                if time_s - first_s >= self._duration_s:
                    self._left_out = self._source.produced - frame.index
                    return
                yield frame

    def close(self) -> None:
        self._over.set()
        self._source.close()

    def give_up_after(self, most: int | None) -> None:
        if isinstance(self._source, Persistent):
            self._source.give_up_after(most)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        if not self._source.live:
            yield
            return
        self._since_ns = self._clock.now_ns()
        keeper = threading.Thread(target=self._keep_time, name="streamer-duration")
        keeper.start()
        try:
            yield
        finally:
            self._over.set()
            keeper.join()

    def _keep_time(self) -> None:
        while not self._over.wait(LOOK_S):
            if self._clock.now_ns() - self._since_ns >= self._duration_s * NS_PER_S + GRACE_NS:
                self._source.close()
                return
