"""The recording is true: every frame, its time, its colours, and a file that plays."""

import json
import logging
import shutil
import subprocess
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.errors import InternalError, SinkError, SinkOpenError
from streamer.frame import Detections, Frame, Result
from streamer.pyav import av
from streamer.sinks.encoders import require_encoder
from streamer.sinks.recorder import Recorder
from streamer.sinks.video_file import VideoFile
from tests.sinks.scenes import boxes, decoded, grey, picture, result, results

BARS_BGR = ((255, 255, 255), (0, 255, 255), (255, 255, 0), (0, 255, 0), (255, 0, 255), (0, 0, 255), (255, 0, 0))


def record(path: Path, *written: Result, fps: float | None = None) -> Recorder:
    recorder = Recorder(path, fps=fps)
    for one in written:
        recorder.write(one)
    recorder.close()
    return recorder


def ffprobe(path: Path) -> dict[str, Any]:
    if shutil.which("ffprobe") is None:
        pytest.skip("needs ffprobe")
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert not done.stderr
    stream = json.loads(done.stdout)["streams"][0]
    assert isinstance(stream, dict)
    return stream


class TestFile:
    def test_a_closed_recording_is_an_ordinary_h264_mp4(self, tmp_path: Path) -> None:
        record(tmp_path / "out.mp4", *results(30), fps=10)
        assert [box for box in boxes(tmp_path / "out.mp4") if box != "free"] == ["ftyp", "mdat", "moov"]
        stream = ffprobe(tmp_path / "out.mp4")
        assert stream["codec_name"] == "h264"
        assert stream["pix_fmt"] == "yuv420p"
        assert stream["has_b_frames"] == 0

    def test_every_frame_is_there_in_order(self, tmp_path: Path) -> None:
        recorder = record(tmp_path / "out.mp4", *(result(grey(2 * i), i, pts_s=i / 30) for i in range(100)), fps=30)
        values = [int(frame.to_ndarray(format="gray").mean()) for frame in decoded(tmp_path / "out.mp4")]
        assert len(values) == recorder.written == 100
        assert all(np.diff(values) > 0)

    @pytest.mark.parametrize("size_px", [(1, 1), (1, 2), (3, 3), (161, 121), (160, 121)])
    def test_odd_sizes_are_padded_by_their_edge(self, tmp_path: Path, size_px: tuple[int, int]) -> None:
        image = grey(40, size_px=size_px)
        image[-1, :], image[:, -1] = 200, 200
        record(tmp_path / "out.mp4", result(image, pts_s=0.0))
        (frame,) = decoded(tmp_path / "out.mp4")
        assert (frame.width, frame.height) == (size_px[0] + size_px[0] % 2, size_px[1] + size_px[1] % 2)
        assert abs(int(frame.to_ndarray(format="bgr24")[-1, -1, 0]) - 200) <= 8

    def test_a_player_can_enter_every_second(self, tmp_path: Path) -> None:
        record(tmp_path / "out.mp4", *results(60, fps=12), fps=12)
        keys = [frame.time for frame in decoded(tmp_path / "out.mp4") if frame.key_frame]
        assert keys == pytest.approx([0, 1, 2, 3, 4])

    @pytest.mark.parametrize("size_px", [(320, 240), (321, 241), (1280, 720)])
    def test_colours_come_back_as_they_were(self, tmp_path: Path, size_px: tuple[int, int]) -> None:
        width, height = size_px
        image = grey(0, size_px=size_px)
        step = width // len(BARS_BGR)
        for number, colour in enumerate(BARS_BGR):
            image[:, number * step : (number + 1) * step] = colour
        record(tmp_path / "out.mp4", *(result(image.copy(), i, pts_s=i / 25) for i in range(3)))
        frame = decoded(tmp_path / "out.mp4")[-1]
        matrix = {1: "ITU709", 6: "ITU601"}[int(frame.colorspace)]
        rgb = frame.reformat(format="bgr24", src_colorspace=matrix, dst_colorspace="ITU601")
        seen = rgb.to_ndarray()
        for number, colour in enumerate(BARS_BGR):
            middle = seen[height // 2, number * step + step // 2].astype(int)
            assert np.abs(middle - colour).max() <= 6, (colour, middle)

    @pytest.mark.parametrize(("lines", "matrix"), [(718, "smpte170m"), (720, "bt709")])
    def test_the_file_says_how_its_colours_are_meant(self, tmp_path: Path, lines: int, matrix: str) -> None:
        record(tmp_path / "out.mp4", result(grey(0, size_px=(64, lines)), pts_s=0.0))
        stream = ffprobe(tmp_path / "out.mp4")
        assert stream["color_range"] == "tv"
        assert {stream["color_space"], stream["color_transfer"], stream["color_primaries"]} == {matrix}


class TestTime:
    @pytest.mark.parametrize("fps", ["10", "25", "30", "30000/1001", "24000/1001", "60000/1001", "25/2", "240"])
    def test_rate_and_duration_are_exact(self, tmp_path: Path, fps: str) -> None:
        rate = Fraction(fps)
        record(tmp_path / "out.mp4", *results(50, fps=float(rate)), fps=float(rate))
        stream = ffprobe(tmp_path / "out.mp4")
        assert Fraction(stream["avg_frame_rate"]) == rate
        assert Fraction(stream["r_frame_rate"]) == rate
        assert float(stream["duration"]) == pytest.approx(50 / rate, abs=1e-4)

    def test_a_variable_rate_is_kept_and_the_last_frame_lasts_as_long_as_the_one_before(self, tmp_path: Path) -> None:
        times_s = [0.0, 0.033, 0.1, 0.35, 0.36, 2.5, 2.9]
        record(tmp_path / "out.mp4", *(result(picture("quiet", i), i, pts_s=t) for i, t in enumerate(times_s)), fps=30)
        assert [frame.time for frame in decoded(tmp_path / "out.mp4")] == pytest.approx(times_s, abs=1e-5)
        assert float(ffprobe(tmp_path / "out.mp4")["duration"]) == pytest.approx(3.3, abs=1e-4)

    def test_time_counts_from_the_first_recorded_frame(self, tmp_path: Path) -> None:
        record(tmp_path / "out.mp4", *(result(picture("quiet", i), i, pts_s=100 + i / 10) for i in range(5)))
        assert [frame.time for frame in decoded(tmp_path / "out.mp4")] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])

    def test_frames_without_a_time_come_at_the_rate_of_the_source_and_a_gap_stays_a_gap(self, tmp_path: Path) -> None:
        record(tmp_path / "out.mp4", *(result(picture("quiet", i), i) for i in (4, 5, 8)), fps=5)
        assert [frame.time for frame in decoded(tmp_path / "out.mp4")] == pytest.approx([0, 0.2, 0.8])

    @pytest.mark.parametrize("fps", [None, 0.0, -1.0, float("nan"), float("inf")])
    def test_without_a_believable_rate_it_is_25(self, tmp_path: Path, fps: float | None) -> None:
        record(tmp_path / "out.mp4", result(grey(0), 0), result(grey(0), 1), fps=fps)
        assert float(ffprobe(tmp_path / "out.mp4")["duration"]) == pytest.approx(2 / 25)

    def test_times_that_stand_still_or_go_back_lose_no_frame(self, tmp_path: Path) -> None:
        times_s = [0.0, 0.1, 0.1, 0.05, 0.2]
        record(tmp_path / "out.mp4", *(result(picture("quiet", i), i, pts_s=t) for i, t in enumerate(times_s)))
        seen = [frame.time for frame in decoded(tmp_path / "out.mp4")]
        assert seen == pytest.approx([*times_s[:2], 0.1, 0.1, 0.2], abs=1e-3)


class TestSegments:
    def test_another_size_or_epoch_begins_another_file_and_loses_no_frame(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        written = [result(grey(0), i, pts_s=i / 10) for i in range(5)]
        written += [result(grey(0, size_px=(64, 48)), i, pts_s=i / 10) for i in range(5, 12)]
        written += [result(grey(0, size_px=(64, 48)), i, pts_s=i / 10, epoch=1) for i in range(12, 15)]
        recorder = record(tmp_path / "out.mp4", *written)
        names = ["out.mp4", "out-002.mp4", "out-003.mp4"]
        assert recorder.recorded_files == tuple(tmp_path / name for name in names)
        assert [len(decoded(tmp_path / name)) for name in names] == [5, 7, 3]
        assert recorder.written == 15
        assert all(decoded(tmp_path / name)[0].time == 0 for name in names)
        assert "out-002.mp4" in caplog.text

    def test_a_segment_never_replaces_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "out-002.mp4").write_text("mine")
        recorder = record(tmp_path / "out.mp4", result(grey(0), 0), result(grey(0), 1, epoch=1))
        assert recorder.recorded_files == (tmp_path / "out.mp4", tmp_path / "out-003.mp4")
        assert (tmp_path / "out-002.mp4").read_text() == "mine"


class TestSwitch:
    def test_off_records_nothing_and_makes_no_file(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4", active=False)
        assert not recorder.recording
        recorder.write(result(grey(0)))
        recorder.close()
        assert recorder.written == 0
        assert list(tmp_path.iterdir()) == []

    def test_off_still_tries_the_place(self, tmp_path: Path) -> None:
        with pytest.raises(SinkOpenError, match="folder does not exist"):
            Recorder(tmp_path / "missing" / "out.mp4", active=False)

    def test_off_finishes_the_file_and_on_begins_the_next(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4", fps=10)
        for one in results(30):
            if one.frame.index in (10, 20):
                recorder.toggle()
            recorder.write(one)
            if one.frame.index == 15:
                assert not recorder.recording
                assert len(decoded(tmp_path / "out.mp4")) == 10
                assert "moov" in boxes(tmp_path / "out.mp4")
        recorder.close()
        assert not recorder.recording
        assert [len(decoded(path)) for path in recorder.recorded_files] == [10, 10]
        assert recorder.written == 20

    def test_each_file_is_named_when_it_begins(self, tmp_path: Path) -> None:
        names = iter(["first.mp4", "second.mp4"])
        recorder = Recorder(tmp_path / "out.mp4", fps=10, active=False, name_next=lambda: tmp_path / next(names))
        for index in range(4):
            recorder.toggle()
            recorder.write(result(grey(0), index))
        recorder.close()
        assert [path.name for path in recorder.recorded_files] == ["first.mp4", "second.mp4"]
        assert set(tmp_path.iterdir()) == set(recorder.recorded_files)

    def test_what_is_written_never_goes_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        recorder, seen = Recorder(tmp_path / "out.mp4", fps=10), list[int]()
        finish = VideoFile.close

        def watched(file: VideoFile, **how: Any) -> None:
            seen.append(recorder.written)
            finish(file, **how)
            seen.append(recorder.written)

        monkeypatch.setattr(VideoFile, "close", watched)
        for one in results(30):
            if one.frame.index in (10, 20):
                recorder.toggle()
            recorder.write(one)
        recorder.close()
        seen.append(recorder.written)
        assert seen == sorted(seen)
        assert seen[0] > 0
        assert seen[-1] == 20

    def test_what_came_while_it_was_off_is_not_recorded_however_late_it_is_read(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4", fps=10)
        recorder.toggle()
        recorder.toggle()  # before the sink read what came meanwhile, which nobody has drawn
        for index in range(30):
            one = result(grey(index), index, pts_s=index / 10)
            recorder.write(one if not 10 <= index < 20 else replace(one, image=None))
        recorder.close()
        assert [len(decoded(path)) for path in recorder.recorded_files] == [10, 10]

    def test_a_gap_of_hours_begins_a_new_file(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4", fps=10)
        for index, time_s in enumerate((0.0, 0.1, 36_000.0, 36_000.1, 5.0, 5.1)):
            recorder.write(result(grey(index), index, pts_s=time_s))
        recorder.close()
        assert [len(decoded(path)) for path in recorder.recorded_files] == [2, 2, 2]

    def test_it_can_be_switched_while_another_thread_writes(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4", fps=100)

        def write() -> None:
            for one in results(300, fps=100):
                recorder.write(one)

        writer = threading.Thread(target=write)
        writer.start()
        switched = 0
        while writer.is_alive() and switched < 41:
            recorder.toggle()
            switched += 1
            writer.join(0.002)
        writer.join()
        recorder.close()
        assert sum(len(decoded(path)) for path in recorder.recorded_files) == recorder.written


class TestRefusal:
    def test_without_the_encoder_it_says_what_is_missing(self) -> None:
        with pytest.raises(SinkOpenError, match="no libnope encoder") as raised:
            require_encoder("libnope")
        assert raised.value.exit_code == 5
        assert "pip install" in str(raised.value)

    def test_a_recorder_does_not_open_without_its_encoder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streamer.sinks.encoders.ENCODERS", {"h264": ("libnope",)})
        with pytest.raises(SinkOpenError, match="no libnope encoder"):
            Recorder(tmp_path / "out.mp4")
        assert list(tmp_path.iterdir()) == []

    def test_a_size_that_the_encoder_refuses_is_an_error_and_leaves_no_file(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4")
        with pytest.raises(SinkError, match=r"out\.mp4"):
            recorder.write(result(grey(0, size_px=(20000, 2))))
        recorder.close()
        assert recorder.written == 0
        assert list(tmp_path.iterdir()) == []

    def test_a_frame_that_nobody_has_drawn_is_a_bug(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4")
        with pytest.raises(InternalError):
            recorder.write(Result(Frame(grey(0), 0, 0), Detections.empty()))
        recorder.close()

    def test_force_keeps_the_old_file_until_a_frame_comes(self, tmp_path: Path) -> None:
        (tmp_path / "out.mp4").write_text("old")
        Recorder(tmp_path / "out.mp4", force=True).close()
        assert (tmp_path / "out.mp4").read_text() == "old"
        recorder = Recorder(tmp_path / "out.mp4", force=True)
        recorder.write(result(grey(0)))
        recorder.close()
        assert len(decoded(tmp_path / "out.mp4")) == 1

    def test_little_room_is_worth_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("streamer.sinks.recorder.LITTLE_ROOM_BYTES", 1 << 62)
        record(tmp_path / "out.mp4", result(grey(0)))
        assert caplog.text.count("MB are free") == 1


def test_the_pyav_in_use_writes_files_that_end_as_ordinary_ones() -> None:
    assert av.library_versions["libavformat"] >= (61, 7), "recordings would stay fragmented"
