"""What the runs come to: medians over the repeats, the stages of all of them, and the ratio to the copied loop."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from streamer.benchmark.measuring import Measured, middle
from streamer.benchmark.stages import StageFigures, stage_figures, told_apart

LATENCIES = ("p50", "p95", "p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Medians over the repeats.

    fps: frames a second from the first frame read to the files closed. cpu_ms: of the whole process, for each frame.
    latency_ms: p50, p95 and p99, from capture to view. dropped: frames that were dropped or failed, of all runs
    together. ratio: of the pairs' rates, median, least and most; None without a loop. cpu_told_apart: whether the
    threads of runtime and encoder are known by themselves.
    """

    stages: tuple[StageFigures, ...]
    cpu_told_apart: bool
    fps: float
    cpu_ms: float | None
    latency_ms: tuple[float, ...]
    dropped: int
    start_up_s: float | None
    peak_bytes: int | None
    above_model_bytes: int | None
    loop_fps: float | None
    loop_cpu_ms: float | None
    loop_start_up_s: float | None
    loop_peak_bytes: int | None
    ratio: tuple[float, float, float] | None


def figures(measured: Measured) -> Figures:
    """The figures of at least one run."""
    runs, loops, ratios = measured.runs, measured.loops, measured.ratios
    return Figures(
        stages=stage_figures(runs),
        cpu_told_apart=told_apart(runs),
        fps=middle([run.fps for run in runs]) or 0.0,
        cpu_ms=middle([run.cpu_ms for run in runs]),
        latency_ms=tuple(
            middle(values) or 0.0 for values in zip(*(run.latency_ms for run in runs if run.latency_ms), strict=True)
        ),
        dropped=sum(run.ledger.dropped + run.ledger.failed for run in runs),
        start_up_s=middle([run.start_up_s for run in runs]),
        peak_bytes=_whole(middle([run.peak_bytes for run in runs])),
        above_model_bytes=_whole(middle([run.above_model_bytes for run in runs])),
        loop_fps=middle([loop.fps for loop in loops]),
        loop_cpu_ms=middle([loop.cpu_ms for loop in loops]),
        loop_start_up_s=middle([loop.start_up_s for loop in loops]),
        loop_peak_bytes=_whole(middle([loop.peak_bytes for loop in loops])),
        ratio=(middle(ratios) or 0.0, min(ratios), max(ratios)) if ratios else None,
    )


def cpu_name() -> str:
    """The processor, as the system calls it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def load() -> float | None:
    """How many threads wanted to run in the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def cores() -> int:
    """How many of its cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
