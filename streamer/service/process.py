"""Which process this is, so that another one can tell whether it is still there: not its number alone, which is given
again, but also when it began, on which start of the machine, and who counts its number.

Linux tells all of it; elsewhere what is not known is None, and the age of the file has to say it.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19
"""Where they stand in /proc/PID/stat behind the name; proc(5) counts from 1, and the state is its field 3."""
_DEAD = frozenset("ZXx")

Presence = Literal["there", "gone", "unknown"]


class ProcessId(BaseModel):
    """One process for good. started_ticks: after the machine's start. pid_space: whose numbers `pid` is one of."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started_ticks: int | None = None
    boot_id: str | None = None
    pid_space: str | None = None


def this_process() -> ProcessId:
    """The one that asks."""
    return ProcessId(pid=os.getpid(), started_ticks=_stat(os.getpid())[1], boot_id=boot_id(), pid_space=_pid_space())


def boot_id() -> str | None:
    """Of this start of the machine; monotonic time counts from there, for every process of it."""
    with suppress(OSError):
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return None


def presence(process: ProcessId) -> Presence:
    """Whether it is still there. A zombie is gone. Of one whose number another container counts, nothing is known."""
    if process.boot_id != boot_id():
        return "gone"
    if process.pid_space != _pid_space() or sys.platform == "win32":  # there os.kill would end it
        return "unknown"
    if process.pid <= 0:
        return "gone"
    try:
        os.kill(process.pid, 0)
    except PermissionError:
        pass  # it is there, and somebody else's
    except (OSError, OverflowError):
        return "gone"
    state, started_ticks = _stat(process.pid)
    if state in _DEAD or (started_ticks is not None and process.started_ticks not in {None, started_ticks}):
        return "gone"
    return "unknown" if started_ticks is None else "there"


def _stat(pid: int) -> tuple[str, int | None]:
    """State and start; the name between brackets may hold brackets and spaces itself."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[_STATE], int(fields[_STARTED])
    except (OSError, ValueError, IndexError):
        return "", None


def _pid_space() -> str | None:
    with suppress(OSError):
        return str((_PROC / "self/ns/pid").readlink())
    return None
