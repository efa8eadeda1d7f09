"""How a run went, once it is over."""

from dataclasses import dataclass
from typing import Literal

from streamer.errors import StreamerError
from streamer.frame import Ledger

Ending = Literal["end of stream", "stopped", "window closed", "no output left", "failed"]


@dataclass(frozen=True, slots=True)
class SinkReport:
    """What became of one sink: how many results it kept, and how many came too fast for it."""

    name: str
    written: int
    dropped: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What the caller of a run gets.

    ended: why it ended.
    errors: of sinks that failed while the run went on.
    abandoned: threads that hung and were left behind. The interpreter waits for them when it ends: `os._exit` does not.
    rejected_boxes: rows of the detector's that could not be detections: not finite, inside out, outside the frame.
    latency_ms: p50, p95 and p99 from the capture of a frame until it was shown, or handed to the sinks without a view.
    detect_ms: p50, p95 and p99 of the detector's time for one frame. Both are of the last 512 frames.
    """

    ledger: Ledger
    elapsed_s: float
    ended: Ending
    sinks: tuple[SinkReport, ...] = ()
    errors: tuple[StreamerError, ...] = ()
    abandoned: tuple[str, ...] = ()
    rejected_boxes: int = 0
    latency_ms: tuple[float, ...] = ()
    detect_ms: tuple[float, ...] = ()
