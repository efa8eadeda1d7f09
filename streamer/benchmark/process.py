"""What the threads of this process have computed, where they come from, and how much memory it holds.

Linux tells it in /proc; elsewhere the threads stay unknown and the memory is what the system remembers of its peak.
"""

import sys
import threading
from contextlib import suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")
_STATUS = Path("/proc/self/status")


def name_thread(name: str) -> None:
    """Give the calling thread a name of the system's: threads that a library begins from it inherit that."""
    with suppress(OSError):
        (_TASKS / str(threading.get_native_id()) / "comm").write_text(name)


def threads(*, named: str | None = None) -> dict[int, int]:
    """CPU time in nanoseconds of each thread by the system's number; of those `named` so, where a name is given."""
    found: dict[int, int] = {}
    for task in _TASKS.iterdir() if _TASKS.is_dir() else ():
        with suppress(OSError):  # a thread that ended meanwhile
            if named is None or (task / "comm").read_text().strip() == named:
                found[int(task.name)] = int((task / "schedstat").read_text().split()[0])
    return found


def own_threads() -> set[int]:
    """The threads that Python began, by the system's number."""
    return {thread.native_id for thread in threading.enumerate() if thread.native_id is not None}


def resident_bytes() -> int | None:
    """Memory that is held now; None where the system does not say."""
    return _of_status("VmRSS")


def peak_bytes() -> int | None:
    """The most memory that was ever held.

    Not ru_maxrss where it can be avoided: on Linux that begins with what the parent held, exec or not.
    """
    return _of_status("VmHWM") or _remembered()


def _of_status(field: str) -> int | None:
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return None


def _remembered() -> int | None:
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - Windows has none

    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes
