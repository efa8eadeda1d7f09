"""Which programs have a camera open: what a driver that says `busy` leaves out. Linux tells it in /proc."""

import os
from contextlib import suppress
from pathlib import Path

from streamer.text import printable


def users_of(path: str, processes: Path = Path("/proc")) -> tuple[str, ...]:
    """`name (pid)` of each program that has the file at `path` open; those of other users are seen by root only."""
    node, own = os.path.realpath(path), str(os.getpid())
    found = []
    for process in processes.glob("[0-9]*"):
        with suppress(OSError):
            if process.name != own and any(os.path.realpath(link) == node for link in (process / "fd").iterdir()):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace")
                found.append(f"{printable(name)} ({process.name})")
    return tuple(sorted(found))
