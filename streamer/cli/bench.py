"""`streamer bench`: every stage's time, against the loop that how-tos have, in one run.

What is imported here is light; the rest is loaded once the flags are known to be right.
"""

import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.flags import Flags, with_settings
from streamer.cli.logs import Outlet, logging_to
from streamer.cli.signals import SIGINT_EXIT, Interrupted, Signals
from streamer.config import Settings, resolve, setting_fields
from streamer.errors import SinkOpenError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from streamer.benchmark.figures import Figures
    from streamer.benchmark.measuring import Measured
    from streamer.benchmark.runs import Job

logger = logging.getLogger(__name__)

REPEATS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the verb takes besides settings."""

    as_json: bool
    plot: Path | None
    repeats: int
    frames: int | None
    seconds: float | None
    loop: bool
    show: bool
    runtimes: bool


def bench_verb(
    flags: Flags,
    *,
    source: str | None,
    as_json: bool,
    plot: Path | None,
    repeats: int,
    frames: int | None,
    seconds: float | None,
    loop: bool,
    show: bool,
    runtimes: bool,
) -> None:
    """Measure every stage of a run, and set it beside the loop that how-tos have."""
    resolved = resolve(flags=flags if source is None else flags | {"source": source}, environ=os.environ)
    settings = resolved.settings
    asked = Asked(
        as_json=as_json,
        plot=plot,
        repeats=repeats,
        frames=frames,
        seconds=seconds,
        loop=loop,
        show=show,
        runtimes=runtimes,
    )
    level = logging.ERROR if settings.quiet else logging.DEBUG if settings.verbose else logging.INFO
    with logging_to(Outlet(), level=level, as_json=settings.log_json), Signals() as signals:
        for warning in resolved.warnings:
            logger.warning("%s", warning)
        try:
            if asked.runtimes:
                _bench_runtimes(settings, as_json=asked.as_json)
            else:
                _bench(settings, asked)
        except Interrupted as stopped:
            raise typer.Exit(signals.exit_code or SIGINT_EXIT) from stopped


_TAKEN = {known.name for known in setting_fields().values() if known.setting.group in {"model", "itself"}}
_LIMIT = typer.Option("--frames", min=1, metavar="N", help="At most this many frames.")

bench_command = with_settings(
    bench_verb,
    only=_TAKEN | {"blur", "force"},
    source=(
        Annotated[
            str | None,
            typer.Option("--source", "-s", metavar="URI", help="A video, a camera or test: (a pattern; the default)."),
        ],
        None,
    ),
    as_json=(Annotated[bool, typer.Option("--json", help="All of it as JSON.")], False),
    plot=(
        Annotated[
            Path | None,
            typer.Option("--plot", metavar="FILE", help="A timeline of 50 frames, .svg or .png."),
        ],
        None,
    ),
    repeats=(
        Annotated[int, typer.Option("--repeats", min=1, max=100, metavar="N", help="How often each is run.")],
        REPEATS,
    ),
    frames=(Annotated[int | None, _LIMIT], None),
    seconds=(
        Annotated[
            float | None, typer.Option("--seconds", min=0.001, metavar="S", help="At most this much of the source.")
        ],
        None,
    ),
    loop=(
        Annotated[bool, typer.Option("--loop/--no-loop", help="Run the copied loop too, in turns with streamer.")],
        True,
    ),
    runtimes=(
        Annotated[
            bool,
            typer.Option(
                "--runtimes", help="Instead: every way of running the model, timed and held against the saved one."
            ),
        ],
        False,
    ),
    show=(Annotated[bool, typer.Option("--show", help="With a window, streamer and the copied loop alike.")], False),
)


def _bench(settings: Settings, asked: Asked) -> None:
    from streamer.benchmark.figures import figures  # noqa: PLC0415 - heavy only from here on
    from streamer.benchmark.measuring import measure  # noqa: PLC0415
    from streamer.benchmark.plot import claim  # noqa: PLC0415

    if asked.plot is not None:
        claim(asked.plot, force=settings.force)
    if asked.show:
        _require_display()
    _warn_if_busy()
    measured = measure(
        _job(settings, show=asked.show),
        repeats=asked.repeats,
        frames=asked.frames,
        seconds=asked.seconds,
        with_loop=asked.loop,
        say=lambda line: logger.info("%s", line),
    )
    _print(measured, figures(measured), as_json=asked.as_json)
    if asked.plot is not None:
        _plot(measured, asked.plot, force=settings.force)


def _bench_runtimes(settings: Settings, *, as_json: bool) -> None:
    from streamer.benchmark.runtimes import as_fields, measured_runtimes, table  # noqa: PLC0415 - heavy only from here

    _warn_if_busy()
    job = _job(settings, show=False)
    record = measured_runtimes(job.model, job.options, source=settings.source)
    if as_json:
        typer.echo(json.dumps(as_fields(record), indent=2))
    else:
        _on_console(table(record))


def _on_console(*parts: "RenderableType") -> None:
    from rich.console import Console  # noqa: PLC0415 - dear

    from streamer.benchmark.report import COLUMNS  # noqa: PLC0415 - as above

    console = Console(highlight=False, emoji=False, markup=False, width=None if sys.stdout.isatty() else COLUMNS)
    for part in parts:
        console.print(part)


def _warn_if_busy() -> None:
    from streamer.benchmark.figures import cores, load  # noqa: PLC0415 - as above

    busy = load()
    if busy is not None and busy > cores() / 2:
        logger.warning("the machine is busy, load %.1f on %d cores: rates and wall times will be off", busy, cores())


def _require_display() -> None:
    from streamer.sinks.window import display_problem  # noqa: PLC0415 - OpenCV, for who wants a window

    if problem := display_problem():
        raise SinkOpenError(f"no window can be opened: {problem}", where="--show")


def _job(settings: Settings, *, show: bool) -> "Job":
    from streamer.benchmark.clips import DEFAULT_SOURCE  # noqa: PLC0415 - as above
    from streamer.benchmark.runs import Job  # noqa: PLC0415
    from streamer.cli.asked import model_options  # noqa: PLC0415
    from streamer.cli.fetching import found_model  # noqa: PLC0415

    return Job(
        source=settings.source or DEFAULT_SOURCE,
        model=found_model(settings),
        options=model_options(settings),
        blur=settings.blur,
        show=show,
    )


def _print(measured: "Measured", found: "Figures", *, as_json: bool) -> None:
    if as_json:
        from streamer.benchmark.as_json import as_json as fields  # noqa: PLC0415 - as above

        typer.echo(json.dumps(fields(measured, found), indent=2))
        return
    from streamer.benchmark.report import report  # noqa: PLC0415 - as above

    _on_console(*report(measured, found))


def _plot(measured: "Measured", path: Path, *, force: bool) -> None:
    import streamer  # noqa: PLC0415 - for its version
    from streamer.benchmark.plot import save_plot  # noqa: PLC0415 - as above

    size = measured.clip.info.size_px
    shown = "" if size is None else f", {size[0]}x{size[1]}"
    save_plot(
        path,
        measured.runs[-1].spans,
        title=f"streamer {streamer.__version__}: {measured.model.name}{shown}, {measured.runs[-1].fps:.1f} fps",
        force=force,
    )
    logger.info("plot: %s", path)
