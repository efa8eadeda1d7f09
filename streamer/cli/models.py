"""`streamer models`: which models there are by name, fetch one, say where it lies, take it away.

It runs no model and imports neither TensorFlow nor OpenCV.
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.logs import Outlet, logging_to
from streamer.cli.signals import SIGINT_EXIT, Interrupted, Signals
from streamer.errors import ConfigError, ModelLoadError

if TYPE_CHECKING:
    from streamer.models.zoo.cache import Cache

models_app = typer.Typer(help="Models by name: list them, fetch one, find it, remove it.", no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A model that can be had, or is there."""

    name: str
    about: str
    input_size: tuple[int, int] | None
    coco_map: float | None
    size_bytes: int | None
    url: str | None
    sha256: str | None
    cached: bool
    path: str | None


@models_app.command("list")
def list_models(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Print the models that have names, what they are, and which of them are in the cache."""
    entries = _entries()
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
    elif sys.stdout.isatty():
        _print_table(entries)
    else:
        _print_columns(entries)


@models_app.command("get")
def get_model(
    model: Annotated[str, typer.Argument(metavar="NAME|URL", help="A name of the list, or an address.")],
    *,
    sha256: Annotated[str | None, typer.Option("--sha256", metavar="HEX", help="What it must be.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Fetch a model if it is not in the cache, check and unpack it, and print its path."""
    from streamer.cli.fetching import fetching_shown  # noqa: PLC0415 - the list needs no network
    from streamer.models.zoo.finding import get  # noqa: PLC0415

    pinned = _checked_sha256(sha256)
    with _interruptible(quiet=quiet), fetching_shown(quiet=quiet) as watch:
        path = get(model, sha256=pinned, watch=watch)
    typer.echo(path)


@models_app.command("path")
def print_path(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A model in the cache.")] = None,
) -> None:
    """Print where a model lies; without a name, the folder of the cache."""
    from streamer.models.zoo.cache import cache_folder  # noqa: PLC0415
    from streamer.models.zoo.finding import kept  # noqa: PLC0415

    typer.echo(cache_folder() if name is None else kept(name))


@models_app.command("rm")
def remove_models(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models in the cache.")],
    *,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget its checksum too, so that another file may come under its name.")
    ] = False,
) -> None:
    """Remove models, and what has arrived of them, from the cache."""
    from streamer.models.zoo.cache import Cache  # noqa: PLC0415
    from streamer.models.zoo.finding import key_of  # noqa: PLC0415

    cache = Cache()
    keys = [key_of(name) for name in names]
    for name, key in zip(names, keys, strict=True):
        if not _removable(cache, key):
            raise ModelLoadError("is not in the cache", where=name, hint="streamer models list shows what is")
    with _interruptible(quiet=False):
        for key in keys:
            with cache.locked(key):
                cache.remove(key)
                if forget:
                    cache.forget(key)


def _removable(cache: "Cache", key: str) -> bool:
    return re.fullmatch(r"\w[\w.+-]*", key) is not None and cache.knows(key)


@contextmanager
def _interruptible(*, quiet: bool) -> Iterator[None]:
    """Logs on stderr; a signal ends the block well, and the program with its exit code."""
    level = logging.ERROR if quiet else logging.INFO
    with logging_to(Outlet(), level=level, as_json=False), Signals() as signals:
        try:
            yield
        except Interrupted as stopped:
            raise typer.Exit(signals.exit_code or SIGINT_EXIT) from stopped


def _checked_sha256(text: str | None) -> str | None:
    if text is not None and re.fullmatch(r"[0-9a-fA-F]{64}", text) is None:
        raise ConfigError("is no sha256", where=f"--sha256 {text}", hint="it has 64 digits, 0-9 and a-f")
    return None if text is None else text.lower()


def _entries() -> list[_Entry]:
    from streamer.models.zoo.cache import Cache  # noqa: PLC0415
    from streamer.models.zoo.published import zoo_models  # noqa: PLC0415

    cache = Cache()
    known, cached = zoo_models(), cache.keys()
    return [_entry(name, cache, cached=name in cached) for name in dict.fromkeys([*known, *cached])]


def _entry(name: str, cache: "Cache", *, cached: bool) -> _Entry:
    from streamer.models.zoo.published import zoo_models  # noqa: PLC0415

    origin, model = cache.origin(name), zoo_models().get(name)
    return _Entry(
        name=name,
        about=model.about if model else origin.url or "from an archive",
        input_size=model.input_size_px if model else None,
        coco_map=model.coco_map if model else None,
        size_bytes=origin.size_bytes or (model.size_bytes if model else None),
        url=model.url if model else origin.url or None,
        sha256=(model.sha256 if model else None) or origin.sha256 or cache.recorded(name) or None,
        cached=cached,
        path=str(cache.folder(name)) if cached else None,
    )


_TITLES = ("name", "input", "COCO mAP", "MB", "cached", "about")


def _row(entry: _Entry) -> tuple[str, ...]:
    return (
        entry.name,
        "-" if entry.input_size is None else "x".join(map(str, entry.input_size)),
        "-" if entry.coco_map is None else f"{entry.coco_map:.1f}",
        "-" if entry.size_bytes is None else f"{entry.size_bytes / 1e6:.1f}",
        "yes" if entry.cached else "-",
        entry.about,
    )


def _print_columns(entries: list[_Entry]) -> None:
    rows = [_TITLES, *map(_row, entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES) - 1)]
    for row in rows:
        cells = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=True)]
        typer.echo("  ".join([*cells, row[-1]]))


def _print_table(entries: list[_Entry]) -> None:
    from rich.console import Console  # noqa: PLC0415 - dear, and needed on a terminal only
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for title in _TITLES:
        table.add_column(title, justify="right" if title in {"COCO mAP", "MB"} else "left", no_wrap=title == "name")
    for entry in entries:
        table.add_row(*(Text(cell, style="bold" if entry.cached else "") for cell in _row(entry)))
    Console().print(table)
