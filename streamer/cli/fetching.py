"""How a download goes, on stderr: a bar where there is a terminal, a line each five seconds where there is none.

It is told; nothing is shown where nothing is fetched. Called by the verbs models, inspect and bench, and by parts.py.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.config import Settings
from streamer.models.zoo.disk import in_mb
from streamer.models.zoo.download import Watch

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

logger = logging.getLogger(__name__)

LINE_S = 5.0
REFRESH_S = 0.1


def found_model(settings: Settings) -> Path | None:
    """Where the model lies that is asked for, fetched if need be; None for the one inside. Raises ModelLoadError."""
    if settings.model is None:
        return None
    from streamer.models.zoo.finding import find_model, look_for  # noqa: PLC0415 - for a name that is not in the cache

    look_for(settings.model)
    with fetching_shown(quiet=settings.quiet, as_json=settings.log_json) as watch:
        return find_model(settings.model, watch=watch)


@contextmanager
def fetching_shown(*, quiet: bool, as_json: bool = False) -> Iterator[Watch | None]:
    """What a download tells of itself, shown as suits the terminal, until the block ends."""
    if quiet:
        yield None
    elif as_json or sys.stderr is None or not sys.stderr.isatty():
        yield _Lines()
    else:
        shown = _Rewritten()
        try:
            yield shown
        finally:
            shown.close()


class _Lines:
    def __init__(self) -> None:
        self._said_s = time.monotonic()

    def __call__(self, received_bytes: int, total_bytes: int | None) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s >= LINE_S:
            self._said_s = now_s
            of = f" of {in_mb(total_bytes)}" if total_bytes else ""
            logger.info("fetched %s%s", in_mb(received_bytes), of)


class _Rewritten:
    """A bar from the first byte on."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._drawn_s = 0.0

    def __call__(self, received_bytes: int, total_bytes: int | None) -> None:
        now_s = time.monotonic()
        with suppress(OSError):  # a terminal that has gone must not end the download
            if self._bar is None:
                self._bar = _bar()
                self._bar.add_task("", total=total_bytes)
                self._bar.start()
            self._bar.update(self._bar.task_ids[0], completed=received_bytes, total=total_bytes)
            if now_s - self._drawn_s >= REFRESH_S or received_bytes == total_bytes:
                self._drawn_s = now_s
                self._bar.refresh()

    def close(self) -> None:
        with suppress(OSError):
            if self._bar is not None:
                self._bar.stop()


def _bar() -> "Bar":
    from rich.console import Console  # noqa: PLC0415 - dear, and for terminals only
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True, highlight=False, emoji=False)
    return Bar(*columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False)
