"""What is said on stderr: one line a message, safe to print and without credentials; or one JSON object a line.

It sets up logging for the command line only; the library itself logs and configures nothing.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from streamer.config import Settings
from streamer.text import printable, redacted

LINE_CHARS = 1000
"""The longest line that is said; enough for every message with a path in it."""

MESSAGE_CHARS = 8 * LINE_CHARS
"""The longest message that is looked at: a model's or a driver's may be of any length."""

Write = Callable[[str], None]
"""Takes one line, without its end."""

_PREFIXES = {logging.WARNING: "warning: ", logging.ERROR: "error: ", logging.CRITICAL: "error: "}


def level_of(settings: Settings) -> int:
    """The lowest level that is said."""
    if settings.quiet:
        return logging.ERROR
    return logging.DEBUG if settings.verbose else logging.INFO


class Outlet:
    """Where lines go: to stderr, or for a while through something that keeps them apart from a progress bar."""

    def __init__(self) -> None:
        self._write: Write = write_stderr

    def __call__(self, line: str) -> None:
        self._write(line)

    @contextmanager
    def through(self, write: Write) -> Iterator[None]:
        """Lines go through `write` until the block ends."""
        self._write = write
        try:
            yield
        finally:
            self._write = write_stderr


def write_stderr(line: str) -> None:
    """One line to stderr, if there is one that takes it: full, closed or gone, it must not end a run."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


def safe_lines(text: str) -> list[str]:
    """`text` as lines that may be printed: no control characters, no credentials, no empty lines; the rest is cut."""
    if len(text) > MESSAGE_CHARS:
        # Whole lines where there are any: a password that is cut in two would not be recognised as one.
        text = text[:MESSAGE_CHARS].rpartition("\n")[0] or text[:MESSAGE_CHARS]
    return [line for part in redacted(text).splitlines() if (line := printable(part, limit=LINE_CHARS))]


class PlainFormatter(logging.Formatter):
    """`streamer: warning: no display`."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"streamer: {_PREFIXES.get(record.levelno, '')}"
        return "\n".join(prefix + line for line in safe_lines(_text(record, self)))


class JsonFormatter(logging.Formatter):
    """`{"time": ..., "level": "warning", "logger": ..., "message": ...}` and the fields that the message came with."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": when, "level": record.levelname.lower(), "logger": record.name}
        line["message"] = " | ".join(safe_lines(_text(record, self)))
        return json.dumps(line | getattr(record, "fields", {}))


def _text(record: logging.LogRecord, formatter: logging.Formatter) -> str:
    text = record.getMessage()
    if record.exc_info and logging.getLogger("streamer").isEnabledFor(logging.DEBUG):
        text = f"{text}\n{formatter.formatException(record.exc_info)}"
    return text


class _Handler(logging.Handler):
    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        if line := self.format(record):
            with suppress(OSError, ValueError):  # a log that cannot be kept must not spoil a recording
                self._write(line)


@contextmanager
def logging_to(write: Write, *, level: int, as_json: bool) -> Iterator[None]:
    """What streamer logs at `level` and above goes to `write`, line by line, until the block ends."""
    root = logging.getLogger("streamer")
    handler = _Handler(write)
    handler.setFormatter(JsonFormatter() if as_json else PlainFormatter())
    before = root.level
    root.addHandler(handler)
    root.setLevel(level)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
