"""Boxes where the objects are: holds the frames of a recording until it is known what was seen after them.

A view cannot wait for a slow detector, and shows its boxes where things were; a recording can. The lane of a recording
(lane.py) sends what it gets through a `Smoothing`, on its own thread.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from streamer.clock import NS_PER_S
from streamer.flow.between import Between
from streamer.frame import Detections, Moment, Result

HOLD_BYTES = 256 * 1024 * 1024
"""The most that is held: 97 frames of 1280x720, 43 of 1920x1080, 10 of 3840x2160."""
HOLD_NS = 2 * NS_PER_S
"""How far behind the newest frame one is held at most; what was seen further apart is not joined either: nobody knows
where things went meanwhile."""


@dataclass(frozen=True, slots=True)
class _Seen:
    moment: Moment
    detections: Detections


class Smoothing:
    """Takes the results of one stream in their order and gives all of them back in the same order, later.

    It learns what was seen, and on which frame, from the results themselves (`Result.made_on`), as the analyzers left
    it. With every new detection the frames that are held up to it are finished: each gets the boxes between that one
    and the one before. Its own frame gets its own boxes, though it was shown under older ones. What cannot wait longer,
    because a bound is reached, the epoch changes or the stream ends, goes under the newest boxes known to be no later
    than it is; what comes before the first detection goes as it came.

    hold_bytes: pictures that are held. hold_ns: see HOLD_NS.
    """

    def __init__(self, *, hold_bytes: int = HOLD_BYTES, hold_ns: int = HOLD_NS) -> None:
        self.held_bytes = 0
        """Of the pictures that are held now."""
        self._hold_bytes = hold_bytes
        self._hold_ns = hold_ns
        self._held: deque[Result] = deque()
        self._before: _Seen | None = None

    def over(self, results: Iterable[Result], *, wanted: Callable[[], bool]) -> Iterator[Result]:
        """The results, smooth, to the end; as they come, while `wanted` says that nobody keeps them.

        One whose boxes are others now has no `image`.
        """
        for result in results:
            yield from self._take(result)
            if not wanted():
                yield from self._rest()
        yield from self._rest()

    def _take(self, result: Result) -> Iterator[Result]:
        if self._held and self._held[-1].frame.epoch != result.frame.epoch:
            yield from self._rest()
        if self._before is not None and self._before.moment.epoch != result.frame.epoch:
            self._before = None
        self._held.append(result)
        self.held_bytes += result.frame.image.nbytes
        moment = result.made_on
        if moment is not None and (self._before is None or moment.index > self._before.moment.index):
            yield from self._joined(_Seen(moment, result.detections))
        while self._held and self._full(Moment.of(result.frame)):
            yield _under(self._let_go(), self._before)

    def _joined(self, after: _Seen) -> Iterator[Result]:
        """The frames up to the one that `after` was seen on, under the boxes between it and what was seen before."""
        before, self._before = self._before, after
        gap_ns = 0 if before is None else after.moment.ns_since(before.moment)
        between = None
        if before is not None and 0 < gap_ns <= self._hold_ns:
            between = Between(before.detections, after.detections)
        while self._held and self._held[0].frame.index <= after.moment.index:
            result = self._let_go()
            if before is None or between is None or result.frame.index == after.moment.index:
                yield _under(_under(result, before), after)
            else:
                since_ns = Moment.of(result.frame).ns_since(before.moment)
                detections = between.at(min(max(since_ns / gap_ns, 0.0), 1.0)).aged(max(1, since_ns))
                yield replace(result, detections=detections, made_on=before.moment, interpolated=True, image=None)

    def _full(self, newest: Moment) -> bool:
        oldest = Moment.of(self._held[0].frame)
        return self.held_bytes > self._hold_bytes or newest.ns_since(oldest) > self._hold_ns

    def _let_go(self) -> Result:
        result = self._held.popleft()
        self.held_bytes -= result.frame.image.nbytes
        return result

    def _rest(self) -> Iterator[Result]:
        while self._held:
            yield _under(self._let_go(), self._before)


def _under(result: Result, seen: _Seen | None) -> Result:
    """`result` under what was seen, if that is newer than what it has and not later than its frame."""
    if seen is None or seen.moment.index > result.frame.index or result.failed:
        return result
    if result.made_on is not None and result.made_on.index >= seen.moment.index:
        return result
    own = seen.moment.index == result.frame.index
    age_ns = 0 if own else max(1, Moment.of(result.frame).ns_since(seen.moment))
    return replace(result, detections=seen.detections.aged(age_ns), detected=own, made_on=seen.moment, image=None)
