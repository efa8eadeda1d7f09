"""Writes the health file of a run: whole or not at all, and never so that the run suffers from it."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from streamer.errors import ConfigError, SinkOpenError
from streamer.service.health import Health, read_health
from streamer.service.process import presence
from streamer.sinks.outfile import is_stream, publish, refusal, refuse_input
from streamer.text import printable

logger = logging.getLogger(__name__)


class Publish(Protocol):
    """Writes a whole file in one step, as `publish` does. Raises OSError."""

    def __call__(self, path: Path, data: bytes, *, force: bool) -> None: ...


class HealthFile:
    """The health file at `path`, which is ours as soon as this exists: the first state is in it.

    A health file of a run that is over is replaced; that of a run that goes on, and any other file, only with `force`.
    inputs: what is read, and is not replaced even so.

    Raises SinkOpenError.
    """

    def __init__(
        self,
        path: Path,
        first: Health,
        *,
        force: bool,
        inputs: Iterable[Path] = (),
        write: Publish = publish,
    ) -> None:
        self._path = path
        self._write = write
        self._failing = False
        refuse_input(path, inputs)
        if is_stream(path) or path.is_dir():
            raise SinkOpenError("a health file is replaced each second, and must be an ordinary file", where=str(path))
        if not force and os.path.lexists(path):
            _refuse_others(path)
        try:
            self._put(first)
        except OSError as error:
            raise refusal(path, error) from error

    def write(self, health: Health) -> None:
        """Replace what is there. That it cannot be done is said once, and tried again the next time."""
        try:
            self._put(health)
        except OSError as error:
            if not self._failing:
                where, why = printable(str(self._path), limit=256), error.strerror or str(error)
                logger.warning("%s: the health file cannot be written: %s; it is tried again", where, why)
            self._failing = True
        else:
            if self._failing:
                logger.info("%s: the health file is written again", printable(str(self._path), limit=256))
            self._failing = False

    def _put(self, health: Health) -> None:
        self._write(self._path, health.model_dump_json(indent=2).encode() + b"\n", force=True)


def _refuse_others(path: Path) -> None:
    try:
        found = read_health(path)
    except FileNotFoundError as error:
        raise SinkOpenError("a symbolic link that leads nowhere", where=str(path)) from error
    except ConfigError as error:
        raise SinkOpenError(
            "is there already, and is no health file", where=str(path), hint="--force replaces it"
        ) from error
    process = found.process
    if not found.over and process.pid != os.getpid() and presence(process) == "there":
        what = f"is the health file of a run that goes on, process {process.pid}"
        raise SinkOpenError(what, where=str(path), hint="each run needs one of its own")
