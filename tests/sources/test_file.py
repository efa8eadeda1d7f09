import logging
import os
import threading
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.clock import NS_PER_S, FakeClock
from streamer.errors import SourceOpenError
from streamer.frame import Frame, Image
from streamer.pyav import av
from streamer.sources.file import FileSource
from streamer.sources.options import SourceOptions
from streamer.sources.reel import OpenLimited, open_decoder, open_pyav
from tests.clips import number_of, numbered_image, write_clip

TIMES_S = [0.0, 0.1, 0.15, 0.5, 0.9, 1.0, 2.0, 3.5, 3.6, 3.7, 5.0, 5.1, 5.15, 7.0, 7.5, 7.75, 9.0, 9.5]

BOTH = pytest.mark.parametrize("decoder", [open_decoder, open_pyav], ids=["opencv", "pyav"])


def _frames(path: Path, decoder: OpenLimited = open_decoder, **options: object) -> list[Frame]:
    source = FileSource(str(path), options=SourceOptions(**options), open_decoder=decoder)  # type: ignore[arg-type]
    return list(source.frames())


def _numbers(frames: list[Frame]) -> list[int]:
    return [number_of(frame.image) for frame in frames]


@BOTH
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_every_frame_comes_once_in_order_at_its_own_time(tmp_path: Path, decoder: OpenLimited, ending: str) -> None:
    frames = _frames(write_clip(tmp_path / f"clip.{ending}", times_s=TIMES_S), decoder)
    assert _numbers(frames) == list(range(len(TIMES_S)))
    assert [frame.pts_s for frame in frames] == pytest.approx(TIMES_S, abs=0.002)
    assert [frame.index for frame in frames] == list(range(len(TIMES_S)))
    assert {frame.epoch for frame in frames} == {0}


@BOTH
@pytest.mark.parametrize("key_every", [1, 6, 100])
@pytest.mark.parametrize("start_s", [0.12, 1.5, 3.65, 5.1, 8.0, 9.5])
def test_start_is_exact_whatever_the_frame_rate(
    tmp_path: Path, decoder: OpenLimited, key_every: int, start_s: float
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", times_s=TIMES_S, key_every=key_every)
    wanted = [number for number, time_s in enumerate(TIMES_S) if time_s >= start_s]
    frames = _frames(clip, decoder, start_s=start_s)
    assert _numbers(frames) == wanted
    assert frames[0].index == 0
    assert frames[0].pts_s == pytest.approx(TIMES_S[wanted[0]], abs=0.002)


@BOTH
def test_end_and_duration_leave_out_what_is_beyond(tmp_path: Path, decoder: OpenLimited) -> None:
    clip = write_clip(tmp_path / "clip.mp4", times_s=TIMES_S)
    assert _numbers(_frames(clip, decoder, end_s=1.0)) == [0, 1, 2, 3, 4]
    assert _numbers(_frames(clip, decoder, start_s=1.0, duration_s=2.5)) == [5, 6]
    assert _numbers(_frames(clip, decoder, start_s=1.0, end_s=2.5, duration_s=9.0)) == [5, 6]


def test_start_beyond_the_end_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", times_s=TIMES_S)
    with pytest.raises(SourceOpenError, match=r"start \(20 s\) is beyond the end: the last frame is at 9.50 s"):
        _frames(clip, start_s=20.0)


@BOTH
def test_stride_takes_every_nth_and_counts_what_it_takes(tmp_path: Path, decoder: OpenLimited) -> None:
    source = FileSource(
        str(write_clip(tmp_path / "clip.mp4", frames=10, fps=10)),
        options=SourceOptions(stride=4),
        open_decoder=decoder,
    )
    assert source.info.frame_count == 3
    assert source.info.fps == 2.5
    frames = list(source.frames())
    assert _numbers(frames) == [0, 4, 8]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.pts_s for frame in frames] == pytest.approx([0.0, 0.4, 0.8])
    assert source.produced == 3


@BOTH
def test_a_loop_goes_on_and_so_does_its_time(tmp_path: Path, decoder: OpenLimited) -> None:
    source = FileSource(
        str(write_clip(tmp_path / "clip.mp4", frames=10, fps=10)),
        options=SourceOptions(loop=True, start_s=0.2, end_s=0.5),
        open_decoder=decoder,
    )
    reading = source.frames()
    frames = [next(reading) for _ in range(8)]
    source.close()
    assert list(reading) == []
    assert _numbers(frames) == [2, 3, 4, 2, 3, 4, 2, 3]
    assert [frame.pts_s for frame in frames] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert [frame.index for frame in frames] == list(range(8))
    assert source.info.frame_count is None


def test_realtime_is_live_and_keeps_the_time_of_the_file(tmp_path: Path) -> None:
    clock = FakeClock()
    clip = write_clip(tmp_path / "clip.mp4", times_s=TIMES_S)
    source = FileSource(str(clip), options=SourceOptions(realtime=True, start_s=1.0), clock=clock)
    clock.advance(60)
    assert source.live
    frames = list(source.frames())
    since_first_s = [(frame.captured_ns - frames[0].captured_ns) / NS_PER_S for frame in frames]
    assert since_first_s == pytest.approx([time_s - 1.0 for time_s in TIMES_S[5:]], abs=0.002)


def test_close_ends_the_wait_for_a_frame_that_is_not_due(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", times_s=[0.0, 3600.0])
    source = FileSource(str(clip), options=SourceOptions(realtime=True))
    reading = source.frames()
    next(reading)
    closer = threading.Timer(0.05, source.close)
    closer.start()
    assert list(reading) == []
    closer.join()


@BOTH
@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_turned_video_stands_upright(tmp_path: Path, decoder: OpenLimited, rotation: int) -> None:
    if rotation and not hasattr(av.VideoStream, "set_display_rotation"):
        pytest.skip("this PyAV cannot write a turned video")
    (frame, *_) = _frames(write_clip(tmp_path / "clip.mp4", rotation=rotation), decoder)
    stored = numbered_image(0)
    turns: dict[int, Image] = {0: stored, 180: np.rot90(stored, 2), 90: np.rot90(stored, 1), -90: np.rot90(stored, -1)}
    expected = turns[rotation]
    assert frame.image.shape == expected.shape
    assert np.abs(frame.image.astype(int) - expected).mean() < 4


def test_what_opencv_cannot_decode_is_decoded_by_pyav(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    source = FileSource(str(write_clip(tmp_path / "clip.mkv", codec="libsvtav1")))
    if source.info.decoder == "OpenCV":
        pytest.skip("this OpenCV decodes AV1")
    assert _numbers(list(source.frames())) == list(range(12))
    assert source.info.decoder == "PyAV (OpenCV cannot decode av1)"
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/clip.mkv: decoded by PyAV (OpenCV cannot decode av1)"
    ]


def test_another_size_in_mid_stream_begins_an_epoch_where_it_can_be_seen(tmp_path: Path) -> None:
    small, large = write_clip(tmp_path / "a.ts"), write_clip(tmp_path / "b.ts", size_px=(128, 96))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    frames = _frames(both, open_pyav)
    assert {(frame.size_px, frame.epoch) for frame in frames} == {((64, 48), 0), ((128, 96), 1)}
    assert {frame.size_px for frame in _frames(both)} == {(64, 48)}
    times_s = [frame.pts_s or 0.0 for frame in frames]
    assert all(after > before for before, after in pairwise(times_s))


def test_what_is_known_is_told(tmp_path: Path) -> None:
    source = FileSource(str(write_clip(tmp_path / "clip.mp4", frames=20, fps=10)), options=SourceOptions(start_s=0.5))
    info = source.info
    source.close()
    assert (info.name, info.size_px, info.fps, info.frame_count) == ("clip.mp4", (64, 48), 10.0, 15)
    assert info.duration_s == pytest.approx(1.5)
    assert not source.live


def test_a_header_that_cannot_be_believed_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    real = cv2.VideoCapture

    class Lying:
        def __init__(self, *arguments: object) -> None:
            self._real = real(*arguments)

        def get(self, prop: int) -> float:
            lies = {cv2.CAP_PROP_FPS: fps, cv2.CAP_PROP_FRAME_COUNT: -9e15, cv2.CAP_PROP_POS_MSEC: float("nan")}
            return lies.get(prop, self._real.get(prop))

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    monkeypatch.setattr(cv2, "VideoCapture", Lying)
    for fps in (0.0, 1000.0, float("nan"), -1.0, 50.0):
        source = FileSource(str(clip))
        assert source.info.fps == (50.0 if fps == 50.0 else None)
        assert source.info.frame_count is None
        step_s = 1 / 50 if fps == 50.0 else 1 / 25
        assert [frame.pts_s for frame in source.frames()] == pytest.approx([step_s * number for number in range(12)])


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    clip, pipe = write_clip(tmp_path / "clip.ts"), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(clip.read_bytes()))
    writer.start()
    source = FileSource(str(pipe), options=SourceOptions(start_s=0.3))
    frames = list(source.frames())
    writer.join()
    assert not source.live
    assert _numbers(frames) == list(range(3, 12))


def test_a_pipe_cannot_loop(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceOpenError, match="cannot loop"):
        FileSource(str(tmp_path / "pipe"), options=SourceOptions(loop=True))


def test_a_name_that_ffmpeg_would_take_for_a_protocol_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "clip.mp4").rename(tmp_path / "concat:clip.mp4")
    for decoder in (open_decoder, open_pyav):
        assert len(_frames(Path("concat:clip.mp4"), decoder)) == 12
