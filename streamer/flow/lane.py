"""One sink with the channel that leads to it and the thread that serves it."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

from streamer.channel import Channel, ChannelClosed, Policy
from streamer.clock import Clock
from streamer.errors import SinkError
from streamer.flow.report import SinkReport
from streamer.flow.smoothing import Smoothing
from streamer.flow.stage import Stage
from streamer.frame import Result
from streamer.interfaces import Sink
from streamer.trace import span

logger = logging.getLogger(__name__)

LOSSLESS_ITEMS = 8
"""Results that wait for a sink of a file: enough for it to overlap with the rest."""
LIVE_ITEMS = 256
"""Results that wait for a sink of a live stream: enough to ride out a slow disk."""
LANE_BYTES = 256 * 1024 * 1024
"""Memory that may wait for one sink."""


class Lane:
    """Feeds one sink from a thread of its own.

    A sink that raises SinkError is closed and forgotten, and the run goes on; anything else that it raises is a bug
    and ends the run. Where results wait for ever the channel's policy decides: a file waits for its sinks, a live
    stream discards what is oldest, counts it and says so once.

    draw_late: given, the sink gets boxes where the objects are (smoothing.py). What has other boxes then is drawn with
        it on the sink's own thread, so that no other lane waits.
    """

    def __init__(self, sink: Sink, *, policy: Policy, draw_late: Callable[[Result], Result] | None = None) -> None:
        self.sink = sink
        self._draw_late = draw_late
        self.error: SinkError | None = None
        self._warned = False
        self.channel: Channel[Result] = Channel(
            sink.name,
            capacity=LOSSLESS_ITEMS if policy is Policy.BLOCK else LIVE_ITEMS,
            policy=policy,
            size_of=_size_bytes,
            max_bytes=LANE_BYTES,
            on_drop=self._dropped,
        )

    @property
    def stage_name(self) -> str:
        """What its thread is called."""
        return f"sink {self.sink.name}"

    def report(self) -> SinkReport:
        """What became of the sink so far."""
        error = None if self.error is None else str(self.error)
        return SinkReport(self.sink.name, self.sink.written, self.channel.dropped, error)

    @property
    def open(self) -> bool:
        """Whether the sink still takes results."""
        return self.error is None

    def wants_drawn(self, result: Result) -> bool:
        """Whether `result` is to come here with its `image`: what may get other boxes is drawn when it has them."""
        return self._keeps_pictures() and (self._draw_late is None or result.detected)

    def put(self, result: Result) -> None:
        """Hand one result over; raises ChannelClosed when the sink's thread died of a bug."""
        try:
            self.channel.put(result if self.wants_drawn(result) else replace(result, image=None))
        except ChannelClosed:
            if self.error is None:
                raise

    def stage(self, clock: Clock) -> Stage:
        """The thread that serves the sink."""
        return Stage(
            self.stage_name,
            self._serve,
            leave=self.channel.abort,
            clock=clock,
            abandon=self._abandon,
            expendable=True,
        )

    def _abandon(self, waited_s: float) -> None:
        self._fail(SinkError(f"it did not answer for {waited_s:.0f} s and was left behind"))

    def _serve(self, stage: Stage) -> None:
        doing = "report" if self.sink.role == "report" else "encode"
        try:
            for result in self._arriving(stage):
                with stage.busy("write"), span(doing, result.frame.index):
                    self.sink.write(result)
        except SinkError as error:
            self._fail(error)
            self.channel.abort()
        finally:
            self._close(stage)

    def _arriving(self, stage: Stage) -> Iterator[Result]:
        if self._draw_late is None:
            yield from self.channel
            return
        for result in Smoothing().over(self.channel, wanted=self._keeps_pictures):
            if not self.open:  # it was left behind, and has come back
                return
            if result.image is None and self.sink.needs_image:
                with stage.busy("draw"):
                    drawn = self._draw_late(result)
                yield drawn
            else:
                yield result

    def _keeps_pictures(self) -> bool:
        return self.open and self.sink.needs_image

    def _close(self, stage: Stage) -> None:
        try:
            with stage.busy("close"):
                self.sink.close()
        except SinkError as error:
            self._fail(error)

    def _fail(self, error: SinkError) -> None:
        if self.error is None:
            self.error = error
            logger.error("%s stopped: %s", self.sink.name, error)

    def _dropped(self, _result: Result) -> None:
        if not self._warned and self.error is None:
            self._warned = True
            logger.warning("%s is too slow for the stream: it misses frames", self.sink.name)


def _size_bytes(result: Result) -> int:
    return result.frame.image.nbytes + (0 if result.image is None else result.image.nbytes)
