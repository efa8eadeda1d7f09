"""A file that is put together beside its place and moved there when it is whole: nobody ever sees half of it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.errors import SinkOpenError
from streamer.sinks.outfile import OutFile, is_stream, refusal


@contextmanager
def beside(path: Path, *, force: bool) -> Iterator[Path]:
    """A path to write to, in the folder of `path`, which it becomes when the block ends well; else it is removed.

    What is at `path` is replaced only with `force`, which follows a symbolic link; also if it came there a moment ago.
    Raises SinkOpenError before the block where nothing can be written there, or something is there already.
    """
    if is_stream(path):
        raise SinkOpenError("is no ordinary file", where=str(path), hint="give the name of a file")
    OutFile(path, force=force).close()
    place = Path(os.path.realpath(path)) if force else path
    part = place.with_name(f".{secrets.token_hex(8)}.part")
    claimed = False
    try:
        yield part
        if not force:
            place.touch(exist_ok=False)
            claimed = True
        part.replace(place)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if claimed:
            place.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise refusal(path, error) from error
        raise
