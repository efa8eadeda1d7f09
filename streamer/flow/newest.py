"""The newest detections: where inference leaves them, and where frames without any of their own find them.

It is what lets a slow model make the boxes of a live stream old without making the picture late, and what frames of a
file go under when the detector looks at every Nth only.
"""

import threading
from collections import deque
from dataclasses import dataclass

from streamer.clock import NS_PER_S, Clock
from streamer.frame import Detections, Frame, Moment, Result


@dataclass(frozen=True, slots=True)
class _Seen:
    """Detections, and the frame they were found on, without its image."""

    moment: Moment
    detections: Detections

    def age_ns(self, frame: Frame, *, live: bool) -> int:
        """How much older than `frame` it is, as `Newest` says; never 0, but for the frame itself."""
        if frame.index == self.moment.index:
            return 0
        age_ns = Moment.of(frame).ns_since(self.moment)
        return max(1, age_ns, frame.captured_ns - self.moment.captured_ns if live else 1)


class Newest:
    """The last few detections. Safe to use from several threads.

    depth: how many are kept: as many as rendering may lag behind inference, so that a frame is never shown under the
    boxes of a later one.
    live: detections age with the clock, or with the media where a file is read faster than that. Else with the media
        alone where it has a clock: the same file gives the same ages, however slowly it is read.
    """

    def __init__(self, clock: Clock, *, depth: int, live: bool) -> None:
        self._clock = clock
        self._live = live
        self._changed = threading.Condition()
        self._seen: deque[_Seen] = deque(maxlen=depth)
        self._settled_index = -1
        self._closed = False

    def publish(self, frame: Frame, detections: Detections) -> None:
        """The detections of `frame` are there."""
        with self._changed:
            self._seen.append(_Seen(Moment.of(frame), detections))
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

    def under(self, frame: Frame, *, patience_ns: int) -> Result:
        """`frame` under the newest detections of itself or of one before it, with their age as seen from it.

        Waits for those of `frame` itself until `patience_ns` after it was captured, and no longer. Detections of
        another epoch belong to another picture and are not carried over; where there are no others, they are unknown.
        """
        with self._changed:
            left_ns = frame.captured_ns + patience_ns - self._clock.now_ns()
            if left_ns > 0:
                self._changed.wait_for(lambda: self._closed or self._settled_index >= frame.index, left_ns / NS_PER_S)
            known = [
                seen for seen in self._seen if seen.moment.index <= frame.index and seen.moment.epoch == frame.epoch
            ]
        if not known:
            return Result(frame, Detections.unknown())
        seen = known[-1]
        detections = seen.detections.aged(seen.age_ns(frame, live=self._live))
        return Result(frame, detections, detected=seen.moment.index == frame.index, made_on=seen.moment)
