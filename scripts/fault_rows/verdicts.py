"""What the tests said, put together: for each row its figures and whether it passes."""

import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from scripts.fault_rows.running import Entry
from tests.faults.rows import Row

Verdict = Literal["pass", "FAIL", "skipped", "not run"]


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, over all cases of the test that say it in the same words."""

    text: str
    line: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A row as it came out.

    reasons: why it failed, was skipped or not run; or what of it was skipped. seconds: those of its tests together.
    """

    row: Row
    verdict: Verdict
    figures: tuple[Figure, ...]
    reasons: tuple[str, ...]
    seconds: float


@dataclass(slots=True)
class Found:
    """All that tests said, by the test without its parameters, so that a later run replaces an earlier one's."""

    entries: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, entries: Iterable[Entry]) -> None:
        """Keep what one run said; of the tests that ran in it, nothing else counts any more."""
        fresh: dict[str, list[Entry]] = {}
        for entry in entries:
            fresh.setdefault(_test_of(entry), []).append(entry)
        self.entries |= fresh

    def of(self, tests: Iterable[str]) -> list[Entry]:
        """What these tests said."""
        return [entry for test in tests for entry in self.entries.get(test, ())]


def judge(row: Row, tests: Sequence[str], found: Found) -> Judged:
    """The verdict on a row of which `tests` were to run. One that ran and reported no figure has failed."""
    if not tests:
        reason = row.missing or f"only in the tier {next(iter(row.tests))}"
        return Judged(row, "not run", (), (reason,), 0.0)
    said = found.of(tests)
    if not said:
        return Judged(row, "not run", (), ("its tests were not run",), 0.0)
    ended = [entry for entry in said if "ended" in entry]
    seconds = sum(entry["seconds"] for entry in ended)
    figures = tuple(merged(entry for entry in said if entry.get("row") == row.number))
    failed = [f"{_case(entry['ended'])}: {entry['reason']}" for entry in ended if entry["outcome"] == "failed"]
    lost = [test for test in tests if not any("ended" in entry for entry in found.of([test]))]
    failed += [f"{_case(test)}: it did not run" for test in lost]
    skipped = list(dict.fromkeys(entry["reason"] for entry in ended if entry["outcome"] == "skipped"))
    if failed or not all(figure.passed for figure in figures):
        return Judged(row, "FAIL", figures, tuple(failed), seconds)
    if not any(entry["outcome"] == "passed" for entry in ended):
        return Judged(row, "skipped", figures, tuple(skipped), seconds)
    if not figures:
        return Judged(row, "FAIL", (), ("no figure was reported",), seconds)
    return Judged(row, "pass", figures, tuple(skipped), seconds)


def merged(entries: Iterable[Entry]) -> Iterator[Figure]:
    """Figures in the same words are one, with the range of their values."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry["figure"], entry["line"]), []).append(entry)
    for (figure, line), same in groups.items():
        text = _ranged(figure, [entry.get("values", []) for entry in same])
        times = f" ({len(same)} times)" if len(same) > 1 else ""
        yield Figure(text + times, line, all(entry["passed"] for entry in same))


def _ranged(figure: str, values: Sequence[Sequence[float]]) -> str:
    if not values[0]:
        return figure
    columns = iter(zip(*values, strict=True))
    text = ""
    for words, name, spec, _ in string.Formatter().parse(figure):
        text += words
        if name is not None:
            column = next(columns)
            low, high = format(min(column), spec or ""), format(max(column), spec or "")
            text += low if low == high else f"{low} to {high}"
    return text


def _test_of(entry: Entry) -> str:
    """The test of a line, without its parameters."""
    name: str = entry.get("began") or entry.get("ended") or entry.get("test", "")
    return name.partition("[")[0]


def _case(test: str) -> str:
    return test.rpartition("::")[2]
