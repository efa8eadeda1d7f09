"""CSV that spreadsheets, pandas and the csv module read the same way."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.frame import Detections, Result
from streamer.labels import Labels
from streamer.sinks.tables import CommaSeparated, WallClock
from tests.sinks.scenes import grey, result
from tests.sinks.tables.samples import LABELS, full


def rows(path: Path, *written: Result, labels: Labels = LABELS, wall: WallClock | None = None) -> list[dict[str, str]]:
    sink = CommaSeparated(path, labels=labels, wall=wall)
    for one in written:
        sink.write(one)
    sink.close()
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_each_detection_has_a_row_with_everything(tmp_path: Path) -> None:
    wall = WallClock(wall_ns=lambda: 0, monotonic_ns=lambda: 0)
    first, second = rows(tmp_path / "o.csv", full(7, tracks=True, pts_s=0.7), wall=wall)
    assert first == {
        "index": "7",
        "source": "clip.avi",
        "pts_s": "0.7",
        "wall_time": "1970-01-01T00:00:00.000Z",
        "epoch": "0",
        "width": "160",
        "height": "120",
        "failed": "false",
        "detected": "true",
        "age_ms": "0.0",
        "x1": "10.004",
        "y1": "20.0",
        "x2": "80.0",
        "y2": "60.126",
        "x1_norm": "0.062525",
        "y1_norm": "0.166667",
        "x2_norm": "0.5",
        "y2_norm": "0.50105",
        "class_id": "1",
        "label": "Gänse",
        "score": "0.912345",
        "track_id": "3",
    }
    assert (second["label"], second["track_id"]) == ("#17", "4")


def test_nothing_seen_is_a_row_and_a_missing_frame_is_none(tmp_path: Path) -> None:
    failed = replace(result(grey(0), 3), failed=True)
    read = rows(tmp_path / "o.csv", full(0), result(grey(0), 2), failed)
    assert [(row["index"], row["failed"], row["label"], row["score"]) for row in read] == [
        ("0", "false", "Gänse", "0.912345"),
        ("0", "false", "#17", "0.5"),
        ("2", "false", "", ""),
        ("3", "true", "", ""),
    ]


def test_the_bytes_are_those_of_rfc_4180(tmp_path: Path) -> None:
    rows(tmp_path / "o.csv", full(0), result(grey(0), 1))
    data = (tmp_path / "o.csv").read_bytes()
    head, *lines = data.removesuffix(b"\r\n").split(b"\r\n")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert head.startswith(b"index,source,pts_s,wall_time,")
    assert {line.count(b",") for line in (head, *lines)} == {21}


@pytest.mark.parametrize("name", ["a,b", 'a "b"', "Gänse", "写真", "a;b", "'", ",", '"'])
def test_any_label_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    one, _ = rows(tmp_path / "o.csv", full(0), labels=Labels({1: name}))
    assert one["label"] == name


@pytest.mark.parametrize("source", ["line\nbreak", "carriage\r\nreturn", 'quote".avi', "nul\0.avi", "\udcff.avi"])
def test_any_source_stays_in_its_cell(tmp_path: Path, source: str) -> None:
    (row,) = rows(tmp_path / "o.csv", result(grey(0), source=source))
    assert row["source"] == source.encode("utf-8", "backslashreplace").decode("utf-8")
    assert row["index"] == "0"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_what_a_spreadsheet_would_run_is_text(tmp_path: Path, text: str) -> None:
    one, _ = rows(tmp_path / "o.csv", full(0, source=text), labels=Labels({1: text}))
    assert (one["label"], one["source"]) == (f"'{text}", f"'{text}")


def test_a_label_with_such_a_character_inside_is_left_alone(tmp_path: Path) -> None:
    one, _ = rows(tmp_path / "o.csv", full(0), labels=Labels({1: "t-shirt = +"}))
    assert one["label"] == "t-shirt = +"


def test_numbers_are_numbers(tmp_path: Path) -> None:
    tiny = Detections.from_raw([[0, 0, 1e-5, 1e-5]], [1e-6], [0], size_px=(160, 120))
    (row,) = rows(tmp_path / "o.csv", replace(result(grey(0)), detections=tiny))
    assert (float(row["x2"]), float(row["score"])) == (1e-5, 1e-6)
