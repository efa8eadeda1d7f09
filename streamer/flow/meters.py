"""What is measured while a run goes on, in one place for the status and the report."""

from streamer.clock import NS_PER_MS, NS_PER_S, LatencyMeter, RateMeter


class Meters:
    """Rates of the three ends, the latency from capture to where frames leave, the detector's time, the boxes' age.

    frame_ns: when the newest frame was captured; None before the first.
    rejected_boxes: rows of the detector's that could not be detections; see `Detections.from_raw`.
    """

    def __init__(self) -> None:
        self.capture = RateMeter()
        self.detect = RateMeter()
        self.view = RateMeter()
        self.latency = LatencyMeter()
        self.detect_time = LatencyMeter()
        self.age_ns = 0
        self.frame_ns: int | None = None
        self.rejected_boxes = 0

    def patience_ns(self, now_ns: int) -> int:
        """How long after its capture a frame may wait for detections of its own: until the next frame, if they come.

        A detector that is faster than the camera then draws each frame's own boxes; a slower one is not waited for.
        """
        capture_fps = self.capture.rate(now_ns)
        (typical_ms,) = self.detect_time.percentiles_ms((50,))
        if capture_fps == 0 or typical_ms == 0:
            return 0
        interval_ns = round(NS_PER_S / capture_fps)
        return interval_ns if typical_ms * NS_PER_MS < interval_ns else 0
