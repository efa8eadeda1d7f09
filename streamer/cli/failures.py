"""What is said of an exception, and which exit code it has. Called by `main` and by session.py."""

import traceback
from pathlib import Path

from streamer.cli.signals import SIGINT_EXIT
from streamer.errors import InternalError, StreamerError


def told(error: BaseException) -> list[str]:
    """The exception in lines for the user; what is no StreamerError is a bug of ours, and says so."""
    if isinstance(error, StreamerError):
        return str(error).splitlines()
    if isinstance(error, KeyboardInterrupt):
        return ["interrupted"]
    if isinstance(error, MemoryError):
        return [f"there is not enough memory: {error}" if str(error) else "there is not enough memory"]
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    return [f"a bug of ours: {type(error).__name__}: {error}{place} (please report it; -v shows where it came from)"]


def code_of(error: BaseException) -> int:
    """The exit code: 70 for a bug."""
    if isinstance(error, KeyboardInterrupt):
        return SIGINT_EXIT
    return error.exit_code if isinstance(error, StreamerError) else InternalError.exit_code
