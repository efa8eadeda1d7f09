"""Real clips of every kind through the command line: recorded as they are, and what is broken is refused.

All figures as a table: `python -m tests.e2e.conformance`.
"""

from pathlib import Path

import pytest

from tests.conftest import SHARED, shared
from tests.e2e.conformance import programs
from tests.e2e.conformance.examining import examine
from tests.e2e.conformance.running import truths
from tests.e2e.conformance.table import line

KNOWN = truths() if (SHARED / "media" / "truth.json").exists() else {"opencv_vtest.avi": 795}


@pytest.mark.needs_shared
@pytest.mark.allow_error_logs
@pytest.mark.skipif(programs.missing() is not None, reason="needs ffmpeg and ffprobe")
@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_recording_is_true_to_its_clip(name: str, tmp_path: Path) -> None:
    verdict, _ = examine(shared(f"media/{name}"), tmp_path, truth=KNOWN[name])
    assert not verdict.wrong, line(verdict)
