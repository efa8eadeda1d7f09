"""Parts of a long recording: when they begin, what they are called, and which of them stay."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from streamer.frame import Frame
from streamer.sinks.options import Keep
from streamer.sinks.recorder import Recorder
from streamer.sinks.segments import Schedule, captured_at, prune, stamped
from tests.sinks.scenes import decoded, grey, results

NS = 1_000_000_000


def frame(at_s: float) -> Frame:
    return Frame(grey(0), 0, captured_ns=round(at_s * NS))


class Wall:
    """A wall clock and a monotonic one, which go together until somebody sets the first."""

    def __init__(self, now: datetime) -> None:
        self.wall, self.monotonic_s = now, 1000.0

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic_s += seconds

    def schedule(self, length_s: float) -> Schedule:
        return Schedule(length_s, live=True, now=lambda: self.wall, monotonic_ns=lambda: round(self.monotonic_s * NS))


@pytest.mark.parametrize(
    ("begins", "length_s", "left_s"),
    [("10:04:30", 600, 330), ("10:00:00", 600, 600), ("23:59:50", 3600, 10), ("00:00:01", 86_400, 86_399)],
)
def test_live_parts_end_with_the_clock(begins: str, length_s: float, left_s: float) -> None:
    wall = Wall(datetime.fromisoformat(f"2026-03-05T{begins}"))
    schedule = wall.schedule(length_s)
    schedule.begin(frame(1000.0), 0.0)
    assert not schedule.over(frame(1000.0 + left_s - 0.01), 0.0)
    assert schedule.over(frame(1000.0 + left_s), 0.0)


def test_a_frame_that_waited_belongs_to_the_time_at_which_it_was_captured() -> None:
    wall = Wall(datetime(2026, 3, 5, 10, 0, 1))
    schedule = wall.schedule(600)
    schedule.begin(frame(996.5), 0.0)  # captured at 09:59:57.5
    assert schedule.over(frame(999.0), 0.0)


def test_a_clock_that_is_set_moves_the_next_part_and_not_this_one() -> None:
    wall = Wall(datetime(2026, 3, 5, 10, 0))
    schedule = wall.schedule(600)
    schedule.begin(frame(1000.0), 0.0)
    wall.wall += timedelta(hours=1, minutes=3)
    wall.advance(599)
    assert not schedule.over(frame(1599.0), 0.0)
    wall.advance(1)
    assert schedule.over(frame(1600.0), 0.0)
    schedule.begin(frame(1600.0), 0.0)  # it is 11:13 now
    assert schedule.over(frame(1600.0 + 7 * 60), 0.0)


def test_parts_of_a_file_are_of_equal_length() -> None:
    schedule = Schedule(10.0, live=False)
    schedule.begin(frame(0), 3.0)
    assert [schedule.over(frame(0), time_s) for time_s in (3.0, 9.99, 10.0)] == [False, False, True]
    schedule.begin(frame(0), 10.0)
    assert [schedule.over(frame(0), time_s) for time_s in (19.99, 20.0)] == [False, True]


def test_a_clock_that_is_set_back_a_little_makes_no_tiny_part() -> None:
    wall = Wall(datetime(2026, 3, 5, 10, 9, 59, 980_000))
    schedule = wall.schedule(600)
    schedule.begin(frame(1000.0), 0.0)
    assert not schedule.over(frame(1600.0), 0.0)
    assert schedule.over(frame(1600.1), 0.0)


def test_equal_parts_are_equal_however_the_length_is_written() -> None:
    schedule = Schedule(0.1, live=False)
    lengths, length = [], 0
    schedule.begin(frame(0), 0.0)
    for index in range(50):
        if schedule.over(frame(0), index / 50):
            lengths.append(length)
            length = 0
            schedule.begin(frame(0), index / 50)
        length += 1
    assert set(lengths) == {5}


def test_the_time_of_capture_is_told_by_the_wall() -> None:
    at = captured_at(frame(10.0), lambda: datetime(2026, 1, 1, 12), lambda: 12 * NS)
    assert at == datetime(2026, 1, 1, 11, 59, 58)
    assert stamped(Path("a/cam.mp4"), at) == Path("a/cam-20260101T115958.mp4")


def test_no_frame_is_lost_or_doubled_between_parts(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out.mp4", fps=10, segment_s=1.5)
    for one in results(40):
        recorder.write(one)
    recorder.close()
    assert [len(decoded(path)) for path in recorder.recorded_files] == [15, 15, 10]
    assert recorder.written == 40
    for path in recorder.recorded_files:
        first, *_ = decoded(path)
        assert first.key_frame
        assert first.time == 0


def test_live_parts_are_called_after_their_time(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "cam.mp4", fps=10, live=True, segment_s=3600)
    for one in results(5):
        recorder.write(one)
    recorder.close()
    (path,) = recorder.recorded_files
    assert datetime.strptime(path.stem, "cam-%Y%m%dT%H%M%S")
    assert list(tmp_path.iterdir()) == [path]


class TestKeeping:
    def files(self, folder: Path) -> list[str]:
        return sorted(path.name for path in folder.iterdir())

    def write(self, folder: Path, name: str, size: int = 100, *, age_s: float = 0.0, now_s: float = 1e9) -> None:
        (folder / name).write_bytes(b"x" * size)
        os.utime(folder / name, (now_s - age_s, now_s - age_s))

    def test_the_oldest_go_first_and_what_belongs_to_them(self, tmp_path: Path) -> None:
        for hour in range(5):
            self.write(tmp_path, f"cam-20260101T{hour:02d}0000.mp4", age_s=3600 * (5 - hour))
        self.write(tmp_path, "cam-20260101T000000.json", 1)
        self.write(tmp_path, "cam-20260101T000000.jpg", 1)
        prune(Keep(bytes=250), tmp_path / "cam.mp4", beside=(".json", ".jpg"))
        assert self.files(tmp_path) == ["cam-20260101T030000.mp4", "cam-20260101T040000.mp4"]

    def test_what_is_too_old_goes(self, tmp_path: Path) -> None:
        for days in range(5):
            self.write(tmp_path, f"cam-2026010{days}T000000.mp4", age_s=86_400 * (5 - days))
        prune(Keep(seconds=2.5 * 86_400), tmp_path / "cam.mp4", now=lambda: 1e9)
        assert self.files(tmp_path) == ["cam-20260103T000000.mp4", "cam-20260104T000000.mp4"]

    def test_row_53_a_clock_that_is_set_back_does_not_make_new_parts_the_oldest(self, tmp_path: Path) -> None:
        made = {}
        for hour in range(3):
            self.write(tmp_path, f"cam-20260101T{hour:02d}0000.mp4", age_s=60 * (3 - hour))
        for minute, since_ns in ((1, 200), (2, 100)):  # an hour back, by the wall
            self.write(tmp_path, f"cam-20251231T230{minute}00.mp4", age_s=3600 - minute)
            made[tmp_path / f"cam-20251231T230{minute}00.mp4"] = 1000 - since_ns
        prune(Keep(bytes=250), tmp_path / "cam.mp4", made=made, monotonic_ns=lambda: 1000)
        assert self.files(tmp_path) == ["cam-20251231T230100.mp4", "cam-20251231T230200.mp4"]

    def test_row_53_a_clock_that_is_set_forward_does_not_make_parts_of_this_run_old(self, tmp_path: Path) -> None:
        parts = [tmp_path / f"cam-20260101T00{minute:02d}00.mp4" for minute in range(3)]
        for part in parts:
            self.write(tmp_path, part.name, age_s=3600)
        made = dict.fromkeys(parts, 0)
        prune(Keep(seconds=600), tmp_path / "cam.mp4", made=made, now=lambda: 1e9, monotonic_ns=lambda: 60 * 10**9)
        assert self.files(tmp_path) == [part.name for part in parts]

    def test_nothing_else_is_touched(self, tmp_path: Path) -> None:
        others = [
            "cam.mp4",
            "cam-20260101-000000.mp4",
            "cam-20260101T000000.json",
            "cam-002.mp4",
            "cam-20260101T000000.mkv",
            "camera-20260101T000000.mp4",
            "cam-door-20260101T000000.mp4",
            "holiday-20260101T000000.mp4",
            "cam-20260101T000000-final.mp4",
        ]
        for name in others:
            self.write(tmp_path, name, 10_000, age_s=1e8)
        for number in (2, 3):
            self.write(tmp_path, f"cam-20260101T000000-{number:03d}.mp4", age_s=1e8 - number)
        prune(Keep(bytes=10, seconds=10), tmp_path / "cam.mp4")
        assert self.files(tmp_path) == sorted([*others, "cam-20260101T000000-003.mp4"])

    def test_what_a_dead_run_left_behind_counts_and_what_grows_does_not(self, tmp_path: Path) -> None:
        self.write(tmp_path, "cam-20260101T000000.part.mp4", age_s=1e8)
        self.write(tmp_path, "cam-20260102T000000.mp4", age_s=1000)
        self.write(tmp_path, "cam-20260103T000000.part.mp4", age_s=1)
        prune(Keep(seconds=5000), tmp_path / "cam.mp4", now=lambda: 1e9)
        assert self.files(tmp_path) == ["cam-20260102T000000.mp4", "cam-20260103T000000.part.mp4"]

    def test_what_cannot_be_removed_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.write(tmp_path, "cam-20260101T000000.mp4", age_s=1)
        self.write(tmp_path, "cam-20260102T000000.mp4")

        def refuse(_path: Path, **_how: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "unlink", refuse)
        prune(Keep(bytes=1), tmp_path / "cam.mp4")
        assert "cannot be removed: Permission denied" in caplog.text

    def test_a_recording_keeps_within_its_bounds(self, tmp_path: Path) -> None:
        for hour in range(3):
            self.write(tmp_path, f"cam-20200101T{hour:02d}0000.mp4", 500_000, age_s=1e8)
        recorder = Recorder(tmp_path / "cam.mp4", fps=10, live=True, segment_s=3600, keep=Keep(bytes=700_000))
        for one in results(5):
            recorder.write(one)
        recorder.close()
        assert len(self.files(tmp_path)) == 2
        assert recorder.recorded_files[0].exists()
