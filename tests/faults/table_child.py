"""A process that writes a table as fast as it can, one byte on stdout for each frame kept, until it is killed.

    python -m tests.faults.table_child PATH FORMAT FRAMES [LIMIT_BYTES]

With a limit no file may grow larger, as on a full disk; the last line on stdout is then what the sink said.
"""

import os
import sys
from pathlib import Path

from streamer.errors import SinkError
from tests.sinks.tables.samples import TABLES, full


def main(path: str, kind: str, frames: str, limit_bytes: str = "") -> None:
    if limit_bytes:
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), int(limit_bytes)))
    sink = TABLES[kind](Path(path))
    try:
        for index in range(int(frames)):
            sink.write(full(index, pts_s=index / 10))
            os.write(1, b".")
        sink.close()
    except SinkError as error:
        sink.close()
        os.write(1, f"\n{error}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
