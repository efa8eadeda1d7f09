import logging
from pathlib import Path

import pytest

from streamer.errors import SourceError, SourceLost, SourceOpenError
from streamer.frame import Frame, Image
from streamer.sources import SourceOptions, open_source
from streamer.sources.opencv_decoder import OpenCvDecoder
from streamer.sources.sequence import SequenceSource
from streamer.sources.synthetic import SyntheticSource
from tests.clips import number_of, write_clip, write_picture


def _synthetic(script: str) -> SyntheticSource:
    return SyntheticSource(f"live=no,size=64x48,{script}")


def _summary(frames: list[Frame]) -> list[tuple[str, int, int]]:
    return [(Path(frame.source).name, frame.epoch, number_of(frame.image)) for frame in frames]


def test_videos_come_one_after_another_each_in_its_own_epoch_and_time(tmp_path: Path) -> None:
    for name in ("take 10.mp4", "take 2.mp4"):
        write_clip(tmp_path / name, frames=3)
    source = open_source(str(tmp_path))
    frames = list(source.frames())
    assert [frame.index for frame in frames] == list(range(6))
    assert _summary(frames) == [
        *(("take 2.mp4", 0, number) for number in range(3)),
        *(("take 10.mp4", 1, number) for number in range(3)),
    ]
    assert [frame.pts_s for frame in frames] == pytest.approx([0.0, 0.1, 0.2] * 2)
    assert source.produced == 6
    assert (source.info.name, source.info.frame_count) == (str(tmp_path), None)


def test_pictures_between_videos_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png", 7)
    write_clip(tmp_path / "2.mp4", frames=2)
    write_picture(tmp_path / "3.png", 8)
    write_picture(tmp_path / "4.png", 9)
    frames = list(open_source(str(tmp_path)).frames())
    assert _summary(frames) == [("1.png", 0, 7), ("2.mp4", 1, 0), ("2.mp4", 1, 1), ("3.png", 2, 8), ("4.png", 3, 9)]
    assert [frame.index for frame in frames] == list(range(5))


def test_a_broken_file_is_warned_of_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_clip(tmp_path / "1.mp4", frames=2)
    (tmp_path / "2.mp4").write_text("no video")
    write_clip(tmp_path / "3.mp4", frames=2)
    frames = list(open_source(str(tmp_path)).frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.epoch for frame in frames] == [0, 0, 1, 1]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "2.mp4: not a video, but text" in record.getMessage()


def test_a_file_whose_first_frame_fails_is_left_out_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("1.mp4", "2.mp4", "3.mp4"):
        write_clip(tmp_path / name, frames=2)
    retrieve, grab = OpenCvDecoder.retrieve, OpenCvDecoder.grab
    begun: list[OpenCvDecoder] = []
    closed: list[OpenCvDecoder] = []

    def failing_grab(decoder: OpenCvDecoder) -> float | None:
        if decoder not in begun:
            begun.append(decoder)
        if len(begun) == 1:
            raise SourceLost("OpenCV failed to read on")
        return grab(decoder)

    def failing_retrieve(decoder: OpenCvDecoder) -> Image | None:
        if len(begun) == 2:
            raise SourceLost("OpenCV failed to decode a frame")
        return retrieve(decoder)

    monkeypatch.setattr(OpenCvDecoder, "grab", failing_grab)
    monkeypatch.setattr(OpenCvDecoder, "retrieve", failing_retrieve)
    close = OpenCvDecoder.close

    def watched_close(decoder: OpenCvDecoder) -> None:
        closed.append(decoder)
        close(decoder)

    monkeypatch.setattr(OpenCvDecoder, "close", watched_close)
    source = open_source(str(tmp_path))
    assert closed == begun[:2]
    assert [Path(frame.source).name for frame in source.frames()] == ["3.mp4", "3.mp4"]
    assert [record.getMessage().rsplit("; ")[-1] for record in caplog.records] == ["it is left out"] * 2


def test_nothing_but_broken_files_is_refused_at_opening(tmp_path: Path) -> None:
    for name in ("1.mp4", "2.mp4"):
        (tmp_path / name).write_text("no video")
    with pytest.raises(SourceOpenError, match="not one of 2 files can be opened"):
        open_source(str(tmp_path))


def test_what_fails_in_the_middle_gives_way_to_the_next(caplog: pytest.LogCaptureFixture) -> None:
    source = SequenceSource([lambda: _synthetic("raise@2"), lambda: _synthetic("frames=2")], name="two")
    assert [(frame.index, frame.epoch) for frame in source.frames()] == [(0, 0), (1, 0), (2, 1), (3, 1)]
    assert "the rest of it is left out" in caplog.text


def test_parts_that_give_no_frame_are_an_error() -> None:
    source = SequenceSource([lambda: _synthetic("frames=0"), lambda: _synthetic("raise@0")], name="two")
    with pytest.raises(SourceError, match="not one of 2 files gave a frame"):
        list(source.frames())


def test_unusable_frames_of_the_parts_are_counted() -> None:
    source = SequenceSource([lambda: _synthetic("frames=3,none@1,none@2")] * 2, name="two")
    assert [frame.index for frame in source.frames()] == [0, 3]
    assert source.produced == 6


def test_a_loop_begins_again_in_a_new_epoch(tmp_path: Path) -> None:
    for name in ("1.mp4", "2.mp4"):
        write_clip(tmp_path / name, frames=1)
    source = open_source(str(tmp_path), SourceOptions(loop=True))
    reading = source.frames()
    frames = [next(reading) for _ in range(5)]
    source.close()
    assert list(reading) == []
    assert [(Path(frame.source).name, frame.epoch) for frame in frames] == [
        ("1.mp4", 0), ("2.mp4", 1), ("1.mp4", 2), ("2.mp4", 3), ("1.mp4", 4),
    ]  # fmt: skip


def test_realtime_makes_a_folder_live(tmp_path: Path) -> None:
    write_clip(tmp_path / "1.mp4", frames=2)
    with_realtime = open_source(str(tmp_path), SourceOptions(realtime=True))
    without = open_source(str(tmp_path))
    assert (with_realtime.live, without.live) == (True, False)
    with_realtime.close()
    without.close()
