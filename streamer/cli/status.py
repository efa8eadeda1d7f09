"""`streamer status FILE`: whether the run that writes this health file is alive, in a line and an exit code.

For Docker's HEALTHCHECK, probes and cron: it reads one file, and loads nothing that sees or shows.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from streamer.clock import MonotonicClock
from streamer.config.values import Span
from streamer.errors import ConfigError
from streamer.service.health import Health, read_health
from streamer.service.process import boot_id, presence
from streamer.service.verdict import NOT_ALIVE, Verdict, judged
from streamer.text import printable

MAX_AGE = "10s"

_STYLES = {0: "green", 1: "red"}


def status_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What a run was given as --health.")],
    *,
    max_age: Annotated[
        str, typer.Option("--max-age", metavar="TIME", help="How old the file may be: it is written each second.")
    ] = MAX_AGE,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: the file, and what is made of it.")] = False,
) -> None:
    """Say whether the run that writes this health file is alive and its frames flow; 0 if so."""
    health, verdict = look_at(file, max_age_s=_span(max_age))
    if as_json:
        typer.echo(json.dumps(_as_json(health, verdict), indent=2))
    else:
        text = said(file, health, verdict)
        typer.secho(text[0], fg=_STYLES.get(verdict.exit_code, "yellow"), bold=True, nl=False)
        typer.echo(text[1])
    raise typer.Exit(verdict.exit_code)


def look_at(file: Path, *, max_age_s: float) -> tuple[Health | None, Verdict]:
    """The file, if there is one, and what is made of it. Raises ConfigError for what is no health file."""
    try:
        health = read_health(file)
    except FileNotFoundError:
        return None, Verdict(NOT_ALIVE, "none", "there is no such file: no run writes it yet")
    return health, judged(
        health,
        presence=presence(health.process),
        now_ns=MonotonicClock().now_ns(),
        same_boot=health.process.boot_id == boot_id(),
        max_age_s=max_age_s,
    )


def said(file: Path, health: Health | None, verdict: Verdict) -> tuple[str, str]:
    """The state, and the rest of the line."""
    why = f": {printable(verdict.why, limit=256)}" if verdict.why else ""
    if health is None:
        return verdict.word, f"{why} ({printable(str(file), limit=256)})"
    produced = health.ledger.produced
    parts = [f"{printable(health.source, limit=256)}{why}", f"{produced} frames"]
    if verdict.word in {"running", "stalled"}:
        parts.append(f"capture {health.capture_fps:.1f} fps, detect {health.detect_fps:.1f} fps")
        parts.append(f"p95 {health.latency_p95_ms:.0f} ms")
    if health.last_frame_age_s is not None and verdict.age_s is not None and not health.over:
        parts.append(f"newest frame {health.last_frame_age_s + verdict.age_s:.1f} s ago")
    if health.reconnects:
        parts.append(f"{health.reconnects} reconnects")
    if health.ledger.dropped:
        parts.append(f"{health.ledger.dropped} dropped")
    lives = verdict.age_s is not None and verdict.word not in {"gone", "stale"} and not health.over
    up = f" up {_length(health.uptime_s + (verdict.age_s or 0.0))}" if lives else ""
    parts.append(f"process {health.process.pid}{up}")
    if verdict.age_s is not None:
        parts.append(f"told {_length(verdict.age_s)} ago")
    return verdict.word, " · ".join(["", *parts])


def _as_json(health: Health | None, verdict: Verdict) -> dict[str, object]:
    told = {} if health is None else health.model_dump(mode="json")
    age_s = None if verdict.age_s is None else round(verdict.age_s, 3)
    return {
        "alive": verdict.exit_code == 0,
        "verdict": verdict.word,
        "why": verdict.why,
        "age_s": age_s,
        "exit_code": verdict.exit_code,
        "health": told or None,
    }


def _span(text: str) -> float:
    try:
        return float(TypeAdapter(Span).validate_python(text))
    except ValidationError as error:
        what = f"{printable(text)!r} is no time; allowed: 10s, 1m"
        raise ConfigError(what, where="--max-age") from error


def _length(seconds: float) -> str:
    """`0.4 s`, `12 min`, `3 h 12 min`, `5 d 3 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
