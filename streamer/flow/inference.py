"""Runs the detector on frames, and forgives it the odd failure."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from streamer.clock import Clock
from streamer.errors import ModelError
from streamer.flow.meters import Meters
from streamer.flow.stage import Stage
from streamer.flow.tally import Tally
from streamer.frame import Detections, Frame
from streamer.interfaces import Detector
from streamer.trace import span

logger = logging.getLogger(__name__)

MAX_FAILURES = 30
"""Frames in a row on which the detector may raise before it is taken for broken: a second of video."""


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at one frame: what the detector saw on it, or what it raised. took_ns: the frame's share."""

    frame: Frame
    outcome: Detections | Exception
    took_ns: int


class Inference:
    """The detector, measured and counted.

    Any thread may `look`, several at once. The books are kept by `count`, called for one look after the other in the
    order of the frames: so what is a failure in a row does not depend on which thread was faster.
    """

    def __init__(self, detector: Detector, *, clock: Clock, tally: Tally, meters: Meters) -> None:
        self._detector = detector
        self._clock = clock
        self._tally = tally
        self._meters = meters
        self._succeeded = False
        self._in_a_row = 0
        self._last_failure: Exception | None = None

    def look(self, stage: Stage, frames: Sequence[Frame]) -> list[Look]:
        """Run the detector on these frames; a batch that raises is tried frame by frame."""
        if not frames:
            return []
        began_ns = self._clock.now_ns()
        outcomes: Sequence[Detections | Exception]
        try:
            with stage.busy("detect"), span("detect", frames[0].index):
                outcomes = self._asked(frames)
        except Exception as error:  # noqa: BLE001 - one bad frame must not end the run
            if len(frames) > 1:
                return [look for frame in frames for look in self.look(stage, [frame])]
            outcomes = [error]
        took_ns = (self._clock.now_ns() - began_ns) // len(frames)
        return [Look(frame, outcome, took_ns) for frame, outcome in zip(frames, outcomes, strict=True)]

    def count(self, look: Look) -> Detections | None:
        """Enter it in the books; its detections, None where the detector raised.

        Raises ModelError when it has raised on too many frames in a row.
        """
        if isinstance(look.outcome, Exception):
            self._failed(look.frame, look.outcome)
            return None
        self._succeeded, self._in_a_row = True, 0
        self._meters.rejected_boxes += look.outcome.rejected
        self._tally.detected(look.frame.index, "inferred")
        self._meters.detect.mark(self._clock.now_ns())
        self._meters.detect_time.add(look.took_ns)
        return look.outcome

    def check(self) -> None:
        """At the end: raises ModelError if the detector failed on every frame that it was given."""
        if self._last_failure is not None and not self._succeeded:
            raise ModelError(f"the detector failed on every frame, last with: {self._last_failure}")

    def _asked(self, frames: Sequence[Frame]) -> list[Detections]:
        found = self._detector.detect([frame.image for frame in frames])
        if len(found) != len(frames):
            raise ModelError(f"the detector gave {len(found)} results for {len(frames)} images")
        return found

    def _failed(self, frame: Frame, error: Exception) -> None:
        self._tally.detected(frame.index, "failed")
        if self._last_failure is None:
            logger.warning("the detector failed on frame %d: %s", frame.index, error)
        self._last_failure = error
        self._in_a_row += 1
        if self._in_a_row >= MAX_FAILURES:
            raise ModelError(f"the detector failed on {MAX_FAILURES} frames in a row, last with: {error}") from error
