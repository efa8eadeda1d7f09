"""What every test has: nothing may be left behind, and what is beside the project is found or the test says why not."""

import atexit
import gc
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Clips and models that others made; not part of the project."""

SETTLE_S = 2.0
"""How long a thread, file or process that is on its way out may take to be gone."""

os.environ.setdefault("STREAMER_RUNTIME", "saved")
"""Measuring which runtime is the fastest takes seconds for each model: only the tests of that do it."""

os.environ["STREAMER_CACHE"] = tempfile.mkdtemp(prefix="streamer-cache-")
"""Nobody's own cache is read or written; the tests of one process share this one."""
atexit.register(shutil.rmtree, os.environ["STREAMER_CACHE"], ignore_errors=True)

_SYSTEM = (sys.prefix, sys.base_prefix, "/usr/", "/lib", "/dev/", "/proc/", "/sys/", "/etc/", "anon_inode:")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is run by hand is skipped, with what it takes."""
    if "SOAK" in os.environ:
        return
    for item in items:
        if marker := item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason=f"takes {marker.args[0]}: SOAK=1 runs it"))


def shared(relative: str) -> Path:
    """A path below the folder of clips and models; skips the test where it is not there."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"needs {relative} of the clips and models beside the project")
    return path


@pytest.fixture
def heeded_hangup() -> Iterator[None]:
    """SIGHUP is not ignored, here and in children, as it is in all that `nohup` starts, these tests included."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def _threads() -> set[object]:
    return {thread for thread in threading.enumerate() if thread.is_alive()}


def _open_files() -> set[object]:
    """Files, pipes and sockets; those of the interpreter, its libraries and the system stay open and are no leaks."""
    folder = Path("/proc/self/fd")
    found: set[object] = set()
    for entry in folder.iterdir() if folder.is_dir() else ():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if not target.startswith(_SYSTEM):
            found.add((entry.name, target))
    return found


def _children() -> set[object]:
    try:
        return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}
    except OSError:
        return set()


def _left(read: Callable[[], set[object]], before: set[object]) -> set[object]:
    deadline = time.monotonic() + SETTLE_S
    while (left := read() - before) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    return left


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail the test that leaves a thread, a file or a process, or logs an error that it does not expect."""
    reads = {"threads": _threads, "files": _open_files, "processes": _children}
    before = {what: read() for what, read in reads.items()}
    yield
    for what, read in reads.items():
        left = _left(read, before[what])
        assert not left, f"{what} left behind: {sorted(map(str, left))}"
    if request.node.get_closest_marker("allow_error_logs") is None:
        errors = [
            record.getMessage()
            for when in ("setup", "call")
            for record in caplog.get_records(when)
            if record.levelno >= logging.ERROR and record.name.startswith("streamer")
        ]
        assert not errors, f"errors were logged: {errors}"
