"""The program that runs the table of faults: every row is in it, and what it says of a row is true."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from scripts.fault_rows import __main__ as program
from scripts.fault_rows import page
from scripts.fault_rows.page import BEGIN, END, PAGE, table, write_page
from scripts.fault_rows.running import ROOT, Entry, run_tests
from scripts.fault_rows.verdicts import Found, Judged, judge, merged
from tests.faults.rows import COUNT, Row, load_rows

ROWS = load_rows()
TEST = "tests/a.py::test_a"
ROW = Row(7, "a server dies", "SIGKILL", "it comes back", "<= 2 s", {"fast": (TEST,), "soak": ("tests/a.py::test_b",)})


def began(test: str = TEST) -> Entry:
    return {"began": test, "limit_s": 60.0}


def ended(outcome: str = "passed", test: str = TEST, reason: str = "") -> Entry:
    return {"ended": test, "outcome": outcome, "seconds": 1.0, "reason": reason}


def figure(text: str = "{:.1f} s", *values: float, passed: bool = True, row: int = 7, test: str = TEST) -> Entry:
    return {"row": row, "figure": text, "values": list(values), "line": "<= 2 s", "passed": passed, "test": test}


def judged(*entries: Entry, row: Row = ROW, tests: Sequence[str] = (TEST,)) -> Judged:
    found = Found()
    found.add(entries)
    return judge(row, tests, found)


@pytest.mark.timeout(180)
def test_every_test_of_the_table_exists() -> None:
    tests = sorted({test for row in ROWS for test in row.tests_up_to("soak")})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def rows_named_by(test: str) -> set[int]:
    """Those of test_row_07_a, of test_rows_10_and_11_a, of test_rows_30_31_33_a."""
    found = re.match(r"test_rows?((?:_(?:and_)?\d\d)+)_", test)
    assert found is not None, test
    return {int(number) for number in re.findall(r"\d+", found[1])}


def test_every_test_that_names_a_row_is_in_the_table() -> None:
    known = {(test, row.number) for row in ROWS for test in row.tests_up_to("soak")}
    for module in sorted((ROOT / "tests").rglob("test_*.py")):
        for test in re.findall(r"^def (test_rows?_\d\w+)", module.read_text(encoding="utf-8"), re.MULTILINE):
            node = f"{module.relative_to(ROOT).as_posix()}::{test}"
            missing = {row for row in rows_named_by(test) if (node, row) not in known}
            assert not missing, f"{node} is not in tests/faults/rows.yaml"


def test_the_page_names_every_row() -> None:
    assert len(ROWS) == COUNT
    named = re.findall(r"^\| (\d+) \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == [(str(row.number), row.fault) for row in ROWS]


def test_a_row_passes_with_all_its_tests_and_figures() -> None:
    assert judged(began(), figure("{:.1f} s", 1.0), ended()).verdict == "pass"
    assert judged(began(), figure("{:.1f} s", 9.0, passed=False), ended()).verdict == "FAIL"
    assert judged(began(), figure(), ended("failed", reason="assert 1 == 2")).reasons == ("test_a: assert 1 == 2",)
    assert judged(began(), ended()).reasons == ("no figure was reported",)
    assert judged(began(), figure(row=8), ended()).verdict == "FAIL"
    assert judged(began(), figure()).reasons == ("test_a: it did not run",)


def test_a_test_that_did_not_run_fails_the_row_even_where_others_passed() -> None:
    one = judged(began(), figure(), ended(), tests=(TEST, "tests/a.py::test_b"))
    assert (one.verdict, one.reasons) == ("FAIL", ("test_b: it did not run",))


def test_a_row_is_skipped_where_all_its_tests_are_and_says_what_was_left_out() -> None:
    assert judged(began(), ended("skipped", reason="needs ffmpeg")).verdict == "skipped"
    other = "tests/a.py::test_b"
    some = judged(figure(), ended(), ended("skipped", other, "needs root"), tests=(TEST, other))
    assert (some.verdict, some.reasons) == ("pass", ("needs root",))


def test_a_row_that_is_not_to_run_says_why() -> None:
    assert judged(tests=()).reasons == ("only in the tier fast",)
    assert judged(row=Row(57, "a", "b", "c", "d", {}, missing="there is no web"), tests=()).reasons == (
        "there is no web",
    )


def test_figures_in_the_same_words_are_one_with_their_range() -> None:
    cases = [figure("{:.0f} ms of {:.1f}", ms, 2.0) for ms in (20.2, 39.9, 27.0)]
    assert [one.text for one in merged(cases)] == ["20 to 40 ms of 2.0 (3 times)"]
    one, two = merged([figure("braces {}"), figure("other"), figure("other", passed=False)])
    assert (one.text, two.text, two.passed) == ("braces {}", "other (2 times)", False)


def test_a_later_run_replaces_what_an_earlier_one_said_of_the_same_test() -> None:
    found = Found()
    found.add([began(f"{TEST}[1]"), figure(passed=False, test=f"{TEST}[1]"), ended("failed", f"{TEST}[1]")])
    found.add([began(), figure(), ended()])
    assert judge(ROW, [TEST], found).verdict == "pass"


DEADLY = """
import os, signal, time
import pytest
from tests.faults.figures import report

def test_one():
    report(1, "{:.0f} s", 1, line="a", passed=True)

def test_killed():
    os.kill(os.getpid(), signal.SIGABRT)

@pytest.mark.timeout(1, method="thread")
def test_hangs():
    time.sleep(60)

@pytest.mark.parametrize("case", [1, 2])
def test_last(case):
    assert case == 1, "it is two"
"""


def test_a_test_that_hangs_or_kills_its_process_costs_no_other(tmp_path: Path) -> None:
    module = tmp_path / "test_deadly.py"
    module.write_text(DEADLY)
    said = list(run_tests([str(module)], log=tmp_path / "log"))
    outcomes = {
        entry["ended"].rpartition("::")[2]: (entry["outcome"], entry["reason"]) for entry in said if "ended" in entry
    }
    assert list(outcomes) == ["test_one", "test_killed", "test_hangs", "test_last[1]", "test_last[2]"]
    assert outcomes["test_one"] == outcomes["test_last[1]"] == ("passed", "")
    assert outcomes["test_killed"] == ("failed", "it ended the process: SIGABRT")
    assert outcomes["test_hangs"][1].startswith("it hung")
    assert outcomes["test_last[2]"][1].startswith("AssertionError: it is two")
    assert [entry["values"] for entry in said if "row" in entry] == [[1.0]]


def test_tests_that_do_not_exist_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ran nothing"):
        list(run_tests([str(tmp_path / "none.py")], log=tmp_path / "log"))


@pytest.fixture
def canned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tests that the program was to run; each passes with a figure for the rows 2 and 15, and fails for 16."""
    asked: list[str] = []

    def run(tests: Sequence[str], *, log: Path) -> Iterator[Entry]:
        assert log.exists()
        asked.extend(tests)
        for test in tests:
            yield began(test)
            yield from (figure("{:.1f} s", 1.0, row=row, test=test, passed=row != 16) for row in (2, 15, 16))
            yield ended(test=test)

    monkeypatch.setattr(program, "run_tests", run)
    return asked


def test_the_launcher_sets_up_and_passes_on_what_was_asked(tmp_path: Path) -> None:
    scripts, binaries = tmp_path / "scripts", tmp_path / ".venv" / "bin"
    scripts.mkdir()
    binaries.mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "faults", scripts)
    for path in (scripts / "setup", binaries / "python"):
        path.write_text('#!/bin/sh\necho "$(basename "$0") $* in $PYTHONPATH"\n')
        path.chmod(0o755)
    done = subprocess.run(
        [scripts / "faults", "--row", "7"],
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["setup test in ", f"python -m scripts.fault_rows --row 7 in {tmp_path}"]


def test_rows_that_are_asked_for_are_run_and_told(canned: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--row", "2,15", "--row", "57-58"]) == 0
    out = capsys.readouterr().out
    assert canned == [*ROWS[1].tests["fast"], *ROWS[14].tests["fast"]]
    told = [line for line in out.splitlines() if re.match(r" ?\d+  ", line)]
    assert [line[:12].split() for line in told] == [
        ["2", "pass"],
        ["15", "pass"],
        ["57", "not", "run"],
        ["58", "not", "run"],
    ]
    assert "4 rows: 2 pass, 2 not run" in out
    assert "1.0 s   (<= 2 s)" in out


def test_a_row_beyond_its_line_ends_with_1_and_json_is_all_that_is_on_stdout(
    canned: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--row", "15-16", "--json"]) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert canned == list(ROWS[14].tests["fast"])
    assert [(row["row"], row["verdict"]) for row in document["rows"]] == [(15, "pass"), (16, "FAIL")]
    assert "BEYOND: 1.0 s" in err
    Path(err.rpartition(": ")[2].strip()).unlink()


@pytest.mark.parametrize("row", ["0", "61", "x", "9-7", "-3", "7-99", ""])
def test_a_row_that_is_none_ends_with_2(row: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([f"--row={row}"]) == 2
    assert capsys.readouterr().err.startswith("faults: error: --row ")


def test_a_tier_holds_the_quicker_ones_and_a_row_runs_whatever_its_tier(canned: list[str]) -> None:
    program.main(["--row", "6,9", "--tier", "fast"])
    assert canned == [*ROWS[5].tests["fast"], *ROWS[8].tests["slow"]]
    canned.clear()
    program.main(["--row", "7"])
    assert canned == [*ROWS[6].tests["slow"], *ROWS[6].tests["soak"]]
    assert ROWS[5].tests_up_to("slow") == [*ROWS[5].tests["fast"], *ROWS[5].tests["slow"]]


def test_the_page_is_written_from_earlier_runs(
    canned: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "reliability.md"
    made.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(program, "write_page", lambda rows, machine: write_page(rows, machine, page=made))
    assert program.main(["--row", "2", "--json"]) == 0
    run = tmp_path / "run.json"
    run.write_text(capsys.readouterr().out, encoding="utf-8")
    assert len(canned) == 1
    assert program.main(["--write-docs", str(run)]) == 0
    text = made.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "\nold\n" not in text
    assert "| 1.0 s | failed == injected | pass | `faults/test_rows_sources.py` |" in text
    assert "60 rows: 1 pass, 59 not run" in text
    assert re.search(r"Measured on .*CPUs.*, at a load of \d", text)
    assert table([judged()], "a machine").count("| 7 |") == 1


def test_a_page_without_a_place_for_the_table_is_an_error(tmp_path: Path) -> None:
    made = tmp_path / "page.md"
    made.write_text("nothing")
    with pytest.raises(ValueError, match="are missing"):
        page.write_page([], "", page=made)
