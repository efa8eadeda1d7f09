"""FAULTS 27: two hundred mutated models of every form, each through the real door and shown a picture."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.children import run_trials
from tests.faults.figures import report
from tests.faults.whole_models import gather

SEED = 27
NUMBER = 200
HANG_S = 60.0
"""TensorFlow alone may take seconds for a model; OpenCV's is tried in a process of its own first."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.allow_error_logs
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs /proc")
def test_row_27_two_hundred_mutated_models_end_no_process(tmp_path: Path) -> None:
    models = gather(tmp_path / "models")

    def command(some: Sequence[int]) -> list[str]:
        wanted = [text for number in some for text in ("--number", str(number))]
        return ["-m", "tests.faults.model_fuzz_child", str(models), "--seed", str(SEED), *wanted]

    outcomes = run_trials(command, range(NUMBER), hang_s=HANG_S, each=100)
    rows = {number: said.split("\t") for number, said in outcomes.said.items()}
    bugs = {number: row for number, row in rows.items() if row[0].startswith("BUG")}
    forms = Counter(row[1] for row in rows.values())
    loaded = Counter(row[1] for row in rows.values() if row[0] == "loaded")
    most_mb = max(int(row[-1]) for row in rows.values())
    figure = (
        f"{NUMBER} models of {len(forms)} kinds: {len(rows) - sum(loaded.values()) - len(bugs)} refused, "
        f"{sum(loaded.values())} harmless, {len(outcomes.crashed)} crashes, {len(outcomes.hung)} hangs, "
        f"slowest {outcomes.slowest_s:.1f} s, most memory {most_mb} MB, all in {outcomes.took_s:.0f} s"
    )
    print(f"crashed: {outcomes.crashed}; hung: {outcomes.hung}; loaded: {dict(loaded)}")
    report(27, figure, line="0 aborts", passed=not (bugs or outcomes.crashed or outcomes.hung))
    assert not bugs
    assert not outcomes.hung
    assert not outcomes.crashed
    assert len(rows) == NUMBER
