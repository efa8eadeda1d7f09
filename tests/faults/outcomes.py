"""A plugin of pytest's for `scripts/faults`: says when a test begins and how it ended, in the file of the figures.

pytest -p tests.faults.outcomes. A test that stands in the file already is left out: so the run goes on behind one that
took the process with it.
"""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.figures import REPORT

HANG_S = 60.0
"""The limit of a test that has none of its own, as in setup.cfg."""


def _note(**entry: Any) -> None:
    with Path(os.environ[REPORT]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def _begun() -> set[str]:
    """The tests that were begun before, in another process."""
    path = Path(os.environ[REPORT])
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {entry["began"] for line in lines if "began" in (entry := json.loads(line))}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    begun = _begun()
    items[:] = [item for item in items if item.nodeid not in begun]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    marker = item.get_closest_marker("timeout")
    _note(began=item.nodeid, limit_s=float(marker.args[0]) if marker else HANG_S)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call" and report.outcome == "passed":
        return
    reason = ""
    if report.outcome == "skipped":
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    elif report.outcome == "failed":
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = str(crash.message if crash else report.longrepr).splitlines()[0]
    _note(ended=report.nodeid, outcome=report.outcome, seconds=report.duration, reason=reason.removeprefix("Skipped: "))
