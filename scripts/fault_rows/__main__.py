"""Causes each fault of the table, prints its figure against its line, and writes the table of docs/reliability.md.

    scripts/faults [--tier fast|slow|soak] [--row N]... [--json] [--write-docs [FILE...]]

Fast is what needs no network, no signal and no soak, under 90 s; slow the rest of what CI runs, under 15 minutes; soak
takes hours, by hand. A tier holds the quicker ones too. Each row's tests run with pytest, in a process that is begun
anew where one of them takes it along. Exit code 0: every row that ran has passed; 1: one has not; 2: there is no such
row.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.fault_rows.machine import at_load, described, load
from scripts.fault_rows.page import PAGE, counted, write_page
from scripts.fault_rows.running import Entry, run_tests
from scripts.fault_rows.verdicts import Found, Judged, judge
from tests.faults.rows import TIERS, Row, Tier, load_rows

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, or write the page from earlier runs; the exit code."""
    asked = _parsed(arguments)
    rows = load_rows()
    try:
        chosen = [rows[number - 1] for number in _numbers(asked.row, len(rows))]
    except ValueError as error:
        print(f"faults: error: --row {error}", file=sys.stderr)
        return 2
    if asked.write_docs:
        return _written(rows, [json.loads(path.read_text(encoding="utf-8")) for path in asked.write_docs])
    tests = {row.number: _tests_of(row, asked.tier, alone=bool(chosen)) for row in chosen or rows}
    said = sys.stderr if asked.json else sys.stdout
    entries: list[Entry] = []
    with tempfile.NamedTemporaryFile(prefix="streamer-faults-", suffix=".log", delete=False) as log:
        path = Path(log.name)
    judged = []
    try:
        for one in _run(chosen or rows, tests, entries, path):
            judged.append(one)
            print(line_of(one), file=said, flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    print(f"\n{counted(judged)}", file=said)
    failed = any(one.verdict == "FAIL" for one in judged)
    if failed:
        print(f"what the tests wrote: {path}", file=said)
    else:
        path.unlink()
    document = _document(judged, entries)
    if asked.json:
        print(json.dumps(document, indent=1))
    if asked.write_docs is not None:
        _written(rows, [document])
    return int(failed)


def line_of(one: Judged) -> str:
    """What is printed of a row: number, verdict, fault, and its figures with their lines."""
    first = f"{one.row.number:2}  {one.verdict:8} {one.row.fault}"
    if one.verdict == "not run":
        return f"{first}: {'; '.join(one.reasons)}"
    first += f"  [{one.seconds:.1f} s]"
    figures = [f"{'' if figure.passed else 'BEYOND: '}{figure.text}   ({figure.line})" for figure in one.figures]
    return "\n      ".join([first, *figures, *one.reasons])


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tier", choices=TIERS, help="how long it may take; fast if left out, all for --row")
    parser.add_argument(
        "--row", action="append", default=[], metavar="N", help="one row, several (1,5) or a range (7-14), in any tier"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, the rows on stderr")
    parser.add_argument(
        "--write-docs",
        nargs="*",
        type=Path,
        metavar="FILE",
        help=f"write the table of {PAGE.name} from this run, or from the JSON documents of earlier ones",
    )
    return parser.parse_args(arguments)


def _numbers(asked: Sequence[str], count: int) -> list[int]:
    """The rows that are asked for, in order and once each. Raises ValueError: what is no row."""
    found: set[int] = set()
    for part in ",".join(asked).split(",") if asked else ():
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{part}: a number, such as 7 or 7-14")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or numbers[0] < 1 or numbers[-1] > count:
            raise ValueError(f"{part}: the rows are 1 to {count}")
        found.update(numbers)
    return sorted(found)


def _tests_of(row: Row, tier: Tier | None, *, alone: bool) -> list[str]:
    """What of it is to run. One that was asked for runs in full; with a tier too, at least its quickest tests."""
    if not alone:
        return row.tests_up_to(tier or "fast")
    return row.tests_up_to(tier or "soak") or row.tests_up_to(next(iter(row.tests), "fast"))


def _run(rows: Sequence[Row], tests: dict[int, list[str]], entries: list[Entry], log: Path) -> Iterator[Judged]:
    """Each row once it is known, in their order; what the tests say is added to `entries`."""
    wanted = list(dict.fromkeys(test for row in rows for test in tests[row.number]))
    waiting, seen = list(rows), set[str]()

    def known() -> Iterator[Judged]:
        while waiting and all(test in seen for test in tests[waiting[0].number]):
            row = waiting.pop(0)
            yield _judged(row, tests[row.number], entries)

    under_way = ""
    for entry in run_tests(wanted, log=log):
        entries.append(entry)
        if "began" in entry:  # a test has ended in all its cases once another one begins
            test = entry["began"].partition("[")[0]
            seen |= {under_way} if under_way not in {"", test} else set()
            under_way = test
            yield from known()
    seen.update(wanted)
    yield from known()


def _judged(row: Row, tests: Sequence[str], entries: Sequence[Entry]) -> Judged:
    found = Found()
    found.add(entries)
    return judge(row, tests, found)


def _document(judged: Sequence[Judged], entries: Sequence[Entry]) -> dict[str, Any]:
    rows = [
        {
            "row": one.row.number,
            "fault": one.row.fault,
            "line": one.row.line,
            "verdict": one.verdict,
            "figures": [asdict(figure) for figure in one.figures],
            "reasons": list(one.reasons),
            "seconds": round(one.seconds, 2),
        }
        for one in judged
    ]
    found = {"machine": described(), "load": load(), "summary": counted(judged)}
    return found | {"rows": rows, "entries": list(entries)}


def _written(rows: Sequence[Row], documents: Sequence[dict[str, Any]]) -> int:
    """The page from these runs; where a test is in several of them, the last one counts."""
    found = Found()
    for document in documents:
        found.add(document["entries"])
    judged = [judge(row, [test for test in row.tests_up_to("soak") if test in found.entries], found) for row in rows]
    machines = "; ".join(dict.fromkeys(document["machine"] for document in documents))
    write_page(judged, f"{machines}, {at_load([document['load'] for document in documents])}")
    print(f"{PAGE}: {counted(judged)}", file=sys.stderr)
    return int(any(one.verdict == "FAIL" for one in judged))


if __name__ == "__main__":
    sys.exit(main())
