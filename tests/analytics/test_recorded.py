"""A table stands in for the model: each frame gets what was seen on it, and what does not fit is said."""

from pathlib import Path

import numpy as np
import pytest

from streamer.analytics.recorded import Recorded
from streamer.analytics.table_reading import read_table
from streamer.errors import ConfigError
from streamer.frame import Detections, Frame
from streamer.interfaces import Analysis, SourceInfo
from tests.analytics.tables import detection, line, written

CLIP = SourceInfo("clip.mp4", size_px=(64, 48))
FOLDER = SourceInfo("videos", kind="sequence")


def recorded(path: Path, *lines: object, source: SourceInfo = CLIP, **how: object) -> Recorded:
    made = Recorded(read_table(written(path / "d.jsonl", *lines)), **how)  # type: ignore[arg-type]
    made.suit(source)
    return made


def frame(
    index: int = 0,
    *,
    pts_s: float | None = None,
    source: str = "clip.mp4",
    size_px: tuple[int, int] = (64, 48),
    timed: bool = True,
) -> Frame:
    image = np.zeros((size_px[1], size_px[0], 3), np.uint8)
    time_s = (index / 10 if pts_s is None else pts_s) if timed else None
    return Frame(image, index=index, captured_ns=0, pts_s=time_s, source=source)


def seen(made: Recorded, shown: Frame) -> Analysis:
    assert [len(found) for found in made.detect([shown.image])] == [0]
    return made.update(shown, Detections.unknown())


def scores(analysis: Analysis) -> list[float]:
    return [round(score, 3) for score in analysis.detections.scores.tolist()]


def test_a_frame_gets_what_was_seen_on_it(tmp_path: Path) -> None:
    made = recorded(tmp_path, line(0), line(1, detections=[detection(1, 0.7)]), line(2, detections=[]))
    assert [scores(seen(made, frame(index))) for index in range(3)] == [[0.9, 0.5], [0.7], []]
    made.close()


def test_how_it_was_seen_is_told_again(tmp_path: Path) -> None:
    made = recorded(
        tmp_path,
        line(0),
        line(1, detected=False, age_ms=100),
        line(2, detected=False, failed=True, detections=[]),
    )
    own, carried, failed = (seen(made, frame(index)) for index in range(3))
    assert (own.detected, own.failed, own.detections.age_ns) == (True, False, 0)
    assert (carried.detected, carried.failed, carried.detections.age_ns) == (False, False, 100_000_000)
    assert (failed.detected, failed.failed, failed.detections.looked) == (False, True, False)


def test_threshold_classes_and_number_leave_out(tmp_path: Path) -> None:
    assert scores(seen(recorded(tmp_path, line(), conf=0.6), frame())) == [0.9]
    assert scores(seen(recorded(tmp_path, line(), conf=float(np.float32(0.9))), frame())) == [0.9]
    assert scores(seen(recorded(tmp_path, line(), classes=("OTHER",)), frame())) == [0.5]
    assert scores(seen(recorded(tmp_path, line(), classes=("#1",)), frame())) == [0.9]
    assert scores(seen(recorded(tmp_path, line(), max_det=1), frame())) == [0.9]


def test_the_threshold_may_change_on_the_way(tmp_path: Path) -> None:
    made = recorded(tmp_path, line(0), line(1))
    assert scores(seen(made, frame(0))) == [0.9, 0.5]
    made.conf = 0.6
    assert scores(seen(made, frame(1))) == [0.9]


def test_a_class_that_is_not_in_it_is_a_mistake_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no class is called 'thin' \(did you mean thing\?\)"):
        recorded(tmp_path, line(), classes=("thin",))


def test_a_frame_is_found_by_its_time_not_by_its_number(tmp_path: Path) -> None:
    made = recorded(tmp_path, *(line(index, detections=[detection(1, 0.5 + index / 100)]) for index in range(10)))
    assert scores(seen(made, frame(0, pts_s=0.7))) == [0.57]
    assert scores(seen(made, frame(1, pts_s=0.9000004))) == [0.59]
    assert scores(seen(made, frame(2, pts_s=0.6004))) == [0.56]
    assert scores(seen(made, frame(3, pts_s=0.65))) == []


def test_frames_that_are_not_in_it_are_counted_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = recorded(tmp_path, line(0), line(2), line(5))
    missing = [seen(made, frame(index)) for index in range(5)][1]
    assert (missing.detected, missing.failed, missing.detections.looked) == (False, None, False)
    made.close()
    made.close()
    assert [record.getMessage().removeprefix(f"{made.path}: ") for record in caplog.records] == [
        "3 of 5 frames are not in it; they have no boxes",
        "1 of its 3 frames did not come",
    ]


def test_of_a_part_of_the_clip_not_all_need_come(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = recorded(tmp_path, line(0), line(1), line(2), whole=False)
    seen(made, frame(0, pts_s=0.1))
    made.close()
    assert not caplog.records


def test_a_table_of_another_clip_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = recorded(tmp_path, line(0), line(1), source=SourceInfo("in/other.mp4", size_px=(64, 48)))
    for index in range(3):
        assert scores(seen(made, frame(index, pts_s=0.05 + index / 10, source="in/other.mp4"))) == []
    made.close()
    assert "is of clip.mp4, and is drawn on other.mp4" in caplog.text
    assert "not one of 3 frames is in it: is it of another clip?" in caplog.text


def test_another_size_is_refused_before_and_on_the_way(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"d\.jsonl:1: is of a frame of 64x48, and here it has 320x240"):
        recorded(tmp_path, line(0), source=SourceInfo("clip.mp4", size_px=(320, 240)))
    made = recorded(tmp_path, line(0), line(1))
    seen(made, frame(0))
    with pytest.raises(ConfigError, match=r"d\.jsonl:2: .*the table is of another clip"):
        seen(made, frame(1, size_px=(48, 64)))


def test_the_clip_may_lie_elsewhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = recorded(tmp_path, line(0), line(1))
    assert scores(seen(made, frame(1, source="/elsewhere/clip.mp4"))) == [0.9, 0.5]
    assert not caplog.records


def test_of_a_folder_each_file_gets_its_own(tmp_path: Path) -> None:
    made = recorded(
        tmp_path,
        line(0, source="v/a.mp4", detections=[detection(1, 0.8)]),
        line(1, source="v/b.mp4", pts_s=0.0, detections=[detection(1, 0.7)]),
        line(2, source="v/deep/b.mp4", pts_s=0.0, detections=[detection(1, 0.6)]),
        source=FOLDER,
    )
    assert scores(seen(made, frame(0, source="v/b.mp4"))) == [0.7]
    assert scores(seen(made, frame(1, source="v/deep/b.mp4", pts_s=0.0))) == [0.6]
    assert scores(seen(made, frame(2, source="w/a.mp4", pts_s=0.0))) == [0.8]
    assert scores(seen(made, frame(3, source="w/b.mp4", pts_s=0.0))) == []
    assert scores(seen(made, frame(4, source="v/c.mp4", pts_s=0.0))) == []


def test_one_file_of_a_folders_table_is_found_by_its_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = recorded(tmp_path, line(0, source="v/a.mp4", detections=[]), line(1, source="v/clip.mp4", pts_s=0.0))
    assert scores(seen(made, frame(0, source="clip.mp4"))) == [0.9, 0.5]
    made.close()
    assert not caplog.records


def test_a_file_of_a_folder_that_does_not_come_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = recorded(tmp_path, line(0, source="v/a.mp4"), line(1, source="v/b.mp4", pts_s=0.0), source=FOLDER)
    seen(made, frame(0, source="v/b.mp4"))
    made.close()
    assert "1 of its 2 frames did not come" in caplog.text


def test_pictures_are_found_by_their_file(tmp_path: Path) -> None:
    made = recorded(
        tmp_path,
        line(0, source="p/1.png", pts_s=None),
        line(1, source="p/2.png", pts_s=None, detections=[]),
        source=SourceInfo("p", kind="pictures", frame_count=2),
    )
    assert scores(seen(made, frame(0, source="p/2.png", timed=False))) == []
    assert scores(seen(made, frame(1, source="p/1.png", timed=False))) == [0.9, 0.5]
    assert scores(seen(made, frame(2, source="p/1.png"))) == []


@pytest.mark.parametrize("pts_s", [0.1, None])
def test_two_lines_of_one_frame_are_refused(tmp_path: Path, pts_s: float | None) -> None:
    lines = [line(0), line(1, source="b", pts_s=pts_s), line(2, source="b", pts_s=pts_s)]
    with pytest.raises(ConfigError, match=r"d\.jsonl:3: is of the same frame as line 2 \(a table holds one run\)"):
        recorded(tmp_path, *lines)


def test_a_threshold_below_the_table_is_told_to_bring_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    recorded(tmp_path, line(), conf=0.2)
    assert "--conf 0.2: the lowest score in the table is 0.5, and a table gives no more" in caplog.text


def test_it_says_what_is_in_it(tmp_path: Path) -> None:
    some, none = recorded(tmp_path, line(0), line(1)).describe(), recorded(tmp_path, line(detections=[])).describe()
    assert some.endswith("d.jsonl: 2 frames, 4 detections with scores from 0.5 to 0.9")
    assert none.endswith("d.jsonl: 1 frames, 0 detections")
