"""`streamer config`: what the settings are and where they came from, whether a file is right, and a file to begin with.

It runs nothing and imports nothing heavy.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.flags import Flags, with_settings
from streamer.config import Resolved, SettingField, resolve, setting_fields
from streamer.errors import SinkOpenError
from streamer.text import printable

DEFAULT_FILE = Path("streamer.yaml")

config_app = typer.Typer(help="Settings: show them with their origins, check a file, begin one.", no_args_is_help=True)


def show(flags: Flags, *, as_json: bool) -> None:
    """Print every setting, its value and where that came from; takes the flags of run."""
    resolved = resolve(flags=flags, environ=os.environ)
    for warning in resolved.warnings:
        typer.echo(f"streamer: warning: {warning}", err=True)
    if as_json:
        typer.echo(json.dumps(resolved.described(), indent=2))
    elif sys.stdout.isatty():
        _print_table(resolved)
    else:
        _print_columns(resolved)


config_app.command("show")(
    with_settings(show, as_json=(Annotated[bool, typer.Option("--json", help="As JSON.")], False))
)


@config_app.command("check")
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file of settings.")]) -> None:
    """Say whether a settings file is right, and everything that is wrong with it."""
    resolved = resolve(path=file)
    count = sum(origin.kind == "file" for origin in resolved.origins.values())
    typer.echo(f"{printable(str(file), limit=256)}: {count} settings, all right")


@config_app.command("init")
def init(file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to write.")] = DEFAULT_FILE) -> None:
    """Write a file of all settings with their defaults, commented out; never overwrites."""
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(commented_file())
    except FileExistsError as error:
        raise SinkOpenError("is there already and is not overwritten", where=str(file)) from error
    except (OSError, ValueError) as error:
        raise SinkOpenError(f"cannot be written: {printable(str(error))}", where=str(file)) from error
    typer.echo(f"{printable(str(file), limit=256)} written")


def commented_file() -> str:
    """A settings file with every setting, its meaning, what is allowed and its default, all of it commented out."""
    lines = ["# Settings of streamer. Remove the # of a line to set it; flags and STREAMER_* variables win over it."]
    group = ""
    for known in setting_fields().values():
        if known.setting.in_file:
            if known.setting.group != group:
                group = known.setting.group
                lines += ["", f"# -- {group} --"]
            lines += _commented(known)
    return "\n".join(lines) + "\n"


def _commented(known: SettingField) -> list[str]:
    unit = f" in {known.setting.unit}" if known.setting.unit else ""
    reloads = " A run that goes on takes it over." if known.setting.reloads else ""
    said = f"# {known.setting.help} Allowed: {known.allowed}{unit}.{reloads}"
    return ["", said, f"#{known.name}: {_written(known.default)}"]


def _written(default: object) -> str:
    if default is None or default == ():
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def _rows(resolved: Resolved) -> list[tuple[str, str, str]]:
    return [(name, resolved.shown(name) or "-", str(origin)) for name, origin in resolved.origins.items()]


def _print_columns(resolved: Resolved) -> None:
    rows = _rows(resolved)
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, value, origin in rows:
        typer.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")


def _print_table(resolved: Resolved) -> None:
    from rich.console import Console  # noqa: PLC0415 - dear, and needed on a terminal only
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for name, value, origin in _rows(resolved):
        quiet = "dim" if origin == "default" else ""
        table.add_row(Text(name, style=quiet), Text(value, style=quiet), Text(origin, style=quiet))
    Console().print(table)
