"""What a run did, as JSON, for `--summary FILE`: written in one piece, also after an error or a signal.

It holds no credentials. Called by the verb run.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import streamer
from streamer.config import Resolved
from streamer.errors import SinkError
from streamer.flow.report import Report
from streamer.frame import Ledger
from streamer.interfaces import SourceInfo
from streamer.sinks.outfile import OutFile, is_stream, publish, refuse_input
from streamer.text import printable, redacted

_LIBRARIES = {"opencv": "cv2", "numpy": "numpy", "tensorflow": "tensorflow", "pyav": "av"}


def summarised(
    resolved: Resolved,
    *,
    exit_code: int,
    reloads: int = 0,
    report: Report | None = None,
    source: SourceInfo | None = None,
    recorded: tuple[Path, ...] = (),
    error: str | None = None,
) -> dict[str, object]:
    """The whole summary, ready for JSON; `report` and `source` are None where the run did not come that far."""
    return {
        "exit_code": exit_code,
        "error": None if error is None else _safe(error),
        "ledger": None if report is None else ledger_fields(report.ledger),
        "report": None if report is None else _report_fields(report),
        "source": None if source is None else asdict(source),
        "recorded": [_safe(str(path)) for path in recorded],
        "settings": resolved.described(),
        "reloads": reloads,
        "versions": versions(),
    }


def ledger_fields(ledger: Ledger) -> dict[str, object]:
    """The books, and whether they balance."""
    return {**asdict(ledger), "balanced": ledger.balanced}


def versions() -> dict[str, str | None]:
    """Versions of streamer and of the libraries that were used; None for one that was not."""
    used = {name: getattr(sys.modules.get(module), "__version__", None) for name, module in _LIBRARIES.items()}
    return {"streamer": streamer.__version__, **used}


def claim_summary(path: Path, *, inputs: Iterable[Path], force: bool) -> Path:
    """`path`, if a summary may be written there. Raises SinkOpenError: it cannot, holds something, or is an input.

    A pipe is not tried: whoever reads it would take that for the end.
    """
    refuse_input(path, inputs)
    if not is_stream(path):
        OutFile(path, force=force).close()
    return path


def write_summary(path: Path, summary: dict[str, object], *, force: bool = False) -> None:
    """Write `path` in one step: a reader sees the whole summary, or nothing of it.

    What came there since the place was claimed is replaced only with `force`. A device or a pipe is written to.
    Raises SinkError.
    """
    data = (json.dumps(summary, indent=2) + "\n").encode()
    try:
        if is_stream(path):
            path.write_bytes(data)
        else:
            publish(path, data, force=force)
    except OSError as error:
        hint = "--force replaces it" if isinstance(error, FileExistsError) else None
        raise SinkError(f"the summary cannot be written: {error.strerror}", where=str(path), hint=hint) from error


def _report_fields(report: Report) -> dict[str, object]:
    frames = report.ledger.inferred + report.ledger.carried
    return {
        "ended": report.ended,
        "elapsed_s": round(report.elapsed_s, 3),
        "fps": round(frames / report.elapsed_s, 2) if report.elapsed_s > 0 else None,
        "latency_ms": _percentiles(report.latency_ms),
        "detect_ms": _percentiles(report.detect_ms),
        "rejected_boxes": report.rejected_boxes,
        "sinks": [asdict(sink) for sink in report.sinks],
        "errors": [_safe(str(error)) for error in report.errors],
        "abandoned": list(report.abandoned),
    }


def _percentiles(values_ms: tuple[float, ...]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in zip(("p50", "p95", "p99"), values_ms, strict=False)}


def _safe(text: str) -> str:
    return printable(redacted(text), limit=1000)
