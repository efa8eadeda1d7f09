"""Coming back, with a clock that moves when somebody waits on it: what opens, fails and returns is written down."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

import pytest

from streamer.clock import FakeClock
from streamer.errors import SourceError, SourceLost, SourceOpenError, SourceRefused
from streamer.frame import Frame
from streamer.interfaces import Source, SourceInfo
from streamer.pipeline import Pipeline
from streamer.sources import SourceOptions
from streamer.sources.backoff import Backoff
from streamer.sources.camera import CameraSource
from streamer.sources.reconnecting import MOST_CAUSES, ReconnectingSource
from streamer.sources.telling import Telling
from tests.clips import numbered_image
from tests.fakes import FakeDetector
from tests.faults.figures import report
from tests.rooms import ListSink
from tests.sources.stubs import StubCapture, pictures


class Script:
    """A source that gives `frames` at 10 a second, every 4th of which has no picture, and then ends or is lost."""

    live = True

    def __init__(self, clock: FakeClock, frames: int, cause: SourceError | None = None, *, epochs: int = 1) -> None:
        self._clock = clock
        self._frames = frames
        self._cause = cause
        self._epochs = epochs
        self.produced = 0
        self.closed = False
        self.info = SourceInfo("camera", fps=10.0, size_px=(64, 48), decoder="script", kind="stream")

    def frames(self) -> Iterator[Frame]:
        for number in range(self._frames):
            if self.closed:
                return
            self._clock.advance(0.1)
            self.produced += 1
            if number % 4 == 3:
                continue
            epoch = number * self._epochs // self._frames
            now_ns = self._clock.now_ns()
            yield Frame(numbered_image(number % 40), index=number, captured_ns=now_ns, pts_s=number / 10, epoch=epoch)
        if self._cause is not None:
            raise self._cause

    def close(self) -> None:
        self.closed = True


LOST = SourceLost("it went away", where="camera")
REFUSED = SourceOpenError("connection refused", where="camera")


class Factory:
    """Opens what is written down, one each time, and then nothing; a SourceError is raised.

    opened_at_s: when it was asked.
    """

    def __init__(self, clock: FakeClock, *parts: Source | SourceError) -> None:
        self._clock = clock
        self._parts = iter(parts)
        self.opened_at_s: list[float] = []

    def __call__(self) -> Source:
        self.opened_at_s.append(self._clock.now_ns() / 1e9)
        part = next(self._parts, REFUSED)
        if isinstance(part, SourceError):
            raise part
        return part


def _source(
    clock: FakeClock, *parts: Source | SourceError, first: Source | None = None, most: int | None = None
) -> tuple[ReconnectingSource, Factory]:
    factory = Factory(clock, *parts)
    chance = random.Random(7)
    return ReconnectingSource(factory, name="camera", first=first, most=most, clock=clock, chance=chance), factory


def _until_given_up(source: ReconnectingSource) -> list[Frame]:
    frames: list[Frame] = []
    with pytest.raises(SourceError):
        frames.extend(source.frames())
    return frames


def test_it_goes_on_as_one_stream_in_a_new_epoch() -> None:
    clock = FakeClock()
    source, _ = _source(clock, Script(clock, 8, LOST, epochs=2), REFUSED, first=Script(clock, 6, LOST), most=2)
    frames = _until_given_up(source)
    assert [frame.index for frame in frames] == [0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 12]
    assert [frame.epoch for frame in frames] == [0] * 5 + [1] * 3 + [2] * 3
    assert source.produced == 14
    began_ns = frames[0].captured_ns
    assert [frame.pts_s for frame in frames] == [(frame.captured_ns - began_ns) / 1e9 for frame in frames]
    assert (frames[5].pts_s or 0) - (frames[4].pts_s or 0) > 0.4
    assert source.info.reconnects == 1
    assert source.info.state == "failed"


def test_what_each_connection_left_out_is_added_up() -> None:
    clock = FakeClock()
    first, second = Script(clock, 6, LOST), Script(clock, 8, LOST)
    first.info, second.info = replace(first.info, left_out=1), replace(second.info, left_out=2)
    source, _ = _source(clock, second, first=first, most=1)
    seen = [(frame.epoch, source.info.left_out) for frame in islice(source.frames(), 11)]
    assert set(seen) == {(0, 1), (1, 3)}
    assert source.info.left_out == 3


def test_waits_are_doubled_up_to_half_a_minute_and_scattered() -> None:
    waits = [Backoff(random.Random(seed)) for seed in range(200)]
    rounds = [[backoff.next_s() for backoff in waits] for _ in range(9)]
    for wanted_s, waits_s in zip([0.5, 1, 2, 4, 8, 16, 30, 30, 30], rounds, strict=True):
        assert 0.8 * wanted_s <= min(waits_s) < 0.85 * wanted_s
        assert 1.15 * wanted_s < max(waits_s) <= 1.2 * wanted_s


def test_ten_seconds_of_frames_make_the_next_wait_short_again() -> None:
    clock = FakeClock()
    well, ill = Script(clock, 120, LOST), Script(clock, 50, LOST)
    source, factory = _source(
        clock, REFUSED, REFUSED, REFUSED, REFUSED, well, ill, REFUSED, first=Script(clock, 4, LOST), most=6
    )
    times_s = factory.opened_at_s
    _until_given_up(source)
    after_well_s = times_s[5] - (times_s[4] + 12.0)
    after_ill_s = times_s[6] - (times_s[5] + 5.0)
    assert after_well_s == pytest.approx(0.5, rel=0.21)
    assert after_ill_s == pytest.approx(1.0, rel=0.21)


def test_row_13_a_stream_that_flaps_is_not_asked_more_and_more_often() -> None:
    """Up for 2 s, down for 2 s, ten minutes long."""
    clock = FakeClock()
    opened: list[float] = []

    def flapping() -> Source:
        now_s = clock.now_ns() / 1e9
        opened.append(now_s)
        if now_s > 600:
            source.close()
        if now_s % 4 < 2:
            return Script(clock, max(1, int((2 - now_s % 4) * 10)), LOST)
        raise REFUSED

    source = ReconnectingSource(flapping, name="camera", clock=clock, chance=random.Random(7))
    list(source.frames())
    figure = f"{len(opened)} opens in {clock.now_ns() / 1e9:.0f} s of a clock moved by hand"
    report(13, figure, line="<= 40 opens in 10 min", passed=len(opened) <= 40)
    assert len(opened) <= 40


def test_each_change_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    gone = SourceOpenError("no such host", where="camera")
    parts: list[Source | SourceError] = [REFUSED, REFUSED, REFUSED, gone, gone, Script(clock, 4, LOST)]
    source, _ = _source(clock, *parts, first=Script(clock, 4, LOST), most=8)
    _until_given_up(source)
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition(" after ")[0].partition(";")[0] for text in said] == [
        "camera: it went away",
        "camera: connection refused",
        "camera: no such host",
        "camera: back",
        "camera: it went away",
        "camera: connection refused",
    ]


def test_each_cause_of_one_absence_is_said_once_and_the_list_has_an_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    denied = SourceRefused("401: it wants a user and a password", where="camera")
    parts = [denied, REFUSED] * 20 + [SourceOpenError(f"error {n}", where="camera") for n in range(30)]
    source, _ = _source(clock, *parts, first=Script(clock, 4, LOST), most=70)
    _until_given_up(source)
    said = [record.getMessage() for record in caplog.records]
    assert len([text for text in said if "401" in text]) == len([text for text in said if "refused" in text]) == 1
    assert len(said) == MOST_CAUSES


def test_what_was_there_once_is_waited_for_whatever_is_said_of_it() -> None:
    clock = FakeClock()
    denied = SourceRefused("401: it wants a user and a password", where="camera")
    source, _ = _source(clock, denied, denied, Script(clock, 4, LOST), first=Script(clock, 4, LOST), most=4)
    assert [frame.epoch for frame in _until_given_up(source)] == [0] * 3 + [1] * 3


def test_what_never_was_there_is_given_up_where_waiting_mends_nothing() -> None:
    clock = FakeClock()
    denied = SourceRefused("401: it wants a user and a password", where="camera")
    source, factory = _source(clock, REFUSED, denied, Script(clock, 4))
    with pytest.raises(SourceRefused):
        list(source.frames())
    assert len(factory.opened_at_s) == 2
    assert source.info.state == "failed"


def test_what_was_never_there_is_waited_for() -> None:
    clock = FakeClock()
    source, _ = _source(clock, REFUSED, REFUSED, Script(clock, 4, LOST), most=3)
    assert source.info.state == "connecting"
    frames = _until_given_up(source)
    assert [frame.epoch for frame in frames] == [0, 0, 0]
    assert source.info.reconnects == 0


def test_the_states_are_told_with_the_time_and_the_cause() -> None:
    clock = FakeClock()
    seen: list[tuple[str, str]] = []

    def look(source: Callable[[], ReconnectingSource]) -> Callable[[], Source]:
        def opened() -> Source:
            seen.append((source().info.state, source().info.detail))
            raise REFUSED

        return opened

    source = ReconnectingSource(
        look(lambda: source), name="camera", first=Script(clock, 4, LOST), most=2, clock=clock, chance=random.Random(7)
    )
    reading = source.frames()
    next(reading)
    assert (source.info.state, source.info.detail) == ("running", "")
    clock.advance(3.0)
    assert (source.info.state, source.info.detail) == ("stalled", "no frame for 3 s")
    with pytest.raises(SourceOpenError):
        list(reading)
    assert seen == [
        ("connecting", "no signal for 0 s, it went away"),
        ("connecting", "no signal for 1 s, connection refused"),
    ]
    assert source.info.state == "failed"


class _Held(Script):
    """Gives one frame and then hangs, as a driver does, until it is closed."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock, 1)
        self.hangs = threading.Event()
        self._let_go = threading.Event()

    def frames(self) -> Iterator[Frame]:
        yield from super().frames()
        self.hangs.set()
        assert self._let_go.wait(30)

    def close(self) -> None:
        self._let_go.set()


def test_close_ends_it_while_it_reads() -> None:
    held = _Held(FakeClock())
    source, factory = _source(FakeClock(), first=held)
    reader = threading.Thread(target=lambda: list(source.frames()))
    reader.start()
    assert held.hangs.wait(10)
    source.close()
    reader.join(10)
    assert not reader.is_alive()
    assert factory.opened_at_s == []
    assert source.info.state == "ended"


def test_close_ends_it_while_it_waits() -> None:
    waiting = threading.Event()

    class Clock(FakeClock):
        def wait(self, event: threading.Event, timeout_s: float) -> bool:  # noqa: ARG002 - a wait that nothing shortens
            waiting.set()
            return event.wait(30)

    clock = Clock()
    source, factory = _source(clock, first=Script(clock, 2, LOST))
    reader = threading.Thread(target=lambda: list(source.frames()))
    reader.start()
    assert waiting.wait(10)
    source.close()
    reader.join(10)
    assert not reader.is_alive()
    assert factory.opened_at_s == []


def test_what_opens_after_it_was_closed_is_closed_too() -> None:
    clock = FakeClock()
    late = Script(clock, 4)

    def opened() -> Source:
        source.close()
        return late

    source = ReconnectingSource(opened, name="camera", clock=clock)
    assert list(source.frames()) == []
    assert late.closed


def test_row_01_a_camera_that_is_pulled_out_and_put_back_comes_back() -> None:
    """With a stub of the driver; a real one is in tests/faults/test_rows_soak.py."""
    clock = FakeClock()
    stubs = [StubCapture(pictures(5)), StubCapture([], opened=False), StubCapture(pictures(5))]
    stubs += [StubCapture([], opened=False)] * 2
    plugged = iter(stubs)

    def opened() -> Source:
        return CameraSource(0, clock=clock, open_capture=next(plugged))

    source = ReconnectingSource(opened, name="camera 0", first=opened(), most=3, clock=clock)
    frames = _until_given_up(source)
    indexes = [frame.index for frame in frames]
    figure = f"a stub: {len(set(indexes))} of 10 frames, {len(indexes) - len(set(indexes))} duplicated"
    report(1, figure, line="0 duplicated frames", passed=indexes == list(range(10)))
    assert indexes == list(range(10))
    assert [frame.epoch for frame in frames] == [0] * 5 + [1] * 5
    assert [stub.releases for stub in stubs[:3]] == [1, 1, 1]


def test_closing_while_a_driver_opens_ends_it_as_soon_as_the_driver_returns() -> None:
    let_go, opening = threading.Event(), threading.Event()
    stub = StubCapture(pictures(5))

    def opened() -> Source:
        opening.set()
        assert let_go.wait(30)
        return CameraSource(0, open_capture=stub)

    source = ReconnectingSource(opened, name="camera 0")
    frames: list[Frame] = []
    reader = threading.Thread(target=lambda: frames.extend(source.frames()))
    reader.start()
    assert opening.wait(10)
    source.close()
    assert source.info.state == "ended"
    let_go.set()
    reader.join(10)
    assert not reader.is_alive()
    assert frames == []
    assert stub.releases == 1
    assert not stub.released_while_grabbing


@pytest.mark.allow_error_logs
def test_a_run_ends_while_a_driver_hangs_as_it_opens() -> None:
    let_go, opening = threading.Event(), threading.Event()

    def opened() -> Source:
        opening.set()
        assert let_go.wait(60)
        raise REFUSED

    pipeline = Pipeline(ReconnectingSource(opened, name="camera 0"), FakeDetector(), [ListSink()])
    runner = threading.Thread(target=pipeline.run)
    runner.start()
    assert opening.wait(10)
    began = time.monotonic()
    pipeline.stop()
    runner.join(30)
    print(f"ended {time.monotonic() - began:.2f} s after it was asked to, while the driver hung (6 s)")
    assert not runner.is_alive()
    assert pipeline.report is not None
    assert pipeline.report.abandoned == ("capture",)
    let_go.set()


def test_a_camera_warns_of_another_mode_when_it_changes_and_not_with_each_return(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sizes = [(64, 48), (64, 48), (32, 24), (32, 24), (64, 48)]
    telling = Telling()
    options = SourceOptions(width=128, camera_control=("gain=7",))
    for size_px in sizes:
        stub = StubCapture(pictures(1, size_px=size_px))
        camera = CameraSource(0, options=options, open_capture=stub, list_modes=lambda _: (), telling=telling)
        camera.close()
    said = [record.getMessage() for record in caplog.records]
    assert [text for text in said if "gain" in text] == ["camera 0: gain 7 was not taken; the camera says 0"]
    modes = ["64", "32", "64"]
    assert [text for text in said if "asked" in text] == [
        f"camera 0: asked for width 128; it gives width {w}" for w in modes
    ]


class Recording(Script):
    """A source that has an end."""

    live = False


def test_what_is_left_of_a_stream_that_was_live_is_not_shown_as_live(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    parts = (Recording(clock, 40), Recording(clock, 40), Script(clock, 8))
    source, _ = _source(clock, *parts, first=Script(clock, 8), most=4)
    with pytest.raises(SourceOpenError, match="refused"):
        list(source.frames())
    assert all(part.produced <= 1 for part in parts[:2])
    assert parts[2].produced == 8
    assert caplog.text.count("it has ended, and what is left there is its recording") == 1


def test_what_was_waited_for_and_has_an_end_is_read_once() -> None:
    clock = FakeClock()
    source, factory = _source(clock, REFUSED, Recording(clock, 40))
    assert len(list(source.frames())) == 30
    assert len(factory.opened_at_s) == 2


def test_reasons_that_take_turns_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    reasons = [SourceOpenError(f"503 number {n % 2}", where="camera") for n in range(20)]
    source, _ = _source(clock, *reasons, Script(clock, 4), first=Script(clock, 4, LOST), most=21)
    with pytest.raises(SourceLost, match="ended"):
        list(source.frames())
    told = [record.getMessage() for record in caplog.records if "503" in record.getMessage()]
    assert len(told) == 2


def test_a_reason_that_was_told_at_the_start_is_not_told_again(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    factory = Factory(clock, REFUSED, Script(clock, 4))
    source = ReconnectingSource(factory, name="camera", cause=REFUSED, most=2, clock=clock)
    with pytest.raises(SourceOpenError, match="refused"):
        list(source.frames())
    assert next(record.getMessage() for record in caplog.records).startswith("camera: there after")
