"""The corridor: what is lossless, what is newest, what the books say, and how every way of ending ends."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.clock import NS_PER_S, FakeClock
from streamer.errors import ConfigError, ModelError, SinkError, SourceLost
from streamer.flow.inference import MAX_FAILURES
from streamer.flow.lane import LIVE_ITEMS
from streamer.flow.supervisor import Supervisor
from streamer.frame import Detections, Event, Frame, Image, Ledger, Result, Status
from streamer.interfaces import Analysis, Command
from streamer.pipeline import Pipeline
from tests.fakes import FakeDetector, Gate
from tests.rooms import ListSink, ScriptedSource, ScriptedView


def check(ledger: Ledger) -> Ledger:
    assert ledger.balanced, ledger
    return ledger


def test_a_file_is_lossless_and_in_order() -> None:
    sink, report_sink = ListSink(), ListSink(role="report", needs_image=False)
    report = Pipeline(ScriptedSource(100), FakeDetector(), [sink, report_sink]).run()
    assert sink.indexes == report_sink.indexes == list(range(100))
    assert check(report.ledger) == Ledger(produced=100, inferred=100, recorded=100)
    assert report.ended == "end of stream"
    assert all(result.detections.age_ns == 0 for result in sink.results)


def test_a_file_waits_for_a_slow_sink_and_the_queues_stay_bounded() -> None:
    gate = Gate(at=5)
    source, sink = ScriptedSource(100), ListSink(on_write=gate)
    pipeline = Pipeline(source, FakeDetector(), [sink])
    runner = threading.Thread(target=pipeline.run)
    runner.start()
    assert gate.reached.wait(30)
    while not all(stage.work is None or stage.work.doing == "write" for stage in pipeline._supervisor._stages):
        threading.Event().wait(0.001)
    assert source.produced < 40
    gate.opened.set()
    runner.join()
    assert sink.indexes == list(range(100))


def test_batches_are_gathered_and_results_stay_in_order() -> None:
    sizes: list[int] = []

    class Batched(FakeDetector):
        def detect(self, images: Sequence[Image]) -> list[Detections]:
            sizes.append(len(images))
            return super().detect(images)

    sink = ListSink()
    Pipeline(ScriptedSource(50), Batched(batch=4), [sink]).run()
    assert sink.indexes == list(range(50))
    assert sum(sizes) == 50
    assert max(sizes) <= 4


def test_only_frames_that_somebody_wants_are_drawn() -> None:
    drawn: list[int] = []

    def draw(frame: Frame, _detections: Detections) -> Image:
        drawn.append(1)
        return frame.image.copy()

    lines, source = ListSink(role="report", needs_image=False), ScriptedSource(5)
    given = list[Image]()

    class Remembering(FakeDetector):
        def detect(self, images: Sequence[Image]) -> list[Detections]:
            given.extend(images)
            return super().detect(images)

    Pipeline(source, Remembering(), [lines], draw=draw).run()
    assert not drawn
    assert [result.image for result in lines.results] == [None] * 5
    assert all(result.frame.image is image for result, image in zip(lines.results, given, strict=True))
    sink = ListSink()
    Pipeline(ScriptedSource(5), FakeDetector(), [sink], draw=draw).run()
    assert len(drawn) == 5
    assert all(result.image is not None and not result.image.flags.writeable for result in sink.results)


def test_analyzers_see_every_frame_and_pass_more_on() -> None:
    class Counter:
        def update(self, frame: Frame, detections: Detections) -> Analysis:
            return Analysis(detections[:0], (Event("seen", {"index": frame.index}),))

    sink = ListSink()
    Pipeline(ScriptedSource(3), FakeDetector(), [sink], analyzers=[Counter(), Counter()]).run()
    assert [len(result.events) for result in sink.results] == [2, 2, 2]
    assert all(len(result.detections) == 0 for result in sink.results)


def test_an_analyzer_may_know_better_how_a_frame_was_seen() -> None:
    class Elsewhere:
        def update(self, frame: Frame, detections: Detections) -> Analysis:
            return [
                Analysis(detections),
                Analysis(detections, detected=False),
                Analysis(Detections.unknown(), failed=True, detected=False),
            ][frame.index]

    class Onlooker:
        def update(self, frame: Frame, detections: Detections) -> Analysis:
            del frame
            return Analysis(detections)

    sink = ListSink()
    report = Pipeline(ScriptedSource(3), FakeDetector(), [sink], analyzers=[Elsewhere(), Onlooker()]).run()
    assert [(result.detected, result.failed) for result in sink.results] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert check(report.ledger).inferred == 3


class OwnClass(FakeDetector):
    """Sees on a frame of `ScriptedSource` one thing, of the class that is the frame's number."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        super().detect(images)
        return [
            Detections.from_raw([[1, 1, 9, 9]], [0.9], [image[0, 0, 0]], size_px=(image.shape[1], image.shape[0]))
            for image in images
        ]


class TestSeveralInFlight:
    @given(seed=st.integers(0, 2**32), count=st.integers(0, 60), concurrency=st.integers(1, 4), batch=st.integers(1, 3))
    @settings(max_examples=40, deadline=None)
    def test_whoever_is_faster_results_come_in_order_and_none_is_lost(
        self, seed: int, count: int, concurrency: int, batch: int
    ) -> None:
        chance, sink = random.Random(seed), ListSink()

        def dawdle(_number: int) -> None:
            threading.Event().wait(chance.choice([0, 0, 0.0005, 0.002]))

        detector = OwnClass(on_detect=dawdle, concurrency=concurrency, batch=batch)
        pipeline = Pipeline(ScriptedSource(count), detector, [sink])
        assert check(pipeline.run().ledger) == Ledger(produced=count, inferred=count, recorded=count)
        assert sink.indexes == list(range(count))
        assert [int(result.detections.class_ids[0]) for result in sink.results] == list(range(count))

    def test_as_many_as_suit_the_detector_are_under_way(self) -> None:
        together = threading.Barrier(3, timeout=30)

        def wait(_number: int) -> None:
            together.wait()

        detector = FakeDetector(on_detect=wait, concurrency=3)
        assert Pipeline(ScriptedSource(30), detector, [ListSink()]).run().ledger.inferred == 30

    def test_of_a_live_stream_one_frame_is_in_flight(self) -> None:
        under_way, most = list[int](), list[int]()

        class Counting(FakeDetector):
            def detect(self, images: Sequence[Image]) -> list[Detections]:
                under_way.append(1)
                most.append(len(under_way))
                try:
                    return super().detect(images)
                finally:
                    under_way.pop()

        source = ScriptedSource(30, live=True, interval_s=0.001)
        Pipeline(source, Counting(concurrency=4), [ListSink()]).run()
        assert max(most) == 1

    def test_a_frame_that_fails_among_others_is_one_failure(self) -> None:
        sink = ListSink()
        detector = FakeDetector(raise_at=frozenset({50}), concurrency=3)
        report = Pipeline(ScriptedSource(100), detector, [sink]).run()
        assert check(report.ledger) == Ledger(produced=100, inferred=99, failed=1, recorded=100)
        assert sum(result.failed for result in sink.results) == 1

    def test_failures_in_a_row_are_counted_in_the_order_of_the_frames(self) -> None:
        class BrokenAfter(FakeDetector):
            def detect(self, images: Sequence[Image]) -> list[Detections]:
                if images[0][0, 0, 0] >= 10:
                    raise ModelError("broken")
                return super().detect(images)

        pipeline = Pipeline(ScriptedSource(100), BrokenAfter(concurrency=4), [ListSink()])
        with pytest.raises(ModelError, match=f"{MAX_FAILURES} frames in a row"):
            pipeline.run()
        assert check(pipeline.ledger).failed == MAX_FAILURES

    @pytest.mark.allow_error_logs
    def test_one_that_hangs_keeps_the_detector_open_and_holds_up_nobody(self) -> None:
        gate = Gate(at=5)
        detector = FakeDetector(on_detect=gate, concurrency=2)
        pipeline = Pipeline(ScriptedSource(None), detector, [ListSink()], grace_s=0.2)
        runner = threading.Thread(target=pipeline.run)
        runner.start()
        assert gate.reached.wait(30)
        pipeline.stop()
        runner.join()
        assert not detector.closed
        gate.opened.set()
        assert pipeline.report is not None
        assert len(pipeline.report.abandoned) == 1
        assert pipeline.report.abandoned[0] in {"inference 1", "inference 2"}


class Epochs(ScriptedSource):
    """A source that begins a new epoch with frame `epoch_at`."""

    epoch_at = 10

    def frames(self) -> Iterator[Frame]:
        for frame in super().frames():
            yield replace(frame, epoch=int(frame.index >= self.epoch_at))


class TestDetectEvery:
    @pytest.mark.parametrize("concurrency", [1, 3])
    @pytest.mark.parametrize("batch", [1, 4])
    @pytest.mark.parametrize("every", [2, 5, 100])
    def test_frames_between_go_under_the_boxes_before_and_their_age(
        self, every: int, batch: int, concurrency: int
    ) -> None:
        sink, detector = ListSink(), OwnClass(batch=batch, concurrency=concurrency)
        pipeline = Pipeline(ScriptedSource(60), detector, [sink], detect_every=every)
        ledger = check(pipeline.run().ledger)
        due = -(-60 // every)
        assert ledger == Ledger(produced=60, inferred=due, carried=60 - due, recorded=60)
        assert detector.seen == due
        assert sink.indexes == list(range(60))
        for result in sink.results:
            behind = result.frame.index % every
            assert result.detections.class_ids.tolist() == [result.frame.index - behind]
            assert result.detections.age_ns == pytest.approx(behind * NS_PER_S / 30, abs=1)
            assert result.detected == (behind == 0)

    def test_those_after_a_failure_go_under_the_older_boxes(self) -> None:
        sink = ListSink()
        detector = FakeDetector(raise_at=frozenset({1}))
        report = Pipeline(ScriptedSource(9), detector, [sink], detect_every=3).run()
        assert check(report.ledger) == Ledger(produced=9, inferred=2, failed=1, carried=6, recorded=9)
        assert [result.failed for result in sink.results] == [number == 3 for number in range(9)]
        assert not sink.results[3].detections.looked
        assert [round(result.detections.age_ns * 30 / NS_PER_S) for result in sink.results[4:6]] == [4, 5]

    def test_nothing_is_carried_into_another_epoch(self) -> None:
        sink = ListSink()
        report = Pipeline(Epochs(16), FakeDetector(), [sink], detect_every=4).run()
        assert check(report.ledger).carried == 12
        assert [result.detections.looked for result in sink.results] == [n not in {10, 11} for n in range(16)]

    def test_where_the_frame_to_look_at_was_unusable_the_older_boxes_stay(self) -> None:
        sink = ListSink()
        source = ScriptedSource(12, unusable=frozenset({0, 8}))
        report = Pipeline(source, OwnClass(), [sink], detect_every=4).run()
        assert check(report.ledger) == Ledger(produced=12, inferred=1, carried=9, failed=2, recorded=10)
        assert [result.detections.class_ids.tolist() for result in sink.results] == [[]] * 3 + [[4]] * 7

    def test_of_a_live_stream_only_every_nth_is_offered(self) -> None:
        seen, sink = list[int](), ListSink()

        class Noting(FakeDetector):
            def detect(self, images: Sequence[Image]) -> list[Detections]:
                seen.extend(int(image[0, 0, 0]) for image in images)
                return super().detect(images)

        source = ScriptedSource(40, live=True, interval_s=0.002)
        report = Pipeline(source, Noting(), [sink], detect_every=10).run()
        assert set(seen) <= {0, 10, 20, 30}
        assert check(report.ledger).recorded == 40
        assert report.ledger.carried == 40 - len(seen)
        assert all(
            result.detected == (result.detections.looked and not result.detections.age_ns) for result in sink.results
        )

    def test_it_is_one_or_more(self) -> None:
        with pytest.raises(ConfigError, match="detect_every"):
            Pipeline(ScriptedSource(1), FakeDetector(), detect_every=0)


class TestLive:
    def test_every_frame_is_recorded_under_the_newest_boxes_and_their_age(self) -> None:
        gate, clock, sink = Gate(at=1), FakeClock(), ListSink()

        def read(number: int) -> None:
            _wait_for(lambda: sink.written == number)
            if number == 2:
                assert gate.reached.wait(30)
            clock.advance(0.1)

        source = ScriptedSource(20, live=True, on_read=read, clock=clock)
        detector = FakeDetector(on_detect=gate)
        pipeline = Pipeline(source, detector, [sink], clock=clock)
        runner = threading.Thread(target=pipeline.run)
        runner.start()
        while sink.written < 20:
            check(pipeline.ledger)
            threading.Event().wait(0.001)
        gate.opened.set()
        runner.join()
        assert sink.indexes == list(range(20))
        ages_ns = [result.detections.age_ns for result in sink.results]
        assert ages_ns[-1] > 1.5 * NS_PER_S
        assert ages_ns[2:] == sorted(ages_ns[2:])
        assert pipeline.report is not None
        ledger = check(pipeline.report.ledger)
        assert ledger.recorded == 20
        assert ledger.inferred + ledger.carried == 20
        assert ledger.inferred <= 3
        assert ledger.in_flight == ledger.dropped == 0

    def test_one_frame_is_in_flight_and_one_waits_and_it_is_the_newest(self) -> None:
        gate, sink = Gate(at=0), ListSink()

        def read(number: int) -> None:
            _wait_for(lambda: sink.written == number)
            assert number < 1 or gate.reached.wait(30)

        detector = FakeDetector(on_detect=gate)
        pipeline = Pipeline(ScriptedSource(30, live=True, on_read=read), detector, [sink])
        runner = threading.Thread(target=pipeline.run)
        runner.start()
        _wait_for(lambda: sink.written == 30)
        gate.opened.set()
        runner.join()
        assert pipeline._to_detect.peak_depth == 1
        assert detector.seen == 2
        assert check(pipeline.ledger) == Ledger(produced=30, inferred=2, carried=28, recorded=30)

    def test_a_stuck_sink_drops_frames_exactly_and_leaves_others_alone(self) -> None:
        gate, frames = Gate(at=3), 600
        stuck, healthy = ListSink(on_write=gate, name="stuck"), ListSink(name="healthy")

        def read(number: int) -> None:
            _wait_for(lambda: healthy.written == number)
            assert number < 4 or gate.reached.wait(30)

        source = ScriptedSource(frames, live=True, on_read=read)
        pipeline = Pipeline(source, FakeDetector(), [stuck, healthy])
        runner = threading.Thread(target=pipeline.run)
        runner.start()
        _wait_for(lambda: healthy.written == frames)
        gate.opened.set()
        runner.join()
        assert healthy.indexes == list(range(frames))
        assert pipeline.report is not None
        assert [sink.dropped for sink in pipeline.report.sinks] == [frames - 4 - LIVE_ITEMS, 0]
        assert stuck.indexes == [0, 1, 2, 3, *range(frames - LIVE_ITEMS, frames)]
        check(pipeline.ledger)
        lane = pipeline._lanes[0].channel
        assert lane.peak_depth <= lane.capacity

    def test_a_fast_detector_gives_each_frame_its_own_boxes(self) -> None:
        sink = ListSink()
        source = ScriptedSource(20, live=True, interval_s=0.02)
        Pipeline(source, FakeDetector(), [sink]).run()
        own = [result.detections.age_ns == 0 and len(result.detections) == 1 for result in sink.results[5:]]
        assert sum(own) >= len(own) - 3

    def test_boxes_are_not_carried_into_another_epoch(self) -> None:
        gate, sink = Gate(at=1), ListSink()

        def read(number: int) -> None:
            _wait_for(lambda: sink.written == number)
            assert number < 10 or gate.reached.wait(30)

        pipeline = Pipeline(Epochs(20, live=True, on_read=read), FakeDetector(on_detect=gate), [sink])
        runner = threading.Thread(target=pipeline.run)
        runner.start()
        _wait_for(lambda: sink.written == 20)
        gate.opened.set()
        runner.join()
        assert any(len(result.detections) == 1 for result in sink.results if result.frame.epoch == 0)
        assert all(len(result.detections) == 0 for result in sink.results if result.frame.epoch == 1)


class TestFailures:
    def test_a_frame_that_fails_is_counted_and_the_run_goes_on(self) -> None:
        sink = ListSink()
        pipeline = Pipeline(ScriptedSource(100), FakeDetector(raise_at=frozenset({50})), [sink])
        report = pipeline.run()
        assert check(report.ledger) == Ledger(produced=100, inferred=99, failed=1, recorded=100)
        assert [result.failed for result in sink.results].index(True) == 50

    def test_a_detector_that_always_fails_is_a_model_error(self) -> None:
        sink = ListSink()
        pipeline = Pipeline(ScriptedSource(100), FakeDetector(raise_at=frozenset(range(10, 100))), [sink])
        with pytest.raises(ModelError, match=f"{MAX_FAILURES} frames in a row"):
            pipeline.run()
        assert check(pipeline.ledger).failed == MAX_FAILURES
        assert sink.closes >= 1

    def test_a_short_clip_on_which_every_frame_fails_is_a_model_error(self) -> None:
        with pytest.raises(ModelError, match="every frame"):
            Pipeline(ScriptedSource(3), FakeDetector(raise_at=frozenset(range(3)))).run()

    def test_one_bad_image_of_a_batch_does_not_take_the_others_with_it(self) -> None:
        class Picky(FakeDetector):
            def detect(self, images: Sequence[Image]) -> list[Detections]:
                if any(image[0, 0, 0] == 7 for image in images):
                    raise RuntimeError("seven")
                return super().detect(images)

        report = Pipeline(ScriptedSource(20), Picky(batch=4), [ListSink()]).run()
        assert check(report.ledger).failed == 1
        assert report.ledger.inferred == 19

    def test_a_detector_that_gives_too_few_results_fails_on_that_frame(self) -> None:
        class Forgetful(FakeDetector):
            def detect(self, images: Sequence[Image]) -> list[Detections]:
                return super().detect(images)[: 0 if self.seen == 5 else 1]

        for live in (False, True):
            source = ScriptedSource(10, live=live, interval_s=0.002 if live else 0)
            report = Pipeline(source, Forgetful(), [ListSink()]).run()
            assert check(report.ledger).failed >= 1

    def test_unusable_frames_are_counted_wherever_they_come(self) -> None:
        source = ScriptedSource(20, unusable=frozenset({0, 7, 8, 19}))
        report = Pipeline(source, FakeDetector(), [ListSink()]).run()
        assert check(report.ledger) == Ledger(produced=20, inferred=16, failed=4, recorded=16)

    def test_a_lost_source_still_delivers_what_it_gave(self) -> None:
        def read(number: int) -> None:
            if number == 42:
                raise SourceLost("gone", where="scripted")

        sink = ListSink()
        pipeline = Pipeline(ScriptedSource(100, on_read=read), FakeDetector(), [sink])
        with pytest.raises(SourceLost, match="gone"):
            pipeline.run()
        assert sink.indexes == list(range(42))
        assert check(pipeline.ledger).recorded == 42

    @pytest.mark.allow_error_logs
    def test_a_sink_that_fails_is_closed_and_the_others_lose_nothing(self) -> None:
        def full(number: int) -> None:
            if number == 10:
                raise SinkError("disk full", where="a.mp4")

        broken, healthy = ListSink(on_write=full, name="broken"), ListSink(name="healthy")
        report = Pipeline(ScriptedSource(100), FakeDetector(), [broken, healthy]).run()
        assert healthy.indexes == list(range(100))
        assert broken.written == 10
        assert [error.what for error in report.errors] == ["disk full"]
        check(report.ledger)

    @pytest.mark.allow_error_logs
    def test_when_the_last_sink_fails_and_nobody_watches_the_run_ends(self) -> None:
        def full(_number: int) -> None:
            raise SinkError("disk full")

        source = ScriptedSource(None, interval_s=0.001)
        report = Pipeline(source, FakeDetector(), [ListSink(on_write=full)]).run()
        assert report.ended == "no output left"
        assert source.closed.is_set()

    @pytest.mark.allow_error_logs
    def test_a_sink_that_cannot_finish_is_reported(self) -> None:
        def fail() -> None:
            raise SinkError("disk full at the end")

        report = Pipeline(ScriptedSource(3), FakeDetector(), [ListSink(on_close=fail)]).run()
        assert [error.what for error in report.errors] == ["disk full at the end"]


class TestEnding:
    @pytest.mark.allow_error_logs
    def test_a_file_does_not_wait_for_ever_for_a_sink_that_never_returns(self) -> None:
        gate, healthy = Gate(at=3), ListSink(name="healthy")
        stuck = ListSink(on_write=gate, name="stuck")
        report = Pipeline(ScriptedSource(100), FakeDetector(), [stuck, healthy], grace_s=0.2).run()
        assert report.abandoned == ("sink stuck",)
        assert healthy.indexes == list(range(100))
        gate.opened.set()

    def test_threads_that_cannot_be_had_leave_nothing_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started, start = list[str](), threading.Thread.start

        def scarce(thread: threading.Thread) -> None:
            started.append(thread.name)
            if len(started) == 3:
                raise RuntimeError("can't start new thread")
            start(thread)

        source, detector, sink = ScriptedSource(None), FakeDetector(), ListSink()
        pipeline = Pipeline(source, detector, [sink])
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", scarce)
            with pytest.raises(RuntimeError, match="can't start"):
                pipeline.run()
        assert source.closed.is_set()
        assert detector.closed
        assert sink.closes >= 1
        assert pipeline.report is not None

    def test_one_that_was_never_run_can_be_closed_and_then_not_run(self) -> None:
        source, detector, sink = ScriptedSource(3), FakeDetector(), ListSink()
        pipeline = Pipeline(source, detector, [sink])
        pipeline.close()
        pipeline.close()
        assert source.closed.is_set()
        assert detector.closed
        assert sink.closes >= 1
        with pytest.raises(RuntimeError, match="once"):
            pipeline.run()

    def test_a_second_interruption_does_not_leave_things_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pipeline_rest, rests = Supervisor.rest, list[int]()

        def interrupted(supervisor: Supervisor) -> None:
            rests.append(1)
            if len(rests) in {2, 3}:
                raise KeyboardInterrupt(len(rests))
            pipeline_rest(supervisor)

        monkeypatch.setattr(Supervisor, "rest", interrupted)
        source, sink = ScriptedSource(None, interval_s=0.001), ListSink()
        pipeline = Pipeline(source, FakeDetector(), [sink])
        with pytest.raises(KeyboardInterrupt, match="2"):
            pipeline.run()
        assert sink.closes >= 1
        assert pipeline.report is not None

    def test_stop_drains_what_was_captured(self) -> None:
        gate = Gate(at=20)
        source, sink = ScriptedSource(None), ListSink(on_write=gate)
        pipeline = Pipeline(source, FakeDetector(), [sink])
        runner = threading.Thread(target=pipeline.run)
        runner.start()
        assert gate.reached.wait(30)
        pipeline.stop()
        gate.opened.set()
        runner.join()
        ledger = check(pipeline.ledger)
        assert ledger.recorded == ledger.produced == source.produced
        assert sink.indexes == list(range(source.produced))
        assert pipeline.report is not None
        assert pipeline.report.ended == "stopped"

    @pytest.mark.allow_error_logs
    def test_an_inference_that_hangs_is_reported_and_does_not_hold_up_the_end(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate, statuses = Gate(at=3), list[Status]()
        source = ScriptedSource(None, live=True, interval_s=0.01)
        pipeline = Pipeline(
            source,
            FakeDetector(on_detect=gate),
            [ListSink()],
            on_status=statuses.append,
            stall_s=0.1,
            grace_s=0.2,
        )

        def stop_once_stalled() -> None:
            _wait_for(lambda: any(status.state == "stalled" for status in statuses))
            pipeline.stop()

        stopper = threading.Thread(target=stop_once_stalled)
        stopper.start()
        report = pipeline.run()
        stopper.join()
        assert report.abandoned == ("inference",)
        assert "inference has not moved" in caplog.text
        assert any("inference" in status.detail for status in statuses)
        assert any("inference" in status.stalls for status in statuses)
        assert check(report.ledger).in_flight >= 1
        gate.opened.set()

    def test_a_read_that_stands_is_the_sources_until_it_has_its_time_and_then_ours(self) -> None:
        gate, statuses = Gate(at=3), list[Status]()
        pipeline = Pipeline(
            ScriptedSource(6, on_read=gate),
            FakeDetector(),
            [ListSink()],
            on_status=statuses.append,
            stall_s=0.1,
            source_grace_s=1.0,
        )

        def go_on_once_ours() -> None:
            _wait_for(lambda: any(status.stalls for status in statuses))
            gate.opened.set()

        opener = threading.Thread(target=go_on_once_ours)
        opener.start()
        check(pipeline.run().ledger)
        opener.join()
        stalled = [status for status in statuses if status.state == "stalled"]
        assert stalled[0].stalls == ""
        assert stalled[0].detail.startswith("capture (read, ")
        assert stalled[-1].stalls.startswith("capture (read, ")

    @pytest.mark.allow_error_logs
    def test_a_sink_that_never_returns_is_left_behind_at_the_end(self) -> None:
        gate, healthy = Gate(at=3), ListSink(name="healthy")
        stuck = ListSink(on_write=gate, name="stuck")
        source = ScriptedSource(50, live=True, on_read=lambda number: _wait_for(lambda: healthy.written == number))
        report = Pipeline(source, FakeDetector(), [stuck, healthy], grace_s=0.2).run()
        assert report.abandoned == ("sink stuck",)
        assert healthy.indexes == list(range(50))
        assert "did not answer" in report.errors[0].what
        gate.opened.set()

    def test_an_ordinary_exception_of_a_stage_ends_the_run_and_is_what_the_caller_gets(self) -> None:
        def bug(_frame: Frame, _detections: Detections) -> Image:
            raise ZeroDivisionError("drawing")

        source, sink = ScriptedSource(None), ListSink()
        with pytest.raises(ZeroDivisionError, match="drawing"):
            Pipeline(source, FakeDetector(), [sink], draw=bug).run()
        assert source.closed.is_set()
        assert sink.closes >= 1

    def test_everything_is_closed_once_the_run_is_over(self) -> None:
        source, detector, sink, view = ScriptedSource(3), FakeDetector(), ListSink(), ScriptedView()
        Pipeline(source, detector, [sink], view=view).run()
        assert source.closed.is_set()
        assert detector.closed
        assert view.closed
        assert sink.closes >= 1

    def test_two_hundred_runs_leave_no_thread_behind(self) -> None:
        before = threading.active_count()
        for _ in range(200):
            Pipeline(ScriptedSource(3), FakeDetector(), [ListSink()]).run()
        assert threading.active_count() == before


class TestView:
    def test_a_file_is_shown_frame_by_frame_on_the_calling_thread(self) -> None:
        view = ScriptedView()
        report = Pipeline(ScriptedSource(40), FakeDetector(), view=view).run()
        assert [int(image[0, 0, 0]) for image in view.shown] == list(range(40))
        assert view.threads == {threading.get_ident()}
        assert check(report.ledger).shown == 40
        assert report.latency_ms[1] > 0

    def test_quit_stops_the_run_and_the_recording_keeps_what_was_captured(self) -> None:
        view, sink, source = ScriptedView([(5, Command.QUIT)]), ListSink(), ScriptedSource(None)
        report = Pipeline(source, FakeDetector(), [sink], view=view).run()
        assert report.ended == "window closed"
        assert check(report.ledger).recorded == report.ledger.produced == source.produced

    def test_pause_holds_a_file_and_step_moves_it_by_one(self) -> None:
        commands = [(3, Command.PAUSE), (4, Command.STEP), (5, Command.STEP), (6, Command.PAUSE)]
        view = ScriptedView(commands)
        report = Pipeline(ScriptedSource(10), FakeDetector(), view=view).run()
        assert report.ledger.shown == 10
        assert not view._commands

    def test_a_held_picture_stays_until_the_person_leaves(self) -> None:
        view = ScriptedView([(1, Command.LABELS), (2, Command.QUIT)])
        commands: list[Command] = []
        report = Pipeline(
            ScriptedSource(1),
            FakeDetector(),
            view=view,
            hold=True,
            on_command=lambda command, _result: commands.append(command),
        ).run()
        assert commands == [Command.LABELS]
        assert report.ended == "window closed"
        assert report.ledger.shown == 1

    def test_the_threshold_follows_the_keys_and_the_standing_picture_is_drawn_anew(self) -> None:
        drawn: list[int] = []

        def draw(frame: Frame, detections: Detections) -> Image:
            drawn.append(len(detections))
            return np.array(frame.image)

        detector = FakeDetector(scores=(0.57,))
        view = ScriptedView([(1, Command.CONF_UP), (2, Command.CONF_UP), (3, Command.QUIT)])
        Pipeline(ScriptedSource(1), detector, view=view, hold=True, draw=draw).run()
        assert detector.conf == pytest.approx(0.6)
        assert drawn == [1, 1, 0]

    def test_a_view_that_breaks_ends_the_run(self) -> None:
        class Broken(ScriptedView):
            def show(self, image: Image) -> None:
                raise SinkError(f"the window is gone: {image.shape}")

        source = ScriptedSource(None)
        with pytest.raises(SinkError, match="window is gone"):
            Pipeline(source, FakeDetector(), [ListSink()], view=Broken()).run()
        assert source.closed.is_set()

    def test_live_pause_holds_the_picture_and_not_the_recording(self) -> None:
        sink = ListSink()
        source = ScriptedSource(60, live=True, interval_s=0.005)
        resume = threading.Event()

        class Paused(ScriptedView):
            def poll(self, timeout_s: float) -> Command | None:
                if len(self.shown) >= 2 and not resume.is_set() and sink.written >= 60:
                    resume.set()
                    return Command.PAUSE
                return super().poll(timeout_s)

        view = Paused([(2, Command.PAUSE)])
        report = Pipeline(source, FakeDetector(), [sink], view=view).run()
        assert sink.indexes == list(range(60))
        assert report.ledger.shown < 60


class TestResults:
    def test_the_caller_gets_every_result_of_a_file(self) -> None:
        results = list(Pipeline(ScriptedSource(30), FakeDetector()).results())
        assert [result.frame.index for result in results] == list(range(30))

    def test_the_caller_may_leave_early(self) -> None:
        source = ScriptedSource(None)
        pipeline = Pipeline(source, FakeDetector())
        for result in pipeline.results():
            if result.frame.index == 5:
                break
        assert source.closed.is_set()
        check(pipeline.ledger)

    def test_what_is_under_way_when_the_caller_leaves_still_reaches_the_sinks(self) -> None:
        source, sink = ScriptedSource(None), ListSink()
        pipeline = Pipeline(source, FakeDetector(), [sink])
        results = pipeline.results()
        for result in results:
            if result.frame.index == 5:
                break
        results.close()
        assert sink.indexes == list(range(source.produced))
        assert check(pipeline.ledger).dropped == 0

    def test_a_failure_reaches_the_caller(self) -> None:
        def read(number: int) -> None:
            if number == 3:
                raise SourceLost("gone")

        results: list[Result] = []
        with pytest.raises(SourceLost):
            results.extend(Pipeline(ScriptedSource(9, on_read=read), FakeDetector()).results())


def _wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        threading.Event().wait(0.001)
