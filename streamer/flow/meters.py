"""What is measured while a run goes on, in one place for the status and the report."""

from streamer.clock import LatencyMeter, RateMeter


class Meters:
    """Rates of the three ends, the latency from capture to where frames leave, the detector's time, the boxes' age.

    rejected_boxes: rows of the detector's that could not be detections; see `Detections.from_raw`.
    """

    def __init__(self) -> None:
        self.capture = RateMeter()
        self.detect = RateMeter()
        self.view = RateMeter()
        self.latency = LatencyMeter()
        self.detect_time = LatencyMeter()
        self.age_ns = 0
        self.rejected_boxes = 0
