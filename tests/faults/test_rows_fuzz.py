"""FAULTS 24: mutated clips of every container end no run but their own, in time, and take no memory to speak of."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.children import Outcomes, run_trials
from tests.faults.figures import report
from tests.faults.small_clips import gather

SEED = 20_240
NUMBER = 500
HANG_S = 10.0


def read_mutated(clips: Path, numbers: Sequence[int]) -> Outcomes:
    def command(some: Sequence[int]) -> list[str]:
        wanted = [text for number in some for text in ("--number", str(number))]
        return ["-m", "tests.faults.fuzz_child", str(clips), "--seed", str(SEED), *wanted]

    return run_trials(command, numbers, hang_s=HANG_S)


def told(outcomes: Outcomes) -> str:
    kinds = Counter(said.split("\t")[0].split(" ")[0] for said in outcomes.said.values())
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs /proc")
def test_row_24_mutated_clips_end_no_run_but_their_own(tmp_path: Path) -> None:
    outcomes = read_mutated(gather(tmp_path / "clips"), range(NUMBER))
    bugs = {n: said for n, said in outcomes.said.items() if said.startswith("BUG")}
    peaks_mb = {n: int(said.split("\t")[-1]) for n, said in outcomes.said.items()}
    worst = max(peaks_mb, key=peaks_mb.__getitem__)
    figure = (
        f"{NUMBER} clips: {told(outcomes)}; {len(outcomes.crashed)} child crashes, {len(outcomes.hung)} hangs, "
        f"slowest {outcomes.slowest_s:.1f} s, most memory {peaks_mb[worst]} MB, all in {outcomes.took_s:.0f} s"
    )
    print(f"crashed: {outcomes.crashed}; hung: {outcomes.hung}; most memory: {worst}: {outcomes.said[worst]}")
    report(24, figure, line="hangs > 10 s: 0, crashes counted", passed=not outcomes.hung and not bugs)
    assert not bugs
    assert not outcomes.hung
    assert len(outcomes.said) + len(outcomes.crashed) == NUMBER
