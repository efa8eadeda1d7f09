"""A state of health to begin with."""

from typing import Any

from streamer.frame import Ledger
from streamer.service.health import KIND, Health
from streamer.service.process import this_process


def health(**changes: Any) -> Health:
    """A run of this process that goes well; its file was written at 100 s."""
    well = Health(
        kind=KIND,
        streamer="0.0",
        process=this_process(),
        started="2026-01-01T00:00:00+00:00",
        updated="2026-01-01T01:00:00+00:00",
        updated_ns=100 * 10**9,
        uptime_s=3600.0,
        state="running",
        source="clip.mp4",
        last_frame_age_s=0.25,
        ledger=Ledger(produced=7, inferred=7),
    )
    return well.model_copy(update=changes)
