"""What the demo says at its end is what the run wrote down."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.demo_report import Sightings, rate, shortened, told
from tests.clips import write_clip

LEDGER = {
    "produced": 12,
    "inferred": 10,
    "carried": 2,
    "dropped": 0,
    "failed": 0,
    "in_flight": 0,
    "shown": 0,
    "recorded": 12,
    "reconnects": 0,
    "balanced": True,
}


def summary(kind: str = "video", recorded: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "ledger": LEDGER,
        "report": {"elapsed_s": 0.6, "fps": 20.0, "detect_ms": {"p50": 7.25}},
        "source": {"kind": kind},
        "settings": {"source": {"value": "clip.mp4"}},
        "recorded": list(recorded),
    }


def lines(*frames: tuple[str, ...]) -> list[str]:
    return [json.dumps({"detections": [{"label": label} for label in labels]}) for labels in frames]


def test_frames_are_counted_by_what_was_seen_on_them() -> None:
    seen = Sightings.of(lines(("person", "face"), ("person", "person"), (), ("person",)))
    assert str(seen) == "person on 3 of 4 frames, 2 at once at most; face on 1 of 4 frames, 1 at once at most"


def test_seeing_nothing_is_said() -> None:
    assert str(Sightings.of(lines((), ()))) == "nothing"


def test_of_many_classes_the_most_frequent_are_told() -> None:
    many = Sightings.of(lines(*[tuple(f"class {number}" for number in range(first, 12)) for first in range(12)]))
    assert str(many).startswith("class 11 on 12 of 12 frames")
    assert str(many).endswith("and 4 more classes")


def test_the_rate_says_over_what_it_was_taken() -> None:
    assert rate(summary()).startswith("20.0 (12 frames in 0.6 s, from reading to writing")
    assert rate(summary("camera")) == "20.0 (12 frames in 0.6 s, as the source gave them)"


def test_many_files_are_named_by_the_first() -> None:
    assert shortened(["a", "b"]) == "a, b"
    assert shortened(["a", "b", "c", "d"]) == "a and 3 more"


def test_everything_is_said_and_the_contact_sheet_is_made(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "out.mp4")
    rows = dict(told(tmp_path, summary(recorded=(str(clip),)), Sightings.of(lines(("face",)))))
    assert rows["Source"] == "clip.mp4"
    assert rows["Ledger"].startswith("12 produced, 10 inferred, 2 carried")
    assert rows["Detection"] == "7.2 ms a frame (median)"
    assert rows["Annotated"] == str(clip)
    assert Path(rows["At a glance"]).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("recorded", [(), ("missing.mp4",)], ids=["nothing", "what is gone"])
def test_without_a_recording_no_sheet_is_promised(recorded: tuple[str, ...], tmp_path: Path) -> None:
    rows = dict(told(tmp_path, summary(recorded=recorded), Sightings.of([])))
    assert "At a glance" not in rows
