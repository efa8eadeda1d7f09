"""A measurement as tables for people. The verb bench prints them."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from streamer.benchmark.figures import Figures, cores, cpu_name
from streamer.benchmark.measuring import Measured
from streamer.benchmark.stages import REST, StageFigures
from streamer.text import printable, redacted

COLUMNS = 100
_NOTHING = "-"


def report(measured: Measured, found: Figures) -> Iterator[RenderableType]:
    """All of it, in the order in which it is read."""
    yield Text(_head(measured))
    yield Text(f"{cpu_name()}, {cores()} cores; {measured.runs[0].runtime}", style="dim")
    yield Text()
    yield _stages(found)
    yield Text(_footnote(found), style="dim")
    yield Text()
    yield _whole(measured, found)
    if measured.loops:
        yield Text()
        yield Text.assemble((_ratio(found), "bold"))
        yield Text(_loop_footnote(len(measured.loops)), style="dim")
    else:
        yield Text(f"no copied loop to compare with: {measured.no_loop}", style="dim")


def _head(measured: Measured) -> str:
    run, info = measured.runs[0], measured.clip.info
    size = "" if info.size_px is None else f", {info.size_px[0]}x{info.size_px[1]}"
    source, model = printable(redacted(measured.asked)), printable(measured.model.name)
    return f"{source}{size}, {run.frames} frames, {len(measured.runs)} times; {model} ({measured.form})"


def _stages(found: Figures) -> Table:
    table = _table(("stage", "p50 ms", "p95 ms", "p99 ms", "CPU ms a frame"))
    for stage in found.stages:
        if stage.stage != REST or found.cpu_told_apart:
            table.add_row(*_stage_row(stage))
    return table


def _stage_row(stage: StageFigures) -> tuple[str, ...]:
    wall_ms = [f"{value:.2f}" for value in stage.wall_ms] or [_NOTHING] * 3
    return (stage.stage, *wall_ms, _NOTHING if stage.cpu_ms is None else f"{stage.cpu_ms:.2f}")


def _footnote(found: Figures) -> str:
    if found.cpu_told_apart:
        return (
            "wall time of a frame in each stage, and what the threads of the stage computed for it; the runtime's own "
            "threads count as infer, the encoder's as encode; rest: the decoder's, OpenCV's, and what joins the stages"
        )
    return (
        "wall time of a frame in each stage, and what its threads computed for it; infer has all of the process that "
        "the other stages do not account for, since the runtime computes on threads of its own"
    )


def _whole(measured: Measured, found: Figures) -> Table:
    table = _table(("", "streamer", "copied loop") if measured.loops else ("", "streamer"))
    latency = " / ".join(f"{value:.1f}" for value in found.latency_ms) or _NOTHING
    rows = [
        ("frames a second, end to end", f"{found.fps:.2f}", _number(found.loop_fps, 2)),
        ("CPU of the process, ms a frame", _number(found.cpu_ms, 1), _number(found.loop_cpu_ms, 1)),
        ("latency, capture to view, ms, p50 / p95 / p99", latency, _NOTHING),
        ("frames dropped or failed", str(found.dropped), _NOTHING),
        ("start-up to the first drawn frame, s", _number(found.start_up_s, 2), _number(found.loop_start_up_s, 2)),
        ("peak memory, MB", _mb(found.peak_bytes), _mb(found.loop_peak_bytes)),
        ("of it above what the loaded model holds, MB", _mb(found.above_model_bytes), _NOTHING),
    ]
    for row in rows:
        table.add_row(*(row if measured.loops else row[:2]))
    return table


def _ratio(found: Figures) -> str:
    assert found.ratio is not None
    middle, least, most = found.ratio
    return f"{middle:.2f} times the copied loop (least {least:.2f}, most {most:.2f})"


def _loop_footnote(pairs: int) -> str:
    return (
        f"the loop of how-tos, one frame after another: {pairs} pair{'' if pairs == 1 else 's'} in turns, each run in "
        "a process of its own; medians; from the first frame read to the file closed, start-up apart"
    )


def _table(titles: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, title in enumerate(titles):
        table.add_column(title, justify="left" if number == 0 else "right", no_wrap=True)
    return table


def _number(value: float | None, digits: int) -> str:
    return _NOTHING if value is None else f"{value:.{digits}f}"


def _mb(value_bytes: int | None) -> str:
    return _NOTHING if value_bytes is None else f"{value_bytes / 1e6:.0f}"
