"""`streamer doctor`: what works on this machine, tried, and what to install.

It imports neither OpenCV nor TensorFlow: where they are broken, it is the one that has to say so.
"""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

import streamer
from streamer.cli.signals import SIGINT_EXIT, Interrupted, Signals

if TYPE_CHECKING:
    from streamer.doctor.findings import Finding

_STYLES = {"ok": "green", "missing": "yellow", "broken": "red"}
_NAME_WIDTH = 32


def doctor_command(*, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Try what streamer needs and can use here: codecs, runtimes, cameras, display, GPU; say what to install."""
    from streamer.doctor.checkup import check_up  # noqa: PLC0415 - for who asks
    from streamer.doctor.findings import shortfall  # noqa: PLC0415

    findings: list[Finding] = []
    lines = not as_json and not sys.stdout.isatty()
    with Signals() as signals:
        try:
            for finding in check_up(version=streamer.__version__):
                findings.append(finding)
                if lines:
                    typer.echo(line(finding))
        except Interrupted as stopped:
            raise typer.Exit(signals.exit_code or SIGINT_EXIT) from stopped
    problem = shortfall(findings)
    if as_json:
        code = 0 if problem is None else problem.exit_code
        typer.echo(json.dumps({"checks": [asdict(finding) for finding in findings], "exit_code": code}, indent=2))
    elif not lines:
        _print_table(findings)
    if problem is not None:
        raise problem


def line(finding: "Finding") -> str:
    """A finding as one line: verdict, name, what was found, what to do."""
    advice = f" -> {finding.advice}" if finding.advice else ""
    return f"{finding.verdict:<8} {finding.name:<{_NAME_WIDTH}} {finding.found}{advice}"


def _print_table(findings: "list[Finding]") -> None:
    from rich.console import Console  # noqa: PLC0415 - dear, and needed on a terminal only
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for title in ("", "", "found", "what to do"):
        table.add_column(title)
    for finding in findings:
        style = _STYLES[finding.verdict]
        cells = (Text(finding.verdict, style), Text(finding.name, "bold"), Text(finding.found), Text(finding.advice))
        table.add_row(*cells)
    Console(highlight=False).print(table)
