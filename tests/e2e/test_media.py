"""Real clips of every kind through the command line: nothing is lost, and what is broken is refused."""

from pathlib import Path

import pytest

from tests.conftest import SHARED, shared
from tests.e2e.media_table import run_one, truth

CLIPS = sorted(truth()) if (SHARED / "media" / "truth.json").exists() else ["opencv_vtest.avi"]


@pytest.mark.needs_shared
@pytest.mark.allow_error_logs
@pytest.mark.parametrize("name", CLIPS)
def test_frames_in_are_frames_out(name: str, tmp_path: Path) -> None:
    shared(f"media/{name}")
    row = run_one(name, tmp_path)
    assert row.right, str(row)
