"""What is asked of a child process, and what it brings back: data alone."""

from dataclasses import dataclass, field
from pathlib import Path

from streamer.clock import NS_PER_MS
from streamer.frame import Ledger
from streamer.models.options import ModelOptions
from streamer.trace import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of streamer.

    source: as `open_source` takes it. model: the file or folder; None is the one inside. blur: classes to hide.
    frames: how many at most; None for all. show: whether there is a window.
    """

    source: str
    model: Path | None = None
    options: ModelOptions = field(default_factory=ModelOptions)
    blur: tuple[str, ...] = ()
    frames: int | None = None
    show: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process did.

    took_s: from the first frame that was read until its files were closed. cpu_ns: what all its threads computed in
    that time, whatever else the machine did. start_up_s: from the beginning of the process until its first drawn frame
    was handed to what records it; None where none was. peak_bytes: the most memory that it held; None where the system
    does not say.
    """

    frames: int
    took_s: float
    cpu_ns: int
    start_up_s: float | None = None
    peak_bytes: int | None = None

    @property
    def cpu_ms(self) -> float | None:
        """For each frame."""
        return self.cpu_ns / NS_PER_MS / self.frames if self.frames else None

    @property
    def fps(self) -> float:
        """Frames a second, start-up apart; 0 where nothing was read."""
        return self.frames / self.took_s if self.took_s > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamerRun(Run):
    """What one run of streamer did.

    above_model_bytes: the peak less what was held once the model was loaded.
    spans: of all threads. runtime_cpu_ns, encoder_cpu_ns: of the threads
    that the runtime and the encoder have of their own; None where the system does not tell threads apart.
    latency_ms: p50, p95 and p99, from capture to view. model: what was made of the model, in one line. runtime:
    what ran it.
    """

    spans: tuple[Span, ...]
    runtime_cpu_ns: int | None
    encoder_cpu_ns: int | None
    above_model_bytes: int | None
    latency_ms: tuple[float, ...]
    ledger: Ledger
    ended: str
    model: str
    runtime: str
