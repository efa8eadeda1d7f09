"""A detector that sees nothing, at once: for measuring everything but detection."""

from collections.abc import Sequence

from streamer.frame import Detections, Image
from streamer.labels import Labels


class Blind:
    """Keeps to the contract of a Detector."""

    batch = 1
    concurrency = 1
    runtime = "none"
    labels = Labels({})

    def __init__(self) -> None:
        self.conf = 0.5

    def describe(self) -> str:
        """For the log."""
        return "none: nothing is looked for"

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """No box on any image."""
        return [Detections.empty() for _ in images]

    def close(self) -> None:
        """Nothing is held."""
