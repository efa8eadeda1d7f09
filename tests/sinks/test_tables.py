"""The report says what was seen, one valid JSON line a frame."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.errors import SinkError
from streamer.frame import Detections, Result
from streamer.labels import Labels
from streamer.sinks.tables import JsonLines
from tests.sinks.scenes import grey, result

LABELS = Labels({1: "Gänse", 2: 'a "b"'})


def lines(path: Path, *written: Result) -> list[dict[str, Any]]:
    sink = JsonLines(path, labels=LABELS)
    for one in written:
        sink.write(one)
    sink.close()
    assert sink.written == len(written)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def seen(*, tracks: bool = False) -> Detections:
    boxes = [[10.004, 20.0, 80.0, 60.126], [0.0, 0.0, 160.0, 120.0]]
    detections = Detections.from_raw(boxes, [0.912345, 0.5], [1, 17], size_px=(160, 120))
    return replace(detections, track_ids=np.array([3, 4])) if tracks else detections


def test_a_line_holds_what_was_seen_in_pixels_and_normalised(tmp_path: Path) -> None:
    one = replace(result(grey(0), 7, pts_s=0.7, epoch=2, source="a.avi"), detections=seen().aged(12_345_678))
    (line,) = lines(tmp_path / "out.jsonl", one)
    assert line == {
        "index": 7,
        "source": "a.avi",
        "pts_s": 0.7,
        "epoch": 2,
        "size": [160, 120],
        "failed": False,
        "detected": False,
        "age_ms": 12.346,
        "detections": [
            {
                "box": [10.0, 20.0, 80.0, 60.13],
                "box_norm": [0.062525, 0.166667, 0.5, 0.50105],
                "class_id": 1,
                "label": "Gänse",
                "score": 0.9123,
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
    with pytest.raises(SinkError, match="disk is full; the first 0 lines are whole"):
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
