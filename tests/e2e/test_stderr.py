"""Nothing that is wrong with stderr costs a frame: a full disk behind it, nobody at its other end, none at all."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.sinks.scenes import decoded


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "0<&- 1>&- 2>&-", "2> >(true)"])
def test_a_stderr_that_takes_nothing_does_not_spoil_a_recording(stderr: str, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    command = f"{sys.executable} -m tests.e2e.child test:size=64x48,frames=30,live=no {out} --no-show {stderr}"
    assert subprocess.run(["bash", "-c", command], timeout=50, check=False).returncode == 0
    assert len(decoded(out)) == 30
