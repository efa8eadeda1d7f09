"""`streamer devices`: which cameras there are, and the modes that they really have. It takes no picture."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streamer.sources.devices import Device, Mode

_TITLES = ("index", "name", "path", "driver", "size", "modes")


def devices_command(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List every camera: index, name, path, driver, and its sizes with the rates of each format."""
    from streamer.sources.devices import list_devices  # noqa: PLC0415 - OpenCV is loaded for it

    devices = list_devices()
    if as_json:
        typer.echo(json.dumps([_as_json(device) for device in devices], indent=2))
    elif devices and sys.stdout.isatty():
        _print_table(devices)
    else:
        for device in devices:
            _print_lines(device)
    for note in notes_on(devices):
        typer.echo(note, err=as_json or bool(devices))


def notes_on(devices: "list[Device]", folder: Path = Path("/dev")) -> list[str]:
    """What to try where there is no camera, or one that cannot be used."""
    notes = [f"{device.title}: {device.problem}" for device in devices if device.problem]
    notes += [f"{device.title}: in use by {', '.join(device.used_by)}" for device in devices if device.used_by]
    return notes if devices else _where_there_is_none(folder)


def _where_there_is_none(folder: Path) -> list[str]:
    notes = ["no camera was found"]
    if sys.platform.startswith("linux"):
        nodes = sorted(map(str, folder.glob("video[0-9]*")))
        if nodes:
            notes.append(f"{', '.join(nodes)}: no camera's pictures come from there; they are metadata or outputs")
        else:
            notes.append(f"there is no {folder}/video*: is one plugged in? lsusb shows what the system sees of it")
            notes.append("in a container, it has to be given: --device /dev/video0 --group-add video")
        notes.append("whoever uses one must be of its group: usermod -aG video $USER, and log in again")
    else:
        notes.append("is one plugged in, and may this program use it? the system's settings of privacy say")
    notes.append("without one, test: is a source: streamer test:")
    return notes


def _as_json(device: "Device") -> dict[str, object]:
    return {
        "index": device.index,
        "name": device.name,
        "path": device.path,
        "driver": device.driver,
        "backend": device.backend,
        "modes": [
            {
                "fourcc": mode.fourcc,
                "width": mode.size_px[0],
                "height": mode.size_px[1],
                "fps": list(mode.fps),
                "any_between": mode.any_between,
            }
            for mode in device.modes
        ],
        "problem": device.problem,
        "used_by": list(device.used_by),
    }


def rates_of(mode: "Mode") -> str:
    """`30 15 5`, or `1..60`; `?` where the driver does not say."""
    return ("..".join if mode.any_between else " ".join)(
        f"{fps:g}" for fps in (reversed(mode.fps) if mode.any_between else mode.fps)
    ) or "?"


def _print_lines(device: "Device") -> None:
    """A line for each mode, with tabs between: index, name, path, driver, fourcc, size, rates."""
    camera = (str(device.index), device.name, device.path, device.driver or "-")
    for mode in device.modes:
        typer.echo("\t".join((*camera, mode.fourcc, mode.size, rates_of(mode))))
    if not device.modes:
        typer.echo("\t".join((*camera, "-", "-", "-")))


def _print_table(devices: "list[Device]") -> None:
    from rich.console import Console  # noqa: PLC0415 - dear, and needed on a terminal only
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for title in _TITLES:
        table.add_column(title, justify="right" if title in {"index", "size"} else "left", no_wrap=title == "size")
    for device in devices:
        camera = [str(device.index), device.name, device.path, device.driver or "-"]
        for size, told in _by_size(device.modes).items() or {"-": "not known"}.items():
            table.add_row(*(Text(cell, "bold") for cell in camera), Text(size), Text(told))
            camera = [""] * len(camera)
    Console(highlight=False).print(table)


def _by_size(modes: "Sequence[Mode]") -> dict[str, str]:
    """`MJPG 30 15, YUYV NV12 10` for each size: formats of the same rates stand together."""
    sizes: dict[str, dict[str, list[str]]] = {}
    for mode in modes:
        sizes.setdefault(mode.size, {}).setdefault(rates_of(mode), []).append(mode.fourcc)
    return {
        size: ", ".join(f"{' '.join(formats)} {rates}" for rates, formats in by_rates.items())
        for size, by_rates in sizes.items()
    }
