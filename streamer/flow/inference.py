"""Runs the detector on frames, and forgives it the odd failure."""

import logging
from collections.abc import Sequence

from streamer.clock import Clock
from streamer.errors import ModelError
from streamer.flow.meters import Meters
from streamer.flow.stage import Stage
from streamer.flow.tally import Tally
from streamer.frame import Detections, Frame
from streamer.interfaces import Detector

logger = logging.getLogger(__name__)

MAX_FAILURES = 30
"""Frames in a row on which the detector may raise before it is taken for broken: a second of video."""


class Inference:
    """The detector, measured and counted. Used by the inference thread alone, but for `check` at the end."""

    def __init__(self, detector: Detector, *, clock: Clock, tally: Tally, meters: Meters) -> None:
        self._detector = detector
        self._clock = clock
        self._tally = tally
        self._meters = meters
        self._succeeded = False
        self._in_a_row = 0
        self._last_failure: Exception | None = None

    def detect(self, stage: Stage, frames: Sequence[Frame]) -> list[Detections | None]:
        """Detections for each frame, None where the detector raised; a batch that raises is tried frame by frame.

        Raises ModelError when it has raised on too many frames in a row.
        """
        began_ns = self._clock.now_ns()
        try:
            with stage.busy("detect"):
                found: list[Detections | None] = [*self._asked(frames)]
        except Exception as error:  # noqa: BLE001 - one bad frame must not end the run
            if len(frames) > 1:
                return [self.detect(stage, [frame])[0] for frame in frames]
            self._failed(frames[0], error)
            return [None]
        self._succeeded, self._in_a_row = True, 0
        now_ns = self._clock.now_ns()
        self._meters.rejected_boxes += sum(detections.rejected for detections in found if detections is not None)
        for frame in frames:
            self._tally.detected(frame.index, "inferred")
            self._meters.detect.mark(now_ns)
            self._meters.detect_time.add((now_ns - began_ns) // len(frames))
        return found

    def _asked(self, frames: Sequence[Frame]) -> list[Detections]:
        found = self._detector.detect([frame.image for frame in frames])
        if len(found) != len(frames):
            raise ModelError(f"the detector gave {len(found)} results for {len(frames)} images")
        return found

    def check(self) -> None:
        """At the end: raises ModelError if the detector failed on every frame that it was given."""
        if self._last_failure is not None and not self._succeeded:
            raise ModelError(f"the detector failed on every frame, last with: {self._last_failure}")

    def _failed(self, frame: Frame, error: Exception) -> None:
        self._tally.detected(frame.index, "failed")
        if self._last_failure is None:
            logger.warning("the detector failed on frame %d: %s", frame.index, error)
        self._last_failure = error
        self._in_a_row += 1
        if self._in_a_row >= MAX_FAILURES:
            raise ModelError(f"the detector failed on {MAX_FAILURES} frames in a row, last with: {error}") from error
