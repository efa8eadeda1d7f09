"""`streamer render`: draws again what a run saw, from the lines of its `--jsonl`, without a model.

It is a run whose detector is a table; what is done beside that is done by session.py as for any other. What is imported
here is light; the rest is loaded once the flags are known to be right.
"""

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli.flags import Flags, with_settings
from streamer.cli.logs import Outlet, level_of, logging_to
from streamer.cli.signals import SIGINT_EXIT, Interrupted, Signals
from streamer.config import Origin, Resolved, Settings, resolve, setting_fields
from streamer.errors import ConfigError
from streamer.frame import MAX_DETECTIONS

if TYPE_CHECKING:
    from streamer.analytics.recorded import Recorded

logger = logging.getLogger(__name__)

_GROUPS = {"view", "record", "report", "itself"}
_TAKEN = {known.name for known in setting_fields().values() if known.setting.group in _GROUPS}
_TAKEN |= {"classes", "start", "end", "duration", "stride"}

_OF_A_MODEL: dict[str, object] = {"policy": "all", "detect_every": 1, "loop": False, "realtime": False, "model": None}
"""What a variable or a settings file may say for runs, and what says nothing here."""


def render_verb(flags: Flags, *, detections: Path, source: str | None, conf: str | None) -> None:
    """Draw again what a run saw, from the lines of its `--jsonl`, without a model."""
    given = {name: value for name, value in (("source", source), ("conf", conf)) if value is not None}
    resolved = _without_a_model(resolve(flags=flags | given, environ=os.environ))
    settings = resolved.settings
    _require(settings)
    outlet = Outlet()
    with logging_to(outlet, level=level_of(settings), as_json=settings.log_json), Signals() as signals:
        for warning in resolved.warnings:
            logger.warning("%s", warning)
        code = _render(resolved, detections, outlet=outlet, signals=signals)
    raise typer.Exit(code)


render_command = with_settings(
    render_verb,
    only=_TAKEN,
    detections=(
        Annotated[Path, typer.Argument(metavar="DETECTIONS", help="The lines that --jsonl of a run wrote.")],
        ...,
    ),
    source=(
        Annotated[
            str | None,
            typer.Option("--source", "-s", metavar="CLIP", help="What the run read: a video, a picture or a folder."),
        ],
        None,
    ),
    conf=(
        Annotated[
            str | None,
            typer.Option(
                "--conf", metavar="X", help="Leave out lower scores; lower ones than the run's bring nothing."
            ),
        ],
        None,
    ),
)


def _without_a_model(resolved: Resolved) -> Resolved:
    """The settings as they are for a table: all that it holds, where nothing else is asked for."""
    settings, origins = resolved.settings, dict(resolved.origins)
    if settings.blur:
        raise ConfigError(
            "a table does not hold all that is to be hidden: it cannot be blurred without the model",
            where=f"{origins['blur']}: blur",
            hint="streamer run --blur",
        )
    everything = {"conf": 0.0, "max_det": MAX_DETECTIONS}
    updates = _OF_A_MODEL | {name: value for name, value in everything.items() if origins[name].kind == "default"}
    origins |= {name: Origin() for name in updates}
    return replace(resolved, settings=settings.model_copy(update=updates), origins=origins)


def _require(settings: Settings) -> None:
    if settings.source is None:
        raise ConfigError("there is nothing to draw on", where="--source", hint="-s CLIP names what the run read")


def _render(resolved: Resolved, detections: Path, *, outlet: Outlet, signals: Signals) -> int:
    try:
        from streamer.cli.session import Session  # noqa: PLC0415 - see above

        recorded = _recorded(resolved.settings, detections)
        return Session(resolved, outlet=outlet, signals=signals, recorded=recorded).run()
    except Interrupted:
        return signals.exit_code or SIGINT_EXIT


def _recorded(settings: Settings, detections: Path) -> "Recorded":
    from streamer.analytics.recorded import Recorded  # noqa: PLC0415 - as above
    from streamer.analytics.table_reading import read_table  # noqa: PLC0415
    from streamer.sources import comes_by_itself  # noqa: PLC0415

    if comes_by_itself(settings.source or ""):
        raise ConfigError(
            "a camera or a stream shows nothing again", where=settings.source, hint="-s CLIP: a file or a folder"
        )
    recorded = Recorded(
        read_table(detections),
        conf=settings.conf,
        classes=settings.classes,
        max_det=settings.max_det,
        whole=settings.start is None and settings.end is None and settings.duration is None and settings.stride == 1,
    )
    logger.info("table: %s", recorded.describe())
    return recorded
