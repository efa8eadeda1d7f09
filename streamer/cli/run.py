"""`streamer run`: settings, the log and the signals; session.py does the rest.

What is imported here is light, so that a wrong flag is answered at once and Ctrl-C works while the rest is loaded.
"""

import logging
import os

import typer

from streamer.cli.flags import Flags
from streamer.cli.logs import Outlet, level_of, logging_to
from streamer.cli.reloading import Reloading
from streamer.cli.signals import PATIENCE_S, SIGINT_EXIT, Interrupted, Signals, leave_if_held
from streamer.config import Resolved, Settings, resolve
from streamer.errors import ConfigError

logger = logging.getLogger(__name__)


def run_verb(flags: Flags) -> None:
    """Watch, record, report: SOURCE through the model to a window and to OUT."""
    resolved = resolve(flags=flags, environ=os.environ)
    settings = resolved.settings
    _require(settings)
    outlet = Outlet()
    reloading = Reloading(resolved, flags=flags, environ=os.environ)
    with logging_to(outlet, level=level_of(settings), as_json=settings.log_json):
        with Signals(reloads=True, patience_s=PATIENCE_S) as signals:
            for warning in resolved.warnings:
                logger.warning("%s", warning)
            code = _run(resolved, outlet=outlet, signals=signals, reloading=reloading)
        leave_if_held(code, name="streamer-")
    raise typer.Exit(code)


def _run(resolved: Resolved, *, outlet: Outlet, signals: Signals, reloading: Reloading) -> int:
    try:
        from streamer.cli.session import Session  # noqa: PLC0415 - see above

        return Session(resolved, outlet=outlet, signals=signals, reloading=reloading).run()
    except Interrupted:
        return signals.exit_code or SIGINT_EXIT


def _require(settings: Settings) -> None:
    if settings.source is None:
        raise ConfigError("there is nothing to watch", hint="streamer SOURCE, such as streamer 0 or streamer clip.mp4")
