"""A run with smooth boxes: what its recording gets, what nobody else gets, and how it ends."""

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from streamer.analytics.privacy import Blur
from streamer.channel import Policy
from streamer.clock import FakeClock, MonotonicClock
from streamer.errors import ConfigError, SinkError
from streamer.flow.lane import Lane
from streamer.frame import Detections, Frame, Image, Ledger
from streamer.pipeline import Pipeline
from tests.fakes import FakeDetector, Gate
from tests.rooms import ListSink, ScriptedSource, ScriptedView
from tests.swinging import FPS, SIZE_PX, indexes, off_px, shown, thing


class Watching(FakeDetector):
    """Sees on a frame of `ScriptedSource` the thing where it is."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        super().detect(images)
        return [thing(int(image[0, 0, 0])) for image in images]


def no_longer(condition: Callable[[], bool]) -> None:
    while not condition():
        threading.Event().wait(0.001)


class Light(ListSink):
    """A recording with a switch."""

    on = False

    @property
    def needs_image(self) -> bool:
        return self.on


class LiveRun:
    """A stream of 30 fps under a detector of 5 fps, in step: what it saw is there six frames after its frame."""

    def __init__(self, count: int | None, *, kept: ListSink | None = None) -> None:
        self.clock = FakeClock()
        self.kept = ListSink() if kept is None else kept
        self.told = ListSink(role="report", needs_image=False)
        self.source = ScriptedSource(count, live=True, on_read=self._read, clock=self.clock, size_px=SIZE_PX)
        self.drawn: list[Detections] = []
        self._looks = threading.Semaphore(0)
        self.pipeline = Pipeline(
            self.source,
            Watching(on_detect=lambda _number: self._look()),
            [self.kept, self.told],
            draw=self._draw,
            detect_every=6,
            box_timing="smooth",
            clock=self.clock,
        )

    def _look(self) -> None:
        assert self._looks.acquire(timeout=30)

    def _read(self, number: int) -> None:
        no_longer(lambda: self.told.written == number)
        if number % 6 == 0 and number > 0:
            self._looks.release()
            no_longer(lambda: self.pipeline._newest._settled_index >= number - 6)
        self.clock.advance(1 / FPS)

    def _draw(self, frame: Frame, detections: Detections) -> Image:
        self.drawn.append(detections)
        return frame.image.copy()

    def run(self) -> Ledger:
        runner = threading.Thread(target=self.pipeline.run)
        runner.start()
        no_longer(lambda: not self.pipeline._supervisor.capturing and self.told.written > 0)
        self._looks.release(10)
        runner.join()
        assert self.pipeline.report is not None
        return self.pipeline.report.ledger


class TestPipeline:
    def test_a_recording_has_boxes_where_the_object_is_and_the_report_tells_what_was_seen(self) -> None:
        run = LiveRun(96)
        ledger = run.run()
        assert ledger.balanced
        assert (ledger.produced, ledger.recorded, ledger.dropped) == (96, 96, 0)
        assert indexes(run.kept.results) == indexes(run.told.results) == list(range(96))
        assert max(off_px(result) for result in run.kept.results[:84]) < 1
        assert max(off_px(result) for result in run.told.results[6:]) > 30
        assert not any(result.interpolated for result in run.told.results)
        assert all(result.image is not None for result in run.kept.results)
        assert all(result.image is None for result in run.told.results)

    def test_what_is_drawn_is_what_is_told(self) -> None:
        run = LiveRun(40)
        run.run()
        assert [boxes.boxes.tolist() for boxes in run.drawn] == [
            result.detections.boxes.tolist() for result in run.kept.results
        ]

    def test_stopping_in_mid_stream_loses_nothing(self) -> None:
        run = LiveRun(None)
        read = run.source._on_read
        assert read is not None

        def stop_at(number: int) -> None:
            read(number)
            if number == 33:
                run.pipeline.stop()

        run.source._on_read = stop_at
        ledger = run.run()
        assert ledger.balanced
        assert ledger.recorded == ledger.produced == len(run.told.results)
        assert indexes(run.kept.results) == list(range(ledger.produced))
        assert sum(result.interpolated for result in run.kept.results) >= 20

    @pytest.mark.allow_error_logs
    def test_a_recording_that_fails_while_frames_are_held_is_closed_and_the_report_goes_on(self) -> None:
        def fail(number: int) -> None:
            if number == 9:
                raise SinkError("full")

        run = LiveRun(60, kept=ListSink(on_write=fail))
        ledger = run.run()
        assert ledger.balanced
        assert (ledger.recorded, len(run.told.results)) == (9, 60)
        assert run.kept.closes >= 1

    def test_a_detector_that_fails_leaves_the_boxes_before_and_after(self) -> None:
        sink = ListSink()
        detector = Watching(raise_at=frozenset({2}))
        report = Pipeline(ScriptedSource(31), detector, [sink], detect_every=5, box_timing="smooth").run()
        assert report.ledger == Ledger(produced=31, inferred=6, failed=1, carried=24, recorded=31)
        assert indexes(sink.results) == list(range(31))
        assert [result.failed for result in sink.results].index(True) == 10
        assert sink.results[10].interpolated
        assert max(map(off_px, sink.results)) < 2

    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_of_a_file_every_frame_is_kept_and_joined(self, concurrency: int) -> None:
        sink, told = ListSink(), ListSink(role="report", needs_image=False)
        detector = Watching(concurrency=concurrency, batch=2)
        source = ScriptedSource(101, size_px=SIZE_PX)
        ledger = Pipeline(source, detector, [sink, told], detect_every=4, box_timing="smooth").run().ledger
        assert ledger == Ledger(produced=101, inferred=26, carried=75, recorded=101)
        assert indexes(sink.results) == indexes(told.results) == list(range(101))
        assert max(map(off_px, sink.results)) < 1
        assert max(map(off_px, told.results)) > 5

    def test_where_every_frame_is_looked_at_each_is_drawn_once_for_view_and_recording(self) -> None:
        threads = list[str]()

        def draw(frame: Frame, _detections: Detections) -> Image:
            threads.append(threading.current_thread().name)
            return frame.image.copy()

        kept = {}
        for timing in ("now", "smooth"):
            sink = ListSink()
            Pipeline(
                ScriptedSource(20), FakeDetector(), [sink], view=ScriptedView(), draw=draw, box_timing=timing
            ).run()
            kept[timing] = [(r.detections.boxes.tolist(), r.detected, r.interpolated) for r in sink.results]
        assert kept["smooth"] == kept["now"]
        assert threads == ["streamer-render"] * 40

    def test_a_recording_that_is_off_holds_nothing_and_is_not_drawn_for(self) -> None:
        run = LiveRun(60, kept=ListSink(needs_image=False))
        run.run()
        assert indexes(run.kept.results) == list(range(60))
        assert not run.drawn
        assert not any(result.interpolated for result in run.kept.results)

    def test_a_recording_that_is_switched_on_and_off_gets_all_frames_and_pictures_while_it_is_on(self) -> None:
        light = Light()
        run = LiveRun(90, kept=light)
        read = run.source._on_read
        assert read is not None

        def switch(number: int) -> None:
            read(number)
            no_longer(lambda: run.pipeline._lanes[0].channel.depth == 0)
            light.on = 21 <= number < 60

        run.source._on_read = switch
        run.run()
        assert indexes(light.results) == list(range(90))
        drawn = [result.frame.index for result in light.results if result.image is not None]
        assert drawn == list(range(drawn[0], drawn[-1] + 1))
        assert drawn[0] == pytest.approx(21, abs=1)
        assert 60 - 13 <= drawn[-1] <= 60
        assert all(light.results[number].interpolated or number % 6 == 0 for number in drawn if number >= 24)

    def test_only_recordings_wait(self) -> None:
        sink = ListSink(role="report")
        Pipeline(ScriptedSource(20), Watching(), [sink], detect_every=4, box_timing="smooth").run()
        assert not any(result.interpolated for result in sink.results)

    def test_another_timing_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="no timing of boxes"):
            Pipeline(ScriptedSource(1), FakeDetector(), box_timing="later")  # type: ignore[arg-type]

    def test_what_is_hidden_stays_hidden(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (SIZE_PX[1], SIZE_PX[0], 3), np.uint8)

        class Noisy(ScriptedSource):
            def frames(self) -> Iterator[Frame]:
                for frame in super().frames():
                    image = noise.copy()
                    image[0, 0, 0] = frame.index
                    yield Frame(image, frame.index, frame.captured_ns, frame.pts_s)

        kept: dict[str, ListSink] = {}
        for timing in ("now", "smooth"):
            kept[timing] = ListSink()
            source = Noisy(30, size_px=SIZE_PX)
            Pipeline(
                source, Watching(), [kept[timing]], analyzers=[Blur(frozenset({1}))], detect_every=5, box_timing=timing
            ).run()
        for now, smoothed in zip(kept["now"].results, kept["smooth"].results, strict=True):
            assert smoothed.image is smoothed.frame.image
            np.testing.assert_array_equal(smoothed.frame.image, now.frame.image)
        assert any(result.interpolated for result in kept["smooth"].results)


@pytest.mark.allow_error_logs
def test_a_recording_that_was_left_behind_gets_nothing_of_what_was_held_when_it_comes_back() -> None:
    gate, sink = Gate(at=1), ListSink()
    sink._on_write = gate
    lane = Lane(sink, policy=Policy.LATEST, draw_late=lambda result: result)
    stage = lane.stage(MonotonicClock())
    stage.start(lambda _stage: None)
    for number in range(8):
        lane.put(shown(number, number // 4 * 4))
    assert gate.reached.wait(30)
    stage.abandon(5.0)
    stage.leave()
    gate.opened.set()
    stage.join()
    assert stage.error is None
    assert sink.written == 2
    assert lane.report().error is not None
