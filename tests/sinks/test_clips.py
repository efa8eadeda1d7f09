"""Clips of what happens: they begin before it, to the frame, hold every frame once, and say what they are."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ConfigError, SinkError, SinkOpenError
from streamer.frame import Detections, Frame, Result
from streamer.labels import Labels
from streamer.sinks import clips as clips_module
from streamer.sinks.clips import Clips
from streamer.sinks.conditions import Condition
from streamer.sinks.options import Codec, VideoOptions
from streamer.sinks.outfile import OutFile
from streamer.sinks.preroll import PreRoll
from streamer.sinks.recorder import recipe_for
from tests.clips import MAX_FRAMES, number_of, numbered_image
from tests.sinks.scenes import decoded, picture

LABELS = Labels({1: "person"})
FPS = 20


def frame_of(
    index: int, *, there: bool, epoch: int = 0, score: float = 0.9, size_px: tuple[int, int] = (64, 48)
) -> Result:
    """A frame that shows its number, with or without a person on it."""
    image = numbered_image(index % MAX_FRAMES, size_px=size_px)
    frame = Frame(image, index, captured_ns=index * 50_000_000, pts_s=index / FPS, epoch=epoch, source="yard.avi")
    seen = Detections.from_raw([(5, 5, 50, 50)], [score], [1], size_px=size_px) if there else Detections.empty()
    return Result(frame, seen, image=frame.image, detected=True)


def opened(folder: Path, *, pre_s: float = 2.0, post_s: float = 1.0, codec: Codec | None = None) -> Clips:
    condition = Condition("person", LABELS)
    video = VideoOptions(codec=codec, preset="superfast", crf=8)
    return Clips(
        folder, source="yard.avi", condition=condition, labels=LABELS, pre_s=pre_s, post_s=post_s, video=video, fps=FPS
    )


def run(sink: Clips, count: int, there: Callable[[int], bool]) -> list[list[int]]:
    """Write `count` frames; the numbers of those in each clip, as they are seen on them."""
    for index in range(count):
        sink.write(frame_of(index, there=there(index)))
    sink.close()
    return [numbers(path) for path in sink.recorded_files]


def numbered(count: int, first: int) -> list[int]:
    return [(first + n) % MAX_FRAMES for n in range(count)]


def numbers(path: Path) -> list[int]:
    return [number_of(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)) for frame in decoded(path)]


@pytest.mark.parametrize("pre_s", [0.0, 0.05, 0.5, 0.95, 1.0, 1.35, 2.0, 5.0])
def test_a_clip_begins_as_long_before_the_event_as_was_asked_for(tmp_path: Path, pre_s: float) -> None:
    sink = opened(tmp_path / "clips", pre_s=pre_s)
    (clip,) = run(sink, 190, lambda index: index == 130)
    first = 130 - round(pre_s * FPS)
    assert clip == numbered(130 + FPS - first + 1, first)
    assert [frame.time for frame in decoded(sink.recorded_files[0])] == pytest.approx(
        [n / FPS for n in range(len(clip))], abs=1e-4
    )


def test_before_the_first_frame_there_is_nothing(tmp_path: Path) -> None:
    (clip,) = run(opened(tmp_path / "clips"), 60, lambda index: index == 3)
    assert clip == numbered(24, 0)


def test_an_event_at_the_end_of_the_stream_has_all_that_came(tmp_path: Path) -> None:
    (clip,) = run(opened(tmp_path / "clips", pre_s=0.3), 50, lambda index: index == 49)
    assert clip == numbered(7, 43)


@pytest.mark.parametrize(("second", "clips"), [(30, 1), (49, 1), (90, 1), (91, 2)])
def test_events_that_touch_become_one(tmp_path: Path, second: int, clips: int) -> None:
    found = run(opened(tmp_path / "clips"), 190, lambda index: index in {30, second})
    assert len(found) == clips
    if clips == 1:
        assert found[0] == numbered(second + FPS + 1, 0)
    else:
        assert found == [numbered(51, 0), numbered(61, second - 40)]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9", "mjpeg"])
def test_every_codec_can_begin_anywhere(tmp_path: Path, codec: Codec) -> None:
    sink = opened(tmp_path / "clips", pre_s=1.35, codec=codec)
    (clip,) = run(sink, 110, lambda index: index == 70)
    assert clip == numbered(48, 43)


def test_it_says_what_happened_and_shows_its_best_moment(tmp_path: Path) -> None:
    sink = opened(tmp_path / "clips")
    for index in range(120):
        sink.write(frame_of(index, there=60 <= index < 70, score=0.9 if index == 66 else 0.6))
    sink.close()
    (path,) = sink.recorded_files
    assert path.name == "yard-event-00003.000s.mp4"
    assert sorted(found.name for found in path.parent.iterdir()) == [
        f"yard-event-00003.000s.{e}" for e in ("jpg", "json", "mp4")
    ]
    told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert told["condition"] == "person"
    assert told["begins"] == {"index": 60, "pts_s": 3.0, "wall_time": None}
    assert told["ends"]["index"] == 69
    assert told["clip"] == {"file": path.name, "starts_pts_s": 1.0, "duration_s": 3.5, "frames": 70}
    assert told["classes"] == {"person": {"most": 1, "best_score": 0.9}}
    assert told["snapshot"]["index"] == 66
    assert sink.written == 70


def test_another_size_or_epoch_ends_the_clip_and_loses_nothing(tmp_path: Path) -> None:
    sink = opened(tmp_path / "clips")
    for index in range(30):
        sink.write(frame_of(index, there=index >= 25))
    for index in range(30, 60):
        sink.write(frame_of(index, there=index < 35, epoch=1, size_px=(96, 64)))
    sink.close()
    assert [numbers(path) for path in sink.recorded_files] == [numbered(30, 0), numbered(25, 30)]


@pytest.mark.allow_error_logs
def test_a_clip_that_cannot_be_written_is_told_and_the_next_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(OutFile):
        full = True

        def _put(self, offset: int, data: bytes) -> None:
            if Full.full:
                self.freeze()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super()._put(offset, data)

    monkeypatch.setattr(clips_module, "OutFile", Full)
    sink = opened(tmp_path / "clips")
    for index in range(250):
        Full.full = index < 120
        sink.write(frame_of(index, there=index in {50, 200}))
    with pytest.raises(SinkError, match="the disk is full"):
        sink.close()
    assert [numbers(path) for path in sink.recorded_files] == [numbered(61, 160)]
    assert "event 1 is not kept" in caplog.text


@pytest.mark.parametrize(("pre_s", "post_s"), [(0.0, 0.0), (0.2, 0.2), (0.0, 0.1)])
def test_the_shortest_event_is_kept(tmp_path: Path, pre_s: float, post_s: float) -> None:
    sink = opened(tmp_path / "clips", pre_s=pre_s, post_s=post_s)
    found = run(sink, 90, lambda index: index in {33, 60})
    before, after = round(pre_s * FPS), round(post_s * FPS)
    assert found == [numbered(before + after + 1, 33 - before), numbered(before + after + 1, 60 - before)]


@pytest.mark.allow_error_logs
def test_an_event_that_cannot_be_kept_is_told_once_however_long_it_lasts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = opened(tmp_path / "clips")
    for index in range(60):
        sink.write(frame_of(index, there=False))
    (tmp_path / "clips").rmdir()
    for index in range(60, 160):
        sink.write(frame_of(index, there=index < 100))
    with pytest.raises(SinkError, match="its folder does not exist"):
        sink.close()
    assert caplog.text.count("is not kept") == 1


@pytest.mark.allow_error_logs
def test_a_size_that_the_encoder_refuses_is_an_error_of_the_sink(tmp_path: Path) -> None:
    sink = opened(tmp_path / "clips")
    with pytest.raises(SinkError):
        sink.write(frame_of(0, there=True, size_px=(20_000, 4)))
    sink.close()


def test_what_lies_beside_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "yard-event-00001.500s.jpg").write_text("mine")
    sink = opened(tmp_path / "clips")
    run(sink, 60, lambda index: index == 30)
    assert (tmp_path / "clips" / "yard-event-00001.500s.jpg").read_text() == "mine"
    assert [path.name for path in sink.recorded_files] == ["yard-event-00001.500s-002.mp4"]


def test_another_condition_and_other_lengths_hold_from_the_next_frame_on(tmp_path: Path) -> None:
    sink = opened(tmp_path / "clips", pre_s=1.0, post_s=0.5)
    for index in range(260):
        if index == 100:
            sink.watch_for(Condition("person score > 0.8", LABELS), pre_s=3.0, post_s=2.0)
        sink.write(frame_of(index, there=index in {60, 120, 200}, score=0.7 if index == 120 else 0.9))
    sink.close()
    assert [numbers(path) for path in sink.recorded_files] == [numbered(31, 40), numbered(101, 140)]


def test_where_nothing_happens_nothing_is_written(tmp_path: Path) -> None:
    assert run(opened(tmp_path / "clips"), 60, lambda _: False) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkOpenError):
        opened(tmp_path / "file" / "clips")
    with pytest.raises(SinkOpenError):
        opened(tmp_path / "file")
    with pytest.raises(ConfigError):
        Clips(tmp_path, source="x", condition=Condition("dog", LABELS), labels=LABELS)


class TestPreRoll:
    def test_it_keeps_no_more_than_is_needed(self) -> None:
        preroll = PreRoll(recipe_for(Path("x.mp4"), VideoOptions(), fps=FPS), size_px=(160, 120), length_s=2.0)
        most = 0
        for index in range(400):
            preroll.add(picture("quiet", index), index / FPS)
            most = max(most, len(preroll.behind(-1)))
        assert 4 * FPS <= most <= 5 * FPS + 1
        preroll.close()
        assert preroll.bytes == 0

    def test_its_bytes_are_bounded_and_that_is_told_once(self, caplog: pytest.LogCaptureFixture) -> None:
        recipe = recipe_for(Path("x.mp4"), VideoOptions(), fps=FPS)
        preroll = PreRoll(recipe, size_px=(160, 120), length_s=60.0, most_bytes=300_000)
        for index in range(200):
            preroll.add(picture("noisy", index), index / FPS)
            newest = preroll.behind(preroll.behind(-1)[-1].ticks - 120_000) if index > 10 else []
            assert preroll.bytes <= 300_000 + sum(len(one.data) for one in newest)
        preroll.close()
        assert caplog.text.count("less of it is kept") == 1
