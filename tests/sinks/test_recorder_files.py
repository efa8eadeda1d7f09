"""Where a recording lies while it grows and afterwards, and what becomes of it on a full disk."""

import errno
import logging
import math
import os
from pathlib import Path

import pytest

from streamer.errors import ConfigError, SinkError, SinkOpenError
from streamer.labels import Labels
from streamer.pyav import av
from streamer.sinks import encoders
from streamer.sinks import recorder as recorder_module
from streamer.sinks.conditions import Condition, Happening
from streamer.sinks.containers import CONTAINERS, container_of
from streamer.sinks.options import Codec, VideoOptions
from streamer.sinks.original import Chapter
from streamer.sinks.outfile import OutFile
from streamer.sinks.recorder import Recorder
from streamer.sinks.video_file import joined
from tests.sinks.scenes import decoded, grey, result, results
from tests.sinks.test_conditions import seen


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestPart:
    def test_it_has_its_name_once_it_is_whole(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4", fps=10)
        assert names(tmp_path) == ["out.part.mp4"]
        for one in results(15):
            recorder.write(one)
        assert names(tmp_path) == ["out.part.mp4"]
        assert recorder.recorded_files == (tmp_path / "out.part.mp4",)
        recorder.close()
        assert names(tmp_path) == ["out.mp4"]
        assert recorder.recorded_files == (tmp_path / "out.mp4",)

    def test_without_a_frame_nothing_is_left(self, tmp_path: Path) -> None:
        Recorder(tmp_path / "out.mp4").close()
        assert names(tmp_path) == []

    def test_what_was_there_stays_until_the_new_one_is_whole(self, tmp_path: Path) -> None:
        (tmp_path / "out.mp4").write_text("mine")
        recorder = Recorder(tmp_path / "out.mp4", fps=10, force=True)
        for one in results(15):
            recorder.write(one)
        assert (tmp_path / "out.mp4").read_text() == "mine"
        recorder.close()
        assert names(tmp_path) == ["out.mp4"]
        assert len(decoded(tmp_path / "out.mp4")) == 15

    def test_with_force_a_link_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "disk" / "real.mp4").write_text("mine")
        (tmp_path / "out.mp4").symlink_to(tmp_path / "disk" / "real.mp4")
        recorder = Recorder(tmp_path / "out.mp4", fps=10, force=True)
        for one in results(5):
            recorder.write(one)
        recorder.close()
        assert (tmp_path / "out.mp4").is_symlink()
        assert len(decoded(tmp_path / "disk" / "real.mp4")) == 5

    def test_a_name_that_was_taken_meanwhile_is_left_to_its_owner(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4", fps=10)
        recorder.write(result(grey(1), pts_s=0.0))
        (tmp_path / "out.mp4").write_text("another's")
        recorder.close()
        assert (tmp_path / "out.mp4").read_text() == "another's"
        assert recorder.recorded_files == (tmp_path / "out-002.mp4",)
        assert len(decoded(tmp_path / "out-002.mp4")) == 1

    def test_where_there_are_no_links_it_gets_its_name_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
        recorder = Recorder(tmp_path / "out.mp4", fps=10)
        recorder.write(result(grey(1), pts_s=0.0))
        recorder.close()
        assert names(tmp_path) == ["out.mp4"]

    def test_what_a_killed_run_left_is_told_and_left_alone(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "out.part.mp4").write_text("the last hour")
        recorder = Recorder(tmp_path / "out.mp4", fps=10)
        recorder.write(result(grey(1), pts_s=0.0))
        recorder.close()
        assert names(tmp_path) == ["out.mp4", "out.part.mp4"]
        assert (tmp_path / "out.part.mp4").read_text() == "the last hour"
        assert "left of a run that did not end" in caplog.text


class TestFullDisk:
    @pytest.fixture
    def room(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """Whether there is room: the only entry, to be changed."""
        there = [True]

        class Disk(OutFile):
            def _put(self, offset: int, data: bytes) -> None:
                if not there[0]:
                    self.freeze()
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                super()._put(offset, data)

        monkeypatch.setattr(recorder_module, "OutFile", Disk)
        return there

    def record(self, path: Path, room: list[bool], *, live: bool, full: range) -> Recorder:
        recorder = Recorder(path, fps=10, live=live, room_bytes=lambda _: 10**12 if room[0] else 0)
        for index in range(120):
            room[0] = index not in full
            one = result(grey(index), index, pts_s=index / 10)
            object.__setattr__(one.frame, "captured_ns", index * 100_000_000)
            recorder.write(one)
        return recorder

    @pytest.mark.allow_error_logs
    def test_what_is_live_goes_on_when_there_is_room(
        self, tmp_path: Path, room: list[bool], caplog: pytest.LogCaptureFixture
    ) -> None:
        recorder = self.record(tmp_path / "out.mp4", room, live=True, full=range(40, 70))
        with pytest.raises(SinkError, match=r"\d+ frames are not recorded: the disk was full") as raised:
            recorder.close()
        first, second = recorder.recorded_files
        assert names(tmp_path) == ["out-002.mp4", "out.mp4"]
        assert 30 <= len(decoded(first)) <= 40
        assert 40 <= len(decoded(second)) <= 50
        assert 0 <= recorder.written - len(decoded(first)) - len(decoded(second)) <= 2  # a fragment that did not fit
        missed = int(str(raised.value).split(": ")[1].split()[0])
        assert 120 - 10 <= missed + recorder.written <= 120
        assert caplog.text.count("it goes on when there is room") == 1
        assert caplog.text.count("there is room again") == 1
        recorder.close()  # it was told

    def test_a_file_ends_there(self, tmp_path: Path, room: list[bool]) -> None:
        with pytest.raises(SinkError, match="the disk is full"):
            self.record(tmp_path / "out.mp4", room, live=False, full=range(40, 70))
        assert 30 <= len(decoded(tmp_path / "out.mp4")) <= 40

    @pytest.mark.allow_error_logs
    def test_it_may_be_full_to_the_end(self, tmp_path: Path, room: list[bool]) -> None:
        recorder = self.record(tmp_path / "out.mp4", room, live=True, full=range(40, 1000))
        with pytest.raises(SinkError, match="frames are not recorded"):
            recorder.close()
        assert names(tmp_path) == ["out.mp4"]


class TestForms:
    @pytest.mark.parametrize(
        ("ending", "codec"), [(ending, codec) for ending, one in CONTAINERS.items() for codec in one.codecs]
    )
    def test_every_container_holds_what_it_says(self, tmp_path: Path, ending: str, codec: Codec) -> None:
        path = tmp_path / f"out{ending}"
        recorder = Recorder(path, fps=10, video=VideoOptions(codec=codec, preset="ultrafast", encoder="software"))
        for one in results(25):
            recorder.write(one)
        recorder.close()
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.codec.canonical_name == codec
        frames = decoded(path)
        assert len(frames) == recorder.written == 25
        times = [(frame.time or 0.0) - (frames[0].time or 0.0) for frame in frames]
        assert times == pytest.approx([n / 10 for n in range(25)], abs=6e-4)
        assert sum(frame.key_frame for frame in frames) >= 3

    @pytest.mark.parametrize(("name", "codec"), [("a.webm", "h264"), ("a.ts", "av1"), ("a.mov", "vp9")])
    def test_what_a_container_does_not_hold_is_refused_with_one_that_does(self, name: str, codec: Codec) -> None:
        with pytest.raises(ConfigError, match=rf"holds no {codec} .*goes into \.m"):
            container_of(Path(name), codec)

    def test_a_quality_beyond_the_scale_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="60 is more than 51"):
            Recorder(tmp_path / "a.mp4", video=VideoOptions(crf=60))
        Recorder(tmp_path / "a.webm", video=VideoOptions(crf=60)).close()

    def test_a_bitrate_is_kept_to(self, tmp_path: Path) -> None:
        sizes = {}
        for bitrate in (100_000, 800_000):
            path = tmp_path / f"{bitrate}.mp4"
            recorder = Recorder(path, fps=10, video=VideoOptions(bitrate=bitrate))
            for one in results(60, scene="noisy"):
                recorder.write(one)
            recorder.close()
            sizes[bitrate] = path.stat().st_size * 8 / 6
        assert sizes[100_000] < 250_000
        assert 500_000 < sizes[800_000] < 1_200_000

    def test_it_says_what_made_it(self, tmp_path: Path) -> None:
        recorder = Recorder(tmp_path / "out.mp4", fps=10, video=VideoOptions(note="made here"))
        recorder.write(result(grey(1), pts_s=0.0))
        recorder.close()
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert container.metadata["comment"] == "made here"

    def test_a_chapter_begins_with_each_event(self, tmp_path: Path) -> None:
        person = Happening(Condition("person", Labels({1: "person"})), gap_s=0.5)
        recorder = Recorder(tmp_path / "out.mp4", fps=10, chapters_when=person)
        for index in range(60):
            one = result(grey(index), index, pts_s=index / 10)
            object.__setattr__(one, "detections", seen((1, 0.9)) if index in {20, 21, 40} else seen())
            recorder.write(one)
        recorder.close()
        with av.open(str(tmp_path / "out.mp4")) as container:
            found = [
                (one["metadata"].get("title", ""), float(one["start"] * (one["time_base"] or 0)))
                for one in container.chapters()
            ]
        assert found == [("", 0.0), ("person", 2.0), ("person", 4.0)]

    def test_chapters_and_events_are_joined_in_the_order_of_time(self) -> None:
        chapters = [Chapter(0, 4, "one"), Chapter(4, 6, "two")]
        marks = [Chapter(1, math.inf, "dog"), Chapter(4, math.inf, "cat"), Chapter(7, math.inf, "late")]
        assert joined(chapters, marks, end_s=6.5) == [
            Chapter(0, 1, "one"),
            Chapter(1, 4, "dog"),
            Chapter(4, 6.5, "cat"),
        ]
        assert joined([], [Chapter(3, math.inf, "dog")], end_s=5) == [Chapter(0, 3, ""), Chapter(3, 5, "dog")]
        assert joined([Chapter(-2, 1, "begun")], [], end_s=5) == [Chapter(0, 1, "begun")]


class TestEncoders:
    def test_hardware_that_does_not_open_is_replaced_and_that_is_told(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(encoders, "trial", lambda _: "no such device")
        assert encoders.choose_encoder("h264", "nvenc") == "libx264"
        assert "h264_nvenc does not open here (no such device): libx264 is used" in caplog.text
        assert encoders.choose_encoder("mjpeg", "qsv") == "mjpeg"
        assert "qsv makes no mjpeg" in caplog.text

    def test_hardware_that_opens_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(encoders, "trial", lambda name: None if name == "h264_qsv" else "no")
        assert encoders.choose_encoder("h264") == "h264_qsv"
        assert encoders.choose_encoder("h264", "software") == "libx264"
        assert encoders.choose_encoder("h264", "nvenc") == "libx264"

    def test_a_trial_says_why(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        assert encoders.trial("libx264") is None
        assert encoders.trial("libnope") == "not in this PyAV"

    def test_none_at_all_is_an_error_of_the_output(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(encoders, "ENCODERS", {"h264": ("libnope",)})
        with pytest.raises(SinkOpenError, match="no libnope encoder"):
            encoders.choose_encoder("h264")
