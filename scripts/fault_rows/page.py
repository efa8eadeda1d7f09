"""The table of docs/reliability.md, written from what was measured; the prose around it is left as it is."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from scripts.fault_rows.running import ROOT
from scripts.fault_rows.verdicts import Judged

PAGE = ROOT / "docs" / "reliability.md"

BEGIN, END = "<!-- written by scripts/faults --write-docs -->", "<!-- end -->"

HEAD = "| # | fault | injected | what happens | measured | line | verdict | tests |\n|---|---|---|---|---|---|---|---|"


def write_page(judged: Sequence[Judged], machine: str, *, page: Path = PAGE) -> None:
    """Put the table of `judged` where it belongs in `page`. Raises ValueError where the page has no place for it."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page}: {BEGIN} and {END} are missing")
    page.write_text(f"{before}{BEGIN}\n\n{table(judged, machine)}\n{END}{after}", encoding="utf-8")


def table(judged: Sequence[Judged], machine: str) -> str:
    """The machine, the counts, a table of all rows, and their notes."""
    lines = [f"Measured on {machine}. {counted(judged)}.", "", HEAD]
    for one in judged:
        if one.row.section:
            lines.append(f"| **{one.row.section}** | | | | | | | |")
        lines.append(_line(one))
    notes = [f"- **{one.row.number}**: {one.row.note}" for one in judged if one.row.note]
    return "\n".join([*lines, "", *notes, ""])


def counted(judged: Iterable[Judged]) -> str:
    """Such as `60 rows: 50 pass, 2 FAIL, 8 not run`."""
    verdicts = [one.verdict for one in judged]
    counts = [f"{verdicts.count(kind)} {kind}" for kind in ("pass", "FAIL", "skipped", "not run") if kind in verdicts]
    return f"{len(verdicts)} rows: {', '.join(counts)}"


def _line(one: Judged) -> str:
    row = one.row
    measured = "; ".join(figure.text + ("" if figure.passed else " **(beyond the line)**") for figure in one.figures)
    verdict = one.verdict if one.verdict == "pass" else f"**{one.verdict}**"
    if one.reasons and one.verdict != "FAIL":
        measured = "; ".join(filter(None, (measured, f"not run: {'; '.join(one.reasons)}")))
    files = dict.fromkeys(test.partition("::")[0] for tests in row.tests.values() for test in tests)
    held = ", ".join(f"`{file.removeprefix('tests/')}`" for file in files)
    cells = (row.fault, row.injected, row.happens, measured, row.line, verdict, held)
    return f"| {row.number} | {' | '.join(re.sub(r'[|]', chr(92) + '|', cell) for cell in cells)} |"
