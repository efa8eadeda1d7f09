"""A run takes new values between two frames, each part of it in its own way."""

from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from streamer.analytics.wary import Wary
from streamer.cli.desk import Desk
from streamer.cli.parts import Parts
from streamer.cli.retuning import Retuning
from streamer.clock import FakeClock
from streamer.config import resolve, setting_fields
from streamer.errors import ConfigError, SourceLost
from streamer.frame import Detections, Frame, Result
from streamer.interfaces import Command, Detector, SourceInfo, View
from streamer.labels import Labels
from streamer.overlay import annotate
from streamer.sinks.conditions import Condition
from streamer.sources.limit import LimitedSource
from streamer.sources.reconnecting import ReconnectingSource
from streamer.sources.watched import WatchedSource
from streamer.style import Style
from tests.fakes import FakeDetector

LABELS = Labels({1: "person", 2: "car"})
FRAME = Frame(np.full((120, 160, 3), 90, np.uint8), index=0, captured_ns=0, source="clip.mp4")
SEEN = Detections.from_raw([[20, 30, 90, 100]], [0.9], [1], size_px=(160, 120))


def parts(folder: Path, *, detector: Detector | None = None, view: View | None = None) -> Parts:
    source = mock.Mock(info=SourceInfo("clip.mp4"))
    desk = Desk(LABELS, style=Style(), snapshot_dir=folder)
    return Parts(source, detector or FakeDetector(labels=LABELS), (), (), view, desk)


def take(parts: Parts, **settings: str) -> frozenset[str]:
    prepared = Retuning(parts).prepared(settings.keys(), resolve(flags=settings))
    for commit in prepared.commits:
        commit()
    return prepared.refused


@pytest.fixture
def wary() -> Wary:
    boxes, scores = [(10, 10, 50, 40), (60, 10, 90, 40)], [0.9, 0.6]
    return Wary(FakeDetector(labels=LABELS, boxes=boxes, scores=scores, class_ids=[1, 2]), hidden=frozenset())


def test_nothing_is_done_before_all_of_it_can_be(tmp_path: Path, wary: Wary) -> None:
    made = parts(tmp_path, detector=wary)
    with pytest.raises(ConfigError, match="classes"):
        Retuning(made).prepared({"conf", "classes"}, resolve(flags={"conf": "0.7", "classes": "persn"}))
    with pytest.raises(ConfigError, match="font"):
        Retuning(made).prepared({"conf", "font"}, resolve(flags={"conf": "0.7", "font": str(tmp_path / "no font")}))
    assert wary.conf == 0.5


def test_thresholds_classes_and_the_number_of_boxes(tmp_path: Path, wary: Wary) -> None:
    made = parts(tmp_path, detector=wary)

    def ids() -> list[int]:
        (found,) = wary.detect([FRAME.image])
        return list(map(int, wary.reported(found).class_ids))

    assert ids() == [1, 2]
    assert take(made, classes="car") == frozenset()
    assert ids() == [2]
    take(made, conf="0.7")
    assert ids() == []
    take(made, classes="", conf="0.1")
    take(made, max_det="1")
    assert ids() == [1]


def test_a_detector_that_cannot_choose_classes_says_so(tmp_path: Path) -> None:
    made = parts(tmp_path)
    assert take(made, classes="car", max_det="3", conf="0.7") == {"classes", "max_det"}
    assert made.detector.conf == 0.7


def test_drawing_changes_and_what_a_key_has_changed_stays(tmp_path: Path) -> None:
    made = parts(tmp_path)
    made.desk.obey(Command.LABELS, Result(FRAME, SEEN))  # a person has pressed l
    take(made, theme="minimal", line_width="5")
    wanted = Style(labels=False, theme="minimal", line_px=5)
    np.testing.assert_array_equal(
        made.desk.draw(FRAME, SEEN), annotate(FRAME, SEEN, labels=LABELS, style=wanted, wall_clock=None)
    )
    take(made, hide_labels="false", box_style="corners", source_name="true", timestamp="true", hide_conf="true")
    wanted = Style(
        theme="minimal", line_px=5, box_style="corners", source_name=True, timestamp=True, conf=False, labels=True
    )
    np.testing.assert_array_equal(
        made.desk.draw(FRAME, SEEN), annotate(FRAME, SEEN, labels=LABELS, style=wanted, wall_clock=None)
    )


def test_the_panel_of_a_view(tmp_path: Path) -> None:
    view = mock.Mock(spec=View, panel=True)
    take(parts(tmp_path, view=view), panel="false")
    assert view.panel is False
    take(parts(tmp_path), panel="false")  # without a view there is nothing to do


def test_every_setting_that_says_it_reloads_does_something(tmp_path: Path, wary: Wary) -> None:
    made = parts(tmp_path, detector=wary, view=mock.Mock(spec=View, panel=True))
    made = replace(made, sinks=(Guard(),))  # type: ignore[arg-type]
    resolved = resolve(flags={"clip_on": "person"})
    for known in setting_fields().values():
        prepared = Retuning(made).prepared({known.name}, resolved)
        assert bool(prepared.commits) is known.setting.reloads, known.name
        assert not prepared.refused


class Guard:
    """A sink that keeps clips, as far as it is asked here."""

    role = "clips"

    def __init__(self) -> None:
        self.asked: list[tuple[str, float, float]] = []

    def watch_for(self, condition: Condition, *, pre_s: float, post_s: float) -> None:
        self.asked.append((condition.text, pre_s, post_s))


def test_clips_are_kept_of_something_else(tmp_path: Path) -> None:
    guard = Guard()
    made = replace(parts(tmp_path), sinks=(guard,))  # type: ignore[arg-type]
    assert take(made, clip_on="car", pre="2", post="9") == frozenset()
    assert guard.asked == [("car", 2.0, 9.0)]
    with pytest.raises(ConfigError, match="clip_on: "):
        take(made, clip_on="unicorn")
    assert len(guard.asked) == 1


def test_clips_do_not_begin_or_end_to_be_kept(tmp_path: Path) -> None:
    assert take(parts(tmp_path), clip_on="car") == {"clip_on"}
    made = replace(parts(tmp_path), sinks=(Guard(),))  # type: ignore[arg-type]
    assert Retuning(made).prepared({"clip_on"}, resolve()).refused == {"clip_on"}
    assert take(parts(tmp_path), pre="9") == frozenset()  # nobody asks


def test_when_a_source_is_given_up(tmp_path: Path) -> None:
    clock = FakeClock()
    source = WatchedSource(ReconnectingSource(mock.Mock(side_effect=SourceLost("gone")), name="camera", clock=clock))
    made = replace(parts(tmp_path), source=LimitedSource(source, duration_s=1e9))
    take(made, reconnect_max="3")
    with pytest.raises(SourceLost):
        list(made.source.frames())
    assert made.source.info.state == "failed"
