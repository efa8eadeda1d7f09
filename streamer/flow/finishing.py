"""What is made of a result before anybody gets it: what analyzers say of it, and the picture with everything on it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from streamer.frame import Detections, Event, Frame, Image, Result
from streamer.interfaces import Analyzer, Detector
from streamer.trace import span


class Finishing:
    """The analyzers and the drawing of one run.

    draw: makes the annotated image from a frame and its detections; without it that is the frame's own image.
    """

    def __init__(
        self,
        *,
        draw: Callable[[Frame, Detections], Image] | None,
        analyzers: Sequence[Analyzer],
        detector: Detector,
    ) -> None:
        self._draw = draw
        self._analyzers = tuple(analyzers)
        self._detector = detector

    def analysed(self, result: Result) -> Result:
        """Shown to every analyzer, in order; what one makes of the picture takes the place of the frame's."""
        if not self._analyzers:
            return result
        frame, detections = result.frame, result.detections
        failed, detected = result.failed, result.detected
        events: tuple[Event, ...] = ()
        with span("analyse", frame.index):
            for analyzer in self._analyzers:
                analysis = analyzer.update(frame, detections)
                detections, events = analysis.detections, events + analysis.events
                if analysis.image is not None:
                    frame = replace(frame, image=analysis.image)
                failed = failed if analysis.failed is None else analysis.failed
                detected = detected if analysis.detected is None else analysis.detected
        return replace(result, frame=frame, detections=detections, events=events, failed=failed, detected=detected)

    def drawn(self, result: Result) -> Result:
        """With its detections on its picture; from any thread."""
        if self._draw is None:
            return replace(result, image=result.frame.image)
        with span("draw", result.frame.index):
            image = self._draw(result.frame, result.detections)
        image.setflags(write=False)
        return replace(result, image=image)

    def redrawn(self, result: Result) -> Result:
        """Drawn anew, with those detections that reach the threshold as it is now."""
        return self.drawn(replace(result, detections=result.detections.at_least(self._detector.conf)))
