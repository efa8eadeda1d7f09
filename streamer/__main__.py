"""The program `streamer`, and `python -m streamer`: the command line, and a quick way out of the process."""

import os
import sys
from typing import NoReturn

SIGINT_EXIT = 130


def main() -> NoReturn:
    """Run the command line and end the process with its exit code.

    All that was opened is closed by then. What is left to the interpreter, taking TensorFlow apart, takes two seconds
    in which a signal would still be met without a handler: it is left out.
    """
    try:
        from streamer.cli import main as run  # noqa: PLC0415 - Ctrl-C while it loads is an ordinary way to leave, too

        run()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except KeyboardInterrupt:
        code = SIGINT_EXIT
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                continue  # nobody reads any more
    os._exit(code)


if __name__ == "__main__":
    main()
