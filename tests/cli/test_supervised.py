"""What a run tells those who look after it: when the health file is written, and when it is not."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from streamer.cli import supervised as supervised_module
from streamer.cli.attendant import Attendant
from streamer.cli.status import look_at
from streamer.cli.supervised import Supervised
from streamer.clock import FakeClock
from streamer.config import resolve
from streamer.errors import SinkOpenError
from streamer.frame import Ledger, Status
from streamer.service.health import Health, read_health

RUNNING = Status(state="running", live=True, capture_fps=29.97, ledger=Ledger(produced=5, reconnects=2))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "health.json"


def begun(path: Path, clock: FakeClock | None = None, *, source: str = "rtsp://me:hunter2@cam/1") -> Supervised:
    made = Supervised(resolve(flags={"health": str(path), "source": source}), reloading=None, clock=clock)
    made.open(inputs=[])
    return made


def until(path: Path, holds: Callable[[Health], bool]) -> Health:
    while not holds(health := read_health(path)):
        time.sleep(0.01)
    return health


def test_it_begins_follows_the_state_and_ends(path: Path) -> None:
    made = begun(path)
    first = read_health(path)
    assert (first.state, first.source, first.exit_code) == ("starting", "rtsp://***@cam/1", None)
    made.tell(RUNNING)
    running = until(path, lambda health: health.state == "running")
    assert (running.capture_fps, running.ledger.produced, running.reconnects, running.live) == (29.97, 5, 2, True)
    made.tell(Status(state="waiting", detail="rtsp://me:hunter2@cam/1: refused"))
    assert until(path, lambda health: health.state == "waiting").detail == "rtsp://***@cam/1: refused"
    assert made.end(exit_code=3, error="rtsp://me:hunter2@cam/1: refused", report=None)
    last = read_health(path)
    assert (last.state, last.error, last.exit_code) == ("failed", "rtsp://***@cam/1: refused", 3)


@pytest.mark.parametrize(
    ("code", "state"), [(0, "ended"), (130, "ended"), (143, "ended"), (129, "ended"), (70, "failed")]
)
def test_a_signal_is_no_failure(path: Path, code: int, state: str) -> None:
    made = begun(path)
    made.end(exit_code=code, error=None, report=None)
    assert (read_health(path).state, read_health(path).exit_code) == (state, code)


def test_a_loop_that_does_not_come_round_lets_the_file_grow_old(path: Path) -> None:
    clock = FakeClock()
    made = begun(path, clock)
    made.tell(RUNNING)
    written = until(path, lambda health: health.state == "running")
    looks = threading.Semaphore(0)
    made._keeping.wake()  # type: ignore[union-attr]
    keep = Attendant("test", looks.release, period_s=0.01)
    clock.advance(60)
    for _ in range(200):  # the health file's own look comes each half second: two seconds of them
        assert looks.acquire(timeout=10)
    keep.leave()
    assert read_health(path) == written
    made.tell(RUNNING)
    assert until(path, lambda health: health.updated_ns != written.updated_ns).uptime_s == 60.0
    made.end(exit_code=0, error=None, report=None)


def test_while_the_model_is_loaded_the_file_stays_young(path: Path) -> None:
    clock = FakeClock()
    made = begun(path, clock)
    clock.advance(30)
    assert until(path, lambda health: health.updated_ns > 0).state == "starting"
    made.end(exit_code=0, error=None, report=None)


def test_a_clock_on_the_wall_that_is_set_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = begun(path)
    made.tell(RUNNING)
    before = until(path, lambda health: health.state == "running")
    for days in (-3650, 3650):

        class Shifted(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                del tz
                return datetime.now() + timedelta(days=days)  # noqa: B023 - used inside this round

        monkeypatch.setattr(supervised_module, "datetime", Shifted)
        written_ns = read_health(path).updated_ns
        while read_health(path).updated_ns == written_ns:
            made.tell(RUNNING)
            time.sleep(0.05)
        health, verdict = look_at(path, max_age_s=10.0)
        assert health is not None
        assert health.updated[:4] != before.updated[:4]
        assert (verdict.exit_code, verdict.word) == (0, "running")
        assert health.uptime_s < 60
    made.end(exit_code=0, error=None, report=None)


def test_a_place_that_cannot_be_had_is_told_and_leaves_no_thread(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(SinkOpenError, match="no health file"):
        begun(path)
    assert path.read_text() == "precious"


def test_a_disk_that_hangs_holds_up_neither_the_run_nor_its_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, free = threading.Event(), threading.Event()
    made = begun(path)

    def write(_health: Health) -> None:
        hangs.set()
        assert free.wait(50)

    monkeypatch.setattr(made._file, "write", write)
    monkeypatch.setattr(Attendant.leave, "__kwdefaults__", {"grace_s": 0.05})
    made.tell(RUNNING)
    assert hangs.wait(10)
    made.tell(Status(state="waiting"))  # comes back at once
    assert not made.end(exit_code=0, error=None, report=None)
    free.set()


@pytest.mark.allow_error_logs
def test_a_bug_beside_the_run_is_told_once_and_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Semaphore(0)

    def duty() -> None:
        done.release()
        raise RuntimeError("a bug")

    attendant = Attendant("test", duty, period_s=0.001)
    for _ in range(3):
        assert done.acquire(timeout=10)
    assert attendant.leave()
    assert len(caplog.records) == 1
