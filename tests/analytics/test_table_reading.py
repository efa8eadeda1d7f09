"""A table is read to its last whole line, and what is wrong in it is told with its place."""

from pathlib import Path

import numpy as np
import pytest

from streamer.analytics.table_reading import MAX_LINE_BYTES, read_table
from streamer.errors import ConfigError
from tests.analytics.tables import detection, line, written


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        read_table(path)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_a_line_says_what_the_frame_had(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "d.jsonl", line(), line(3, detected=False, age_ms=33.367)))
    first, second = table.rows
    assert (first.line, first.source, first.pts_s, first.size_px) == (1, "clip.mp4", 0.0, (64, 48))
    assert (first.failed, first.detected, first.detections.age_ns) == (False, True, 0)
    assert first.detections.boxes.dtype == np.float32
    assert first.detections.boxes.tolist() == [[10.5, 10, 30, 40]] * 2
    assert first.detections.class_ids.tolist() == [1, 2]
    assert first.detections.track_ids is None
    assert (second.line, second.detected, second.detections.age_ns) == (2, False, 33_367_000)
    assert [table.labels.name(class_id) for class_id in (1, 2, 3)] == ["thing", "other", "#3"]


def test_nothing_seen_is_not_nobody_looked(tmp_path: Path) -> None:
    empty, failed, waiting, carried = read_table(
        written(
            tmp_path / "d.jsonl",
            line(0, detections=[]),
            line(1, detections=[], detected=False, failed=True),
            line(2, detections=[], detected=False),
            line(3, detections=[], detected=False, age_ms=10),
        )
    ).rows
    assert [row.detections.looked for row in (empty, failed, waiting, carried)] == [True, False, False, True]
    assert failed.failed


def test_tracks_stay_with_their_boxes_whatever_their_order(tmp_path: Path) -> None:
    seen = [detection(1, 0.2, track_id=7), detection(1, 0.8, track_id=-3), detection(1, 0.5, track_id=2**62)]
    (row,) = read_table(written(tmp_path / "d.jsonl", line(detections=seen))).rows
    assert row.detections.track_ids is not None
    assert row.detections.track_ids.tolist() == [-3, 2**62, 7]
    assert row.detections.scores.tolist() == pytest.approx([0.8, 0.5, 0.2])


@pytest.mark.parametrize("cut_bytes", [1, 10, 300])
def test_the_line_that_a_kill_cut_off_is_left_out_and_said(
    tmp_path: Path, cut_bytes: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "d.jsonl", line(0), line(1), line(2), end="")
    path.write_bytes(path.read_bytes()[:-cut_bytes])
    assert [row.line for row in read_table(path).rows] == [1, 2]
    assert f"{path}:3: the last line is cut off; it is left out" in caplog.text


def test_a_cut_inside_a_character_is_one_as_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "d.jsonl", line(0))
    with path.open("ab") as file:
        file.write('{"index":1,"source":"写'.encode()[:-1])
    assert len(read_table(path).rows) == 1
    assert "cut off" in caplog.text


def test_a_last_line_that_lacks_only_its_end_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(read_table(written(tmp_path / "d.jsonl", line(0), line(1), end="")).rows) == 2
    assert not caplog.records


def test_empty_lines_a_byte_order_mark_and_unknown_keys_do_no_harm(tmp_path: Path) -> None:
    path = written(tmp_path / "d.jsonl", "", line(0, plate="AB 123"), "", line(1))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().lstrip())
    assert [row.line for row in read_table(path).rows] == [1, 3]


def test_a_name_that_is_no_utf_8_comes_back(tmp_path: Path) -> None:
    path = written(tmp_path / "d.jsonl", line(0, source="\udcff.avi"))
    assert read_table(path).rows[0].source == "\udcff.avi"


WRONG: dict[str, tuple[object, str]] = {
    "cut JSON": ('{"index": 1', "no JSON: Expecting"),
    "text": ("hello", "no JSON: Expecting value at character 1"),
    "a list": ([1, 2], "holds no object"),
    "deep": ("[" * 100_000, "no JSON that can be read"),
    "long number": ('{"index": ' + "9" * 10_000 + "}", "no JSON that can be read"),
    "another object": ({"image_id": 1}, "has no 'source'"),
    "source": (line(source=3), "source is no text"),
    "time": (line(pts_s="0.1"), "pts_s is no number"),
    "endless time": (line(pts_s=float("inf")), "pts_s is no number"),
    "size": (line(size=[64]), "size is not [width, height]"),
    "no size": (line(size=[0, 48]), "size is not [width, height]"),
    "failed": (line(failed=0), "failed and detected are true or false"),
    "age": (line(age_ms=-1), "age_ms is no number from 0"),
    "detections": (line(detections={}), "detections is no list of objects"),
    "a detection": (line(detections=[3]), "detections is no list of objects"),
    "box": (line(detections=[detection(1, 0.9, box=[1, 2, 3])]), "box is not four numbers"),
    "NaN": (line(detections=[detection(1, 0.9, box=[1, 2, 3, float("nan")])]), "box is not four numbers"),
    "outside": (line(detections=[detection(1, 0.9, box=[70, 2, 90, 9])]), "1 of its detections are outside the frame"),
    "score": (line(detections=[detection(1, 1.5)]), "have a score outside 0 to 1"),
    "no score": (line(detections=[detection(1, float("nan"))]), "score is no number"),
    "class": (line(detections=[detection(-1, 0.9)]), "class_id is no whole number from 0"),
    "large class": (line(detections=[detection(2**31, 0.9)]), "class_id is no whole number from 0"),
    "label": (line(detections=[detection(1, 0.9, label=None)]), "label is no text"),  # type: ignore[arg-type]
    "no label": (line(detections=[{"box": [1, 2, 3, 4], "class_id": 1, "score": 0.5}]), "has no 'label'"),
    "another label": (
        line(detections=[detection(1, 0.9, label="x")]),
        "the class 1 is called 'thing' before and 'x' here",
    ),
    "tracks": (line(detections=[detection(1, 0.9, track_id=1), detection(1, 0.8)]), "track_id is a whole number"),
    "track": (line(detections=[detection(1, 0.9, track_id="a")]), "track_id is a whole number"),
    "a flood": (line(detections=[detection(1, 0.9)] * 301), "has 301 detections; at most 300"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, case: str) -> None:
    bad, text = WRONG[case]
    path = written(tmp_path / "d.jsonl", line(0), bad, line(2))
    said = refusal(path)
    assert said.startswith(f"{path}:2: ")
    assert text in said
    assert said.isprintable()


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    assert "there is no line in it" in refusal(written(tmp_path / "empty", end=""))
    assert "cannot be read: No such file" in refusal(tmp_path / "none")
    assert "cannot be read: Is a directory" in refusal(tmp_path)
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    assert "picture:1: is no text" in refusal(tmp_path / "picture")
    (tmp_path / "endless").write_bytes(b" " * (MAX_LINE_BYTES + 1))
    assert "endless:1: too long for a line of a table" in refusal(tmp_path / "endless")
