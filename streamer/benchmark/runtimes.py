"""Every way of running one model, as a table: how fast, and whether it sees what the model as it was saved sees."""

from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streamer.benchmark.figures import cores, cpu_name
from streamer.models import MODEL_INSIDE
from streamer.models.choosing.record import Measured, Record
from streamer.models.opening import measure_runtimes
from streamer.models.options import ModelOptions
from streamer.sources import comes_by_itself, open_source
from streamer.sources.glances import COUNT, MANY, glances
from streamer.text import printable


def measured_runtimes(model: Path | None, options: ModelOptions, *, source: str | None) -> Record:
    """Measure now, and keep what was chosen.

    source: what the pictures are taken of; without one, textures have to do. Raises SourceError and ModelError.
    """
    if source is None or comes_by_itself(source):
        return measure_runtimes(model or MODEL_INSIDE, options)
    with closing(open_source(source)) as opened:
        size_px = opened.info.size_px
    return measure_runtimes(
        model or MODEL_INSIDE,
        options,
        input_size_px=size_px,
        pictures=partial(glances, source, count=MANY if options.int8 else COUNT),
    )


def table(record: Record) -> RenderableType:
    """For people."""
    rows = Table(box=None, pad_edge=False, show_edge=False)
    rows.add_column("runtime")
    rows.add_column("of the graph")
    rows.add_column("files, /s", justify="right")
    rows.add_column("CPU ms", justify="right")
    rows.add_column("live, ms", justify="right")
    rows.add_column("beside the saved one")
    for one in record.table:
        rows.add_row(*_row(one), style="" if one.is_equal else "dim")
    note = (
        "files: as many calls at once as the machine has cores; CPU: what a picture costs of it, which decides for "
        "files; live: one after another, with a core left for the rest. Each is the best of some short rounds, in "
        "turns. A way that does not see the same is not taken."
    )
    head = Text(f"{printable(record.form)}, {cpu_name()}, {cores()} cores", style="dim")
    return Group(head, Text(), rows, Text(), Text(_chosen(record)), Text(note, style="dim"))


def _row(one: Measured) -> tuple[str, ...]:
    if one.agreement is None and not one.refused:
        agreed = "itself"
    else:
        told = "" if one.agreement is None else str(one.agreement)
        agreed = ": ".join(part for part in (one.refused, told) if part)
    speed = (f"{one.fps:.1f}", f"{one.cpu_ms:.1f}", f"{one.latency_ms:.1f}") if one.fps else ("-",) * 3
    return (one.runtime, one.extent, *speed, agreed)


def _chosen(record: Record) -> str:
    parts = []
    for what, way in (("files", record.files), ("live", record.live)):
        parts.append(f"{what}: {'as saved' if way is None else f'{way.runtime}, {way.extent}'}")
    return "chosen for " + "; for ".join(parts)


def as_fields(record: Record) -> dict[str, object]:
    """For programs."""
    return {
        "form": record.form,
        "machine": {"cpu": cpu_name(), "cores": cores()},
        "chosen": {
            what: None if way is None else {"runtime": way.runtime, "extent": way.extent, "int8": way.int8}
            for what, way in (("files", record.files), ("live", record.live))
        },
        "table": [{**asdict(one), "equal": one.is_equal} for one in record.table],
    }
