"""What a row of the table of faults came to: printed, and kept for `scripts/faults` where that asked for it."""

import json
import os
from pathlib import Path

REPORT = "FAULTS_REPORT"
"""The variable that names the file, JSON lines, to which figures are added. None of streamer's: those are settings."""


def report(row: int, figure: str, *values: float, line: str, passed: bool) -> None:
    """Say `figure`, what was measured of `row`, and whether it is within `line`, what it has to pass.

    figure: a text, or a format of `values`, such as "{:.1f} s". `scripts/faults` puts figures of the same format
    together and tells the range of their values.

    A test asserts counts and outcomes itself, and holds times to a multiple of the line, because machines are noisy;
    here they are judged by the line as it stands. A row may report several figures: all have to pass.
    """
    said = figure.format(*values) if values else figure
    print(f"row {row}: {said} ({line}): {'pass' if passed else 'FAIL'}")
    if path := os.environ.get(REPORT):
        test = os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)")
        numbers = [float(value) for value in values]
        entry = {"row": row, "figure": figure, "values": numbers, "line": line, "passed": bool(passed), "test": test}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
