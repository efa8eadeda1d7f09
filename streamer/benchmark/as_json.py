"""A measurement as one JSON object; docs/manual.md has its keys."""

import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from streamer.benchmark.figures import LATENCIES, Figures, cores, cpu_name
from streamer.benchmark.measuring import Measured
from streamer.benchmark.runs import Run, StreamerRun
from streamer.benchmark.stages import StageFigures
from streamer.text import printable, redacted

_PACKAGES = ("streamer", "opencv-python", "numpy", "tensorflow", "ai-edge-litert", "openvino", "av")


def as_json(measured: Measured, found: Figures) -> dict[str, Any]:
    """Everything that was measured, ready for json.dumps; what is not known is null."""
    return {
        "versions": versions(),
        "machine": {"cpu": cpu_name(), "cores": cores(), "system": platform.platform()},
        "source": _source(measured),
        "model": _model(measured),
        "repeats": len(measured.runs),
        "stages": [_stage(stage) for stage in found.stages],
        "cpu_told_apart": found.cpu_told_apart,
        "fps": _rounded(found.fps),
        "cpu_ms": _rounded(found.cpu_ms),
        "latency_ms": _percentiles(found.latency_ms),
        "dropped": found.dropped,
        "start_up_s": _rounded(found.start_up_s),
        "peak_bytes": found.peak_bytes,
        "above_model_bytes": found.above_model_bytes,
        "copied_loop": _loop(measured, found),
        "ratio": _ratio(measured, found),
        "runs": [_streamer_run(run) for run in measured.runs],
    }


def versions() -> dict[str, str | None]:
    """Of streamer, Python and the libraries; None for one that is not installed."""
    return {
        "python": platform.python_version(),
        **{name: _installed(name) for name in _PACKAGES},
    }


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _source(measured: Measured) -> dict[str, Any]:
    info = measured.clip.info
    return {
        "uri": printable(redacted(measured.asked), limit=1000),
        "size": None if info.size_px is None else list(info.size_px),
        "fps": info.fps,
        "frames": measured.runs[0].frames,
        "decoder": info.decoder or None,
    }


def _model(measured: Measured) -> dict[str, Any]:
    run = measured.runs[0]
    return {"path": str(measured.model), "form": measured.form, "line": run.model, "runtime": run.runtime}


def _stage(stage: StageFigures) -> dict[str, Any]:
    return {
        "stage": stage.stage,
        "frames": stage.frames,
        "wall_ms": _percentiles(stage.wall_ms),
        "cpu_ms": _rounded(stage.cpu_ms),
    }


def _percentiles(values_ms: tuple[float, ...]) -> dict[str, float] | None:
    return {name: round(value, 3) for name, value in zip(LATENCIES, values_ms, strict=False)} or None


def _loop(measured: Measured, found: Figures) -> dict[str, Any]:
    return {
        "why_none": measured.no_loop or None,
        "fps": _rounded(found.loop_fps),
        "cpu_ms": _rounded(found.loop_cpu_ms),
        "start_up_s": _rounded(found.loop_start_up_s),
        "peak_bytes": found.loop_peak_bytes,
        "runs": [_run(loop) for loop in measured.loops],
    }


def _ratio(measured: Measured, found: Figures) -> dict[str, Any] | None:
    if found.ratio is None:
        return None
    middle, least, most = (round(value, 3) for value in found.ratio)
    return {"median": middle, "min": least, "max": most, "pairs": [round(ratio, 3) for ratio in measured.ratios]}


def _run(run: Run) -> dict[str, Any]:
    return {
        "frames": run.frames,
        "took_s": _rounded(run.took_s),
        "fps": _rounded(run.fps),
        "cpu_ms": _rounded(run.cpu_ms),
        "start_up_s": _rounded(run.start_up_s),
        "peak_bytes": run.peak_bytes,
    }


def _streamer_run(run: StreamerRun) -> dict[str, Any]:
    return _run(run) | {
        "above_model_bytes": run.above_model_bytes,
        "latency_ms": _percentiles(run.latency_ms),
        "ledger": {**asdict(run.ledger), "balanced": run.ledger.balanced},
        "ended": run.ended,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
