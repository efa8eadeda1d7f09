"""The report says what was seen, one valid JSON line a frame."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.errors import SinkError
from streamer.frame import Detections, Result
from streamer.sinks.tables import JsonLines, WallClock
from streamer.sinks.tables.rows import rows_of
from tests.sinks.scenes import grey, result
from tests.sinks.tables.samples import LABELS, seen


def lines(path: Path, *written: Result) -> list[dict[str, Any]]:
    sink = JsonLines(path, labels=LABELS)
    for one in written:
        sink.write(one)
    sink.close()
    assert sink.written == len(written)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_holds_what_was_seen_in_pixels_and_normalised(tmp_path: Path) -> None:
    one = replace(result(grey(0), 7, pts_s=0.7, epoch=2, source="a.avi"), detections=seen().aged(12_345_678))
    (line,) = lines(tmp_path / "out.jsonl", one)
    assert line == {
        "index": 7,
        "source": "a.avi",
        "pts_s": 0.7,
        "wall_time": None,
        "epoch": 2,
        "size": [160, 120],
        "failed": False,
        "detected": False,
        "age_ms": 12.346,
        "detections": [
            {
                "box": [10.004, 20.0, 80.0, 60.126],
                "box_norm": [0.062525, 0.166667, 0.5, 0.50105],
                "class_id": 1,
                "label": "Gänse",
                "score": 0.912345,
            },
            {"box": [0, 0, 160, 120], "box_norm": [0, 0, 1, 1], "class_id": 17, "label": "#17", "score": 0.5},
        ],
    }


def test_a_line_says_whose_detections_it_holds(tmp_path: Path) -> None:
    own = replace(result(grey(0)), detections=seen(), detected=True)
    carried = replace(result(grey(0), 1), detections=seen().aged(40_000_000))
    rows = lines(tmp_path / "out.jsonl", own, carried)
    assert [(row["detected"], row["age_ms"], len(row["detections"])) for row in rows] == [(True, 0, 2), (False, 40, 2)]


def test_tracks_are_named_where_there_are_any(tmp_path: Path) -> None:
    (line,) = lines(tmp_path / "out.jsonl", replace(result(grey(0)), detections=seen(tracks=True)))
    assert [row["track_id"] for row in line["detections"]] == [3, 4]


def test_of_a_live_source_a_line_says_when_its_frame_was_captured(tmp_path: Path) -> None:
    wall = WallClock(wall_ns=lambda: 1_738_367_999_123_400_000, monotonic_ns=lambda: 5_000_000_000)
    sink = JsonLines(tmp_path / "out.jsonl", labels=LABELS, wall=wall)
    one = result(grey(0))
    sink.write(replace(one, frame=replace(one.frame, captured_ns=4_000_000_000)))
    sink.close()
    assert json.loads((tmp_path / "out.jsonl").read_text())["wall_time"] == "2025-01-31T23:59:58.123Z"


@given(
    hnp.arrays(np.float32, (6, 4), elements=st.floats(0, 16384, width=32)),
    hnp.arrays(np.float32, 6, elements=st.floats(0, 1, width=32)),
)
@settings(max_examples=50, deadline=None)
def test_boxes_and_scores_come_back_bit_for_bit(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
    shown = Detections.from_raw(boxes, scores, np.zeros(6), size_px=(16384, 16384))
    one = replace(result(grey(0)), detections=shown)
    written = [(row.box, row.score) for row in rows_of(one, LABELS)]
    again = json.loads(json.dumps(written))
    assert np.array([box for box, _ in again], np.float32).reshape(-1, 4).tobytes() == shown.boxes.tobytes()
    assert np.array([score for _, score in again], np.float32).tobytes() == shown.scores.tobytes()


def test_a_frame_on_which_the_model_failed_says_so(tmp_path: Path) -> None:
    failed, empty = lines(tmp_path / "out.jsonl", replace(result(grey(0)), failed=True), result(grey(0), 1))
    assert (failed["failed"], failed["detections"]) == (True, [])
    assert (empty["failed"], empty["detections"]) == (False, [])
    assert empty["pts_s"] is None


@pytest.mark.parametrize("source", ['quote".avi', "line\nbreak.avi", "nul\0.avi", "写真.avi", "\udcff.avi", "\u2028"])
def test_any_name_stays_on_one_valid_line(tmp_path: Path, source: str) -> None:
    sink = JsonLines(tmp_path / "out.jsonl", labels=LABELS)
    sink.write(result(grey(0), source=source))
    sink.close()
    (line,) = (tmp_path / "out.jsonl").read_bytes().removesuffix(b"\n").split(b"\n")
    assert json.loads(line)["source"] == source


def test_a_line_is_with_the_system_as_soon_as_it_is_written(tmp_path: Path) -> None:
    sink = JsonLines(tmp_path / "out.jsonl", labels=LABELS)
    for count in range(1, 4):
        sink.write(result(grey(0), count))
        assert len((tmp_path / "out.jsonl").read_text().splitlines()) == count
    sink.close()


def test_a_device_needs_no_force_and_a_full_one_is_an_error() -> None:
    path = Path("/dev/full")
    if not path.is_char_device():
        pytest.skip("needs /dev/full")
    sink = JsonLines(path, labels=LABELS)
    with pytest.raises(SinkError, match="disk is full; the first 0 frames are whole"):
        sink.write(result(grey(0)))
    sink.close()
    assert sink.written == 0


def test_with_force_the_old_report_stays_until_a_frame_comes(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old\n" * 1000)
    JsonLines(path, labels=LABELS, force=True).close()
    assert path.read_text() == "old\n" * 1000
    sink = JsonLines(path, labels=LABELS, force=True)
    sink.write(result(grey(0)))
    sink.close()
    assert len(path.read_text().splitlines()) == 1
