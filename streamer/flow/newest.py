"""The newest detections of a live stream: where inference leaves them and rendering finds them.

It is what lets a slow model make boxes old without making the picture late.
"""

import threading

from streamer.clock import NS_PER_S, Clock
from streamer.frame import Detections, Frame


class Newest:
    """One slot that is overwritten. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._detections = Detections.empty()
        self._settled_index = -1
        self._closed = False

    def publish(self, frame: Frame, detections: Detections) -> None:
        """The detections of `frame` are there."""
        with self._changed:
            self._frame, self._detections = frame, detections
            self._settled_index = max(self._settled_index, frame.index)
            self._changed.notify_all()

    def skip(self, index: int) -> None:
        """Frame `index` will have no detections of its own."""
        with self._changed:
            self._settled_index = max(self._settled_index, index)
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody will publish any more: nobody needs to wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def lookup(self, frame: Frame, *, patience_ns: int) -> Detections:
        """The newest detections, with their age as seen from `frame`.

        Waits for those of `frame` itself until `patience_ns` after it was captured, and no longer. Detections of
        another epoch belong to another picture and are not carried over.
        """
        with self._changed:
            left_ns = frame.captured_ns + patience_ns - self._clock.now_ns()
            if left_ns > 0:
                self._changed.wait_for(lambda: self._closed or self._settled_index >= frame.index, left_ns / NS_PER_S)
            seen, detections = self._frame, self._detections
        if seen is None or seen.epoch != frame.epoch:
            return Detections.empty()
        return detections.aged(max(0, frame.captured_ns - seen.captured_ns))
