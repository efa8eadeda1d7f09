"""Runs tests in a process of pytest's, and goes on in a new one behind a test that hangs or ends the process."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tests.faults.figures import REPORT

ROOT = Path(__file__).resolve().parents[2]

START_S = 120.0
"""How long pytest may take to collect, and to end."""

BEYOND_S = 20.0
"""A test has its own limit, which ends its process; so much later it is ended from here."""

TICK_S = 0.05

ALL_PASSED, SOME_FAILED, NO_TESTS_LEFT = 0, 1, 5
"""Exit codes of pytest's."""

Entry = dict[str, Any]
"""A line of the file of figures: a figure, that a test began, or that it ended."""


class Following:
    """Reads what is added to a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def entries(self) -> list[Entry]:
        """What came since the last time; a line that is being written waits."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


class Process:
    """One of pytest's. under_way: the test that was begun and has not ended."""

    def __init__(self, tests: Sequence[str], found: Path, log: IO[bytes]) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "tests.faults.outcomes"]
        command += ["--rootdir", str(ROOT), "-c", str(ROOT / "setup.cfg"), *tests]
        variables = os.environ | {REPORT: str(found), "SOAK": "1", "PYTHONPATH": _python_path()}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self._until_s = time.monotonic() + START_S
        self.began = False
        self.under_way = ""

    @property
    def code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def note(self, entry: Entry) -> None:
        """Keep up with what it says."""
        if "began" in entry:
            self.began, self.under_way = True, entry["began"]
            self._until_s = time.monotonic() + entry["limit_s"] + BEYOND_S
        elif "ended" in entry:
            self.under_way = ""
            self._until_s = time.monotonic() + START_S

    def wait(self) -> bool:
        """Wait a moment; False where it is late and was ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(TICK_S)
        if self._process.poll() is None and time.monotonic() > self._until_s:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """End it and what it began."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def run_tests(tests: Sequence[str], *, log: Path) -> Iterator[Entry]:
    """Run `tests`, each once, and give what they say as it comes.

    log: a file for what pytest writes. A test that takes its process with it ends as failed, with the reason. Raises
    RuntimeError where a process ends without having begun one.
    """
    with tempfile.TemporaryDirectory(prefix="streamer-faults-") as folder, log.open("ab") as written:
        found = Path(folder) / "figures.jsonl"
        following = Following(found)
        done = not tests
        while not done:
            process = Process(tests, found, written)
            try:
                yield from _followed(process, following)
            finally:
                process.kill()
            if not process.began and process.code != NO_TESTS_LEFT:
                raise RuntimeError(f"pytest ended with {process.code} and ran nothing; see {log}")
            if process.under_way:
                yield {"ended": process.under_way, "outcome": "failed", "seconds": 0.0, "reason": _death(process)}
            done = not process.under_way and process.code in {ALL_PASSED, SOME_FAILED, NO_TESTS_LEFT}


def _followed(process: Process, following: Following) -> Iterator[Entry]:
    running = True
    while running:
        running = process.wait() and process.code is None
        for entry in following.entries():
            process.note(entry)
            yield entry


def _death(process: Process) -> str:
    code = process.code or 0
    if code < 0 and code != -signal.SIGKILL:
        return f"it ended the process: {signal.Signals(-code).name}"
    return "it hung, and was ended at its limit of time, or ended the process"


def _python_path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
