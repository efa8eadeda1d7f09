"""The window's keys: what is drawn, pictures kept, the recording switched."""

import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.cli import desk as desk_module
from streamer.cli.desk import Desk, recording_path, snapshot_name
from streamer.frame import Detections, Frame, Image, Result
from streamer.interfaces import Command
from streamer.labels import Labels
from streamer.overlay import draw
from streamer.style import Style

LABELS = Labels({1: "person"})


def picture() -> Image:
    return np.full((120, 160, 3), 90, np.uint8)


def seen() -> Detections:
    found = Detections.from_raw([[20, 30, 90, 100]], [0.9], [1], size_px=(160, 120))
    return replace(found, track_ids=np.array([7]))


def shown(*, source: str = "clips/a clip.mp4", pts_s: float | None = 4.92) -> Result:
    frame = Frame(picture(), index=123, captured_ns=0, pts_s=pts_s, source=source)
    return Result(frame, seen(), image=draw(frame.image, seen(), LABELS, Style()))


class Lamp:
    """A recording that is only switched."""

    recording = False

    def toggle(self) -> None:
        self.recording = not self.recording


def desk(folder: Path, lamp: Lamp | None = None) -> Desk:
    return Desk(LABELS, style=Style(), snapshot_dir=folder, recorder=lamp)


@pytest.mark.parametrize("command", [Command.LABELS, Command.BOXES, Command.TRACKS])
def test_labels_boxes_and_tracks_are_switched_off_and_on(command: Command, tmp_path: Path) -> None:
    here = desk(tmp_path)
    before = here.draw(shown().frame, seen())
    here.obey(command, shown())
    without = here.draw(shown().frame, seen())
    here.obey(command, shown())
    assert not np.array_equal(without, before)
    np.testing.assert_array_equal(here.draw(shown().frame, seen()), before)


def test_a_snapshot_is_the_drawn_image_and_replaces_none(tmp_path: Path) -> None:
    here = desk(tmp_path)
    result = shown()
    for _ in range(2):
        here.obey(Command.SNAPSHOT, result)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a_clip-000123-4.920s-002.png", "a_clip-000123-4.920s.png"]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / names[1])), result.image)


def test_a_snapshot_that_cannot_be_kept_is_told_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk(tmp_path / "none").obey(Command.SNAPSHOT, shown())
    assert "no snapshot: " in caplog.text


@pytest.mark.parametrize("source", ["rtsp://me:hunter2@cam/live", "../../etc/passwd", "", "\x1b[2J/..", "a" * 500])
def test_the_name_of_a_snapshot_stays_in_its_folder(source: str) -> None:
    name = snapshot_name(shown(source=source, pts_s=None))
    assert name.endswith("-000123.png")
    assert "/" not in name
    assert not name.startswith(".")
    assert name.isprintable()
    assert "hunter2" not in name
    assert len(name) < 100


def test_the_recording_is_switched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lamp = Lamp()
    here = desk(tmp_path, lamp)
    for _ in range(2):
        here.obey(Command.RECORD, shown())
    assert not lamp.recording
    assert [record.getMessage() for record in caplog.records] == ["recording is on", "recording is off"]


def test_without_a_recorder_the_key_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    desk(tmp_path).obey(Command.RECORD, shown())
    assert "nothing can be recorded here" in caplog.text


def test_where_all_is_kept_the_key_says_that(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Desk(LABELS, style=Style(), snapshot_dir=tmp_path, why_none="all is kept").obey(Command.RECORD, shown())
    assert [record.getMessage() for record in caplog.records] == ["all is kept"]


def test_a_recording_begun_by_key_is_named_by_the_clock() -> None:
    assert recording_path(datetime(2025, 1, 31, 23, 59, 58)) == Path("streamer-20250131-235958.mp4")


def test_the_time_of_day_is_burnt_into_what_a_live_stream_shows(tmp_path: Path) -> None:
    style = Style(timestamp=True)
    frame = shown().frame
    media = Desk(LABELS, style=style, snapshot_dir=tmp_path).draw(frame, seen())
    live = Desk(
        LABELS, style=style, snapshot_dir=tmp_path, wall_clock=lambda _captured_ns: datetime(2025, 1, 31, 23, 59, 58)
    ).draw(frame, seen())
    assert not np.array_equal(media, live)
    assert not np.array_equal(media, desk(tmp_path).draw(frame, seen()))


def test_fonts_are_looked_for_before_the_first_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_for = []
    monkeypatch.setattr(desk_module, "drawable", lambda name, font: looked_for.append((name, font)))
    Desk(Labels({1: "person", 2: "人"}), style=Style(), snapshot_dir=tmp_path)
    assert sorted(looked_for) == [("person", None), ("人", None)]
