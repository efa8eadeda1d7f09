"""`streamer inspect`: what a model takes and gives, what was decided of it and why, and how sure that is.

What is imported here is light; the rest is loaded once the flags are known to be right.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.flags import Flags, with_settings
from streamer.cli.logs import Outlet, logging_to
from streamer.cli.signals import SIGINT_EXIT, Interrupted, Signals
from streamer.config import Settings, resolve, setting_fields
from streamer.errors import ConfigError, SinkOpenError, SourceOpenError
from streamer.text import safe_file_name

if TYPE_CHECKING:
    from streamer.frame import Image
    from streamer.inspection.findings import Inspection
    from streamer.inspection.report import Line

logger = logging.getLogger(__name__)

_COLOURS = {"open": "yellow", "bad": "red", "good": "green"}


def inspect_verb(
    flags: Flags, *, model: str | None, images: list[Path], as_json: bool, out: Path | None, write_card: bool
) -> None:
    """Say what a model takes and gives, what was decided of it and why; with --image, try what it leaves open."""
    given = flags if model is None else flags | {"model": model}
    resolved = resolve(flags=given, environ=os.environ)
    settings = resolved.settings
    if out is not None and not images:
        raise ConfigError("there is no sheet without pictures", where=f"--out {out}", hint="--image PIC gives one")
    if write_card and settings.model is None:
        raise ConfigError("the model inside has its card", where="--write-card", hint="streamer inspect MODEL")
    level = logging.ERROR if settings.quiet else logging.DEBUG if settings.verbose else logging.WARNING
    with logging_to(Outlet(), level=level, as_json=settings.log_json), Signals() as signals:
        for warning in resolved.warnings:
            logger.warning("%s", warning)
        try:
            _inspect(settings, images=images, as_json=as_json, out=out, write_card=write_card)
        except Interrupted as stopped:
            raise typer.Exit(signals.exit_code or SIGINT_EXIT) from stopped


_OF_RUNNING = {"runtime", "threads", "device", "gpu_mem", "int8"}
"""What decides how fast a model runs, and nothing of what it is."""

_TAKEN = {known.name for known in setting_fields().values() if known.setting.group in {"model", "itself"}} | {"force"}
_TAKEN -= _OF_RUNNING

inspect_command = with_settings(
    inspect_verb,
    only=_TAKEN - {"model"},
    model=(
        Annotated[str | None, typer.Argument(metavar="MODEL", help=setting_fields()["model"].setting.help)],
        None,
    ),
    images=(
        Annotated[
            list[Path],
            typer.Option("--image", metavar="PIC", help="A picture to try it on; may be given several times."),
        ],
        [],
    ),
    as_json=(Annotated[bool, typer.Option("--json", help="All of it as JSON.")], False),
    out=(
        Annotated[
            Path | None,
            typer.Option("--out", metavar="SHEET", help="The contact sheet (default MODEL-inspect.jpg, here)."),
        ],
        None,
    ),
    write_card=(
        Annotated[bool, typer.Option("--write-card", help="Write what was decided into a card beside the model.")],
        False,
    ),
)


def _inspect(settings: Settings, *, images: list[Path], as_json: bool, out: Path | None, write_card: bool) -> None:
    from streamer.cli.asked import model_options  # noqa: PLC0415 - heavy only from here on
    from streamer.cli.fetching import found_model  # noqa: PLC0415
    from streamer.inspection.inspect import inspect_model  # noqa: PLC0415

    pictures = _pictures(images)
    model = found_model(settings)
    sheet = _sheet_path(out, model, images, settings) if pictures else None
    card = _card_path(model, settings) if write_card and model is not None else None
    inspection = inspect_model(model, model_options(settings), pictures=pictures)
    written = {
        "sheet": None if sheet is None else _write_sheet(sheet, inspection, force=settings.force),
        "card_file": None if card is None else _write_card(card, inspection, force=settings.force),
    }
    if as_json:
        _print_json(inspection, written)
    else:
        _print_report(inspection, written)
    if inspection.failure is not None:
        raise inspection.failure


def _pictures(paths: list[Path]) -> "dict[str, Image]":
    """The pictures by name. Raises SourceOpenError for one that cannot be read."""
    if not paths:
        return {}
    from streamer.models.probe import MAX_PICTURES  # noqa: PLC0415 - as below
    from streamer.sources.images import read_picture  # noqa: PLC0415 - OpenCV, for who has pictures
    from streamer.sources.probing import refuse_missing  # noqa: PLC0415

    if len(paths) > MAX_PICTURES:
        raise ConfigError(f"{len(paths)} pictures are too many", where="--image", hint=f"at most {MAX_PICTURES}")
    pictures: dict[str, Image] = {}
    for path in paths:
        refuse_missing(str(path))
        image = read_picture(str(path))
        if image is None:
            raise SourceOpenError("unreadable or truncated: OpenCV can read no picture in it", where=str(path))
        pictures[str(path) if path.name in pictures else path.name] = image
    return pictures


def _sheet_path(out: Path | None, model: Path | None, images: list[Path], settings: Settings) -> Path:
    """Where the sheet goes; looked at before the model is loaded. Raises SinkOpenError where nothing may be written."""
    from streamer.sinks.options import WRITABLE_PICTURES  # noqa: PLC0415 - as above
    from streamer.sinks.outfile import OutFile, refuse_input  # noqa: PLC0415

    path = out if out is not None else Path(f"{_name(model)}-inspect.jpg")
    if path.suffix.lower() not in WRITABLE_PICTURES:
        raise SinkOpenError(f"pictures end in {', '.join(WRITABLE_PICTURES)}", where=str(path))
    refuse_input(path, images if model is None else [*images, model])
    OutFile(path, force=settings.force).close()
    return path


def _name(model: Path | None) -> str:
    """What a model is called: its file, or its folder, and of what exports call saved_model the folder above."""
    if model is None:
        return "model-inside"
    whole = model.resolve()
    named = whole.parent if whole.name == "saved_model" and whole.parent.name else whole
    return safe_file_name(named.name if named.is_dir() else named.stem)


def _write_sheet(path: Path, inspection: "Inspection", *, force: bool) -> Path | None:
    if inspection.looked is None:
        return None
    from streamer.inspection.sheet import sheet_of  # noqa: PLC0415 - as above
    from streamer.sinks.pictures import save_picture  # noqa: PLC0415

    sheet = sheet_of(inspection.looked, inspection.labels, model=_name(inspection.path))
    save_picture(path, sheet, force=force)
    return path


def _card_path(model: Path, settings: Settings) -> Path:
    """Where the card goes; looked at before the model is loaded. Raises SinkOpenError where one is."""
    from streamer.models.card_files import card_path  # noqa: PLC0415 - as above
    from streamer.models.formats.recognise import recognise  # noqa: PLC0415

    path = settings.card or card_path(recognise(model).path)
    if path.exists() and not settings.force:
        raise SinkOpenError("is there already", where=str(path), hint="--force replaces it")
    return path


def _write_card(path: Path, inspection: "Inspection", *, force: bool) -> Path | None:
    if inspection.plan is None:
        return None
    from streamer.inspection.keeping import keep_card  # noqa: PLC0415 - as above

    return keep_card(inspection, path=path, force=force)


def _print_json(inspection: "Inspection", written: dict[str, Path | None]) -> None:
    from streamer.inspection.as_json import as_json  # noqa: PLC0415 - as above

    paths = {name: None if path is None else str(path) for name, path in written.items()}
    typer.echo(json.dumps(as_json(inspection) | paths, indent=2))


def _print_report(inspection: "Inspection", written: dict[str, Path | None]) -> None:
    from streamer.inspection.report import report  # noqa: PLC0415 - as above

    names = {"sheet": "sheet", "card_file": "card"}
    lines = report(inspection, written={names[what]: path for what, path in written.items() if path is not None})
    if sys.stdout.isatty():
        _print_coloured(lines)
    else:
        typer.echo("\n".join(map(str, lines)))


def _print_coloured(lines: "list[Line]") -> None:
    from rich.console import Console  # noqa: PLC0415 - dear, and needed on a terminal only
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        head, text = str(line)[: len(line.head)], str(line)[len(line.head) :]
        console.print(Text.assemble((head, "bold"), (text, _COLOURS.get(line.mark, ""))))
