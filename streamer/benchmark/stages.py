"""How long each stage takes for a frame, and what it computes, from the spans of one or more runs.

The CPU time of a stage is that of its threads inside its spans. A runtime and an encoder compute on threads of their
own: where the system tells them apart, theirs is added to `infer` and `encode`, and what is left of the process is
`rest`. Where it does not, all that is left counts as `infer`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamer.benchmark.runs import StreamerRun
from streamer.clock import NS_PER_MS, LatencyMeter
from streamer.trace import NO_FRAME, Span

STAGES = ("capture", "preprocess", "infer", "postprocess", "analyse", "draw", "encode", "report", "view")
"""In the order in which a frame comes through them."""

AROUND = "detect"
"""The stage that holds preprocess, infer and postprocess, and is counted in them."""

REST = "rest"


@dataclass(frozen=True, slots=True)
class StageFigures:
    """One stage. wall_ms: p50, p95 and p99 of a frame's; empty where it did nothing, and for the rest.

    frames: how many frames it worked on. cpu_ms: for each frame of the runs; None where it did nothing.
    """

    stage: str
    frames: int
    wall_ms: tuple[float, ...]
    cpu_ms: float | None


def stage_figures(runs: Sequence[StreamerRun]) -> tuple[StageFigures, ...]:
    """Every stage of STAGES, all runs together, and the rest."""
    frames = sum(run.frames for run in runs)
    walls_ns = [wall for run in runs for wall in _walls_ns(run.spans)]
    cpu_ns = _cpu_ns(runs)
    figures = []
    for stage in STAGES:
        durations_ns = [duration_ns for name, duration_ns in walls_ns if name == stage]
        cpu_ms = cpu_ns[stage] / NS_PER_MS / frames if durations_ns and frames else None
        figures.append(StageFigures(stage, len(durations_ns), _percentiles_ms(durations_ns), cpu_ms))
    rest_ms = max(0.0, cpu_ns[REST] / NS_PER_MS / frames) if frames else None
    return (*figures, StageFigures(REST, 0, (), rest_ms))


def told_apart(runs: Iterable[StreamerRun]) -> bool:
    """Whether the runtime's threads are known by themselves in all runs."""
    return all(run.runtime_cpu_ns is not None for run in runs)


def _walls_ns(spans: Iterable[Span]) -> list[tuple[str, int]]:
    """How long each stage took for each frame; spans of a frame that nobody named stand alone."""
    by_frame: dict[tuple[str, int], int] = defaultdict(int)
    alone = []
    for span in spans:
        duration_ns = span.ended_ns - span.began_ns
        if span.index == NO_FRAME:
            alone.append((span.stage, duration_ns))
        else:
            by_frame[span.stage, span.index] += duration_ns
    return alone + [(stage, duration_ns) for (stage, _), duration_ns in by_frame.items()]


def _cpu_ns(runs: Sequence[StreamerRun]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for run in runs:
        for span in run.spans:
            if span.stage != AROUND:
                found[span.stage] += span.cpu_ns
        found["encode"] += run.encoder_cpu_ns or 0
        found["infer"] += run.runtime_cpu_ns or 0
    rest_ns = sum(run.cpu_ns for run in runs) - sum(found.values())
    found[REST if told_apart(runs) else "infer"] += max(0, rest_ns)
    return found


def _percentiles_ms(durations_ns: Sequence[int]) -> tuple[float, ...]:
    if not durations_ns:
        return ()
    meter = LatencyMeter(samples=len(durations_ns))
    for duration_ns in durations_ns:
        meter.add(duration_ns)
    return meter.percentiles_ms()
