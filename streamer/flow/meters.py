"""What is measured while a run goes on, in one place for the status and the report."""

from streamer.clock import LatencyMeter, RateMeter


class Meters:
    """Rates of the three ends, the latency from capture to where frames leave, the detector's time, the boxes' age."""

    def __init__(self) -> None:
        self.capture = RateMeter()
        self.detect = RateMeter()
        self.view = RateMeter()
        self.latency = LatencyMeter()
        self.detect_time = LatencyMeter()
        self.age_ns = 0
