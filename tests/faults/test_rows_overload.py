"""FAULTS 50: ten times more pictures than can be looked at; what is shown stays young and memory stays flat."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.faults.figures import report
from tests.xvfb import ROOT

SECONDS = 20
INFERENCE_MS = 1000 / 30
MOST_MB_S = 0.1
"""What counts as flat: a frame of 0.9 MB that leaked once in nine seconds, of 2700 that came."""


def overloaded(*, slow_sink: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.faults.overload_child", str(SECONDS), "yes" if slow_sink else "no"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("slow_sink", [False, True], ids=["alone", "beside a slow recorder"])
def test_row_50_ten_times_too_much_makes_nothing_old(*, slow_sink: bool) -> None:
    told = overloaded(slow_sink=slow_sink)
    beside = ", beside a sink of 200 ms" if slow_sink else ""
    slope_mb_s = told["slope_mb_s"]
    figure = (
        f"{told['produced'] / SECONDS:.0f} fps for {told['inferred'] / SECONDS:.0f}{beside}: p95 age of pictures "
        f"{told['pictures_p95_ms']:.0f} ms, of boxes {told['boxes_p95_ms']:.0f} ms; memory {slope_mb_s:+.2f} MB/s; "
        f"{told['produced']} = {told['inferred']} inferred + {told['carried']} carried + {told['dropped']} dropped"
    )
    aged = told["pictures_p95_ms"] <= 2 * INFERENCE_MS
    report(
        50, figure, line="p95 <= 67 ms, slope 0", passed=aged and told["slope_mb_s"] < MOST_MB_S and told["balanced"]
    )
    assert told["balanced"]
    assert told["in_flight"] == 0
    assert told["shown"] > SECONDS
    assert told["pictures_p95_ms"] <= 20 * INFERENCE_MS
    assert told["grown_mb"] < 100
