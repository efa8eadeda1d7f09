"""Every real clip that is kept beside the project, against what two decoders found in it."""

import json
import logging
from itertools import pairwise
from typing import Any

import pytest

from streamer.errors import SourceOpenError
from streamer.sources import open_source
from tests.conftest import SHARED, shared

TRUTH_FILE = SHARED / "media" / "truth.json"
TRUTH: dict[str, dict[str, Any]] = json.loads(TRUTH_FILE.read_text()) if TRUTH_FILE.exists() else {}

READABLE = sorted(name for name, truth in TRUTH.items() if truth.get("frames_av"))
BROKEN = sorted(set(TRUTH) - set(READABLE))

DAMAGED = {"decord_corrupted.mp4"}

pytestmark = pytest.mark.needs_shared


@pytest.mark.parametrize("name", READABLE)
def test_every_frame_of_a_real_clip_comes_at_its_own_time(name: str, caplog: pytest.LogCaptureFixture) -> None:
    truth = TRUTH[name]
    source = open_source(str(shared(f"media/{name}")))
    assert source.info.fps is None or 1 <= source.info.fps <= 240
    times_s: list[float] = []
    for frame in source.frames():
        assert frame.pts_s is not None
        times_s.append(frame.pts_s)
        assert frame.size_px == source.info.size_px
    assert len(times_s) == source.produced == truth["frames_av"]
    assert all(after > before for before, after in pairwise(times_s))
    if truth.get("last_pts_s") is not None:
        # OpenCV gives the last frames of one avi no timestamp, so they are placed by the frame rate.
        span_s = truth["last_pts_s"] - truth["first_pts_s"]
        assert times_s[-1] == pytest.approx(span_s, abs=0.034 if name.endswith("large-length.avi") else 0.001)
    if truth.get("shape_cv2"):
        assert list(frame.image.shape) == truth["shape_cv2"]
    warned = [record for record in caplog.records if "damaged or truncated" in record.getMessage()]
    assert len(warned) == (name in DAMAGED)
    assert all(record.levelno == logging.WARNING for record in warned)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_clip_is_refused(name: str) -> None:
    with pytest.raises(SourceOpenError, match=r"no video frames|unreadable or truncated|empty file"):
        open_source(str(shared(f"media/{name}")))
