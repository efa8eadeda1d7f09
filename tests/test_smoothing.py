"""Boxes where the objects are: what a recording is given when it may wait for the next detection."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analytics.privacy import Blur
from streamer.channel import Policy
from streamer.clock import NS_PER_S, FakeClock, MonotonicClock
from streamer.errors import ConfigError, SinkError
from streamer.flow.lane import Lane
from streamer.flow.smoothing import HOLD_NS, Smoothing
from streamer.frame import Detections, Frame, Image, Ledger, Moment, Result
from streamer.pipeline import Pipeline
from tests.fakes import FakeDetector, Gate
from tests.rooms import ListSink, ScriptedSource, ScriptedView, picture

FPS = 30
SIZE_PX = (640, 480)


def true_x(number: int) -> float:
    """Where the left edge of the one object is on frame `number`: it swings, at 100 px/s at most."""
    return 200 + 100 * math.sin(number / FPS)


def thing(number: int) -> Detections:
    x = true_x(number)
    return Detections.from_raw([[x, 100, x + 40, 180]], [0.9], [1], size_px=SIZE_PX)


def shown(
    number: int,
    made_on: int | None,
    *,
    epoch: int = 0,
    see: Callable[[int], Detections] = thing,
    fps: float = FPS,
) -> Result:
    """Frame `number` as the view has it, under what was seen on the frame `made_on`."""
    frame = Frame(picture(number), number, round(number * NS_PER_S / fps), pts_s=number / fps, epoch=epoch)
    if made_on is None:
        return Result(frame, Detections.unknown())
    moment = Moment(made_on, round(made_on * NS_PER_S / fps), made_on / fps, epoch)
    age_ns = Moment.of(frame).ns_since(moment)
    return Result(frame, see(made_on).aged(age_ns), detected=made_on == number, made_on=moment)


def late(count: int, *, every: int = 6, behind: int = 6) -> Iterator[Result]:
    """A live stream whose detector looks at every sixth frame and has done so six frames later: 5 fps of 30."""
    for number in range(count):
        newest = (number - behind) // every * every
        yield shown(number, newest if newest >= 0 else None)


def smooth(results: Sequence[Result], **bounds: int) -> list[Result]:
    return list(Smoothing(**bounds).over(iter(results), wanted=lambda: True))


def off_px(result: Result) -> float:
    """How far the box is from where the object is."""
    return abs(float(result.detections.boxes[0, 0]) - true_x(result.frame.index))


def indexes(results: Sequence[Result]) -> list[int]:
    return [result.frame.index for result in results]


def and_no_more(results: Sequence[Result]) -> Iterator[Result]:
    """The results; whoever asks for one more waits for too long."""
    yield from results
    pytest.fail("frames are held that could go")


class TestSmoothing:
    def test_boxes_are_where_the_object_is(self) -> None:
        came = list(late(120))
        went = smooth(came)
        assert indexes(went) == list(range(120))
        known = [number for number in range(120) if came[number].detections.looked]
        assert max(off_px(came[number]) for number in known) > 30
        assert max(off_px(result) for result in went[:109]) < 1

    def test_it_says_what_it_did(self) -> None:
        went = smooth(list(late(120)))
        for result in went[1:108]:
            behind = result.frame.index % 6
            assert result.interpolated == (behind != 0)
            assert result.detected == (behind == 0)
            assert result.made_on is not None
            assert result.made_on.index == result.frame.index - behind
            assert result.detections.age_ns == pytest.approx(behind * NS_PER_S / FPS, abs=2)

    def test_the_last_frames_get_the_newest_that_is_there(self) -> None:
        last = smooth(list(late(120)))[109:]
        assert not any(result.interpolated for result in last)
        assert {result.made_on.index for result in last if result.made_on is not None} == {108}
        ages = [result.detections.age_ns * FPS / NS_PER_S for result in last]
        assert ages == pytest.approx(list(range(1, 12)), abs=1e-6)

    def test_a_stream_on_which_every_frame_is_looked_at_goes_as_it_came(self) -> None:
        came = [shown(number, number) for number in range(30)]
        smoothing = Smoothing()
        for result, given_back in zip(came, smoothing.over(iter(came), wanted=lambda: True), strict=True):
            assert given_back is result
            assert smoothing.held_bytes == 0

    def test_every_nth_of_a_file_is_joined_too(self) -> None:
        went = smooth([shown(number, number // 5 * 5) for number in range(41)])
        assert indexes(went) == list(range(41))
        assert max(map(off_px, went)) < 1
        assert [result.detected for result in went] == [number % 5 == 0 for number in range(41)]

    def test_where_nobody_has_looked_before_there_are_no_boxes(self) -> None:
        went = smooth([shown(number, 3 if number >= 6 else None) for number in range(9)])
        assert [len(result.detections) for result in went] == [0, 0, 0, 1, 1, 1, 1, 1, 1]
        assert not any(result.interpolated for result in went)
        assert [result.detected for result in went[:4]] == [False, False, False, True]

    def test_what_came_and_went_changes_half_way(self) -> None:
        def see(number: int) -> Detections:
            return thing(number) if number == 4 else Detections.empty()

        went = smooth([shown(number, number // 4 * 4, see=see) for number in range(9)])
        assert [len(result.detections) for result in went] == [0, 0, 1, 1, 1, 1, 0, 0, 0]

    def test_nothing_is_joined_across_epochs_and_nothing_waits_there(self) -> None:
        first = [shown(number, number // 4 * 4) for number in range(6)]
        second = [shown(number, number if number == 8 else None, epoch=1) for number in range(6, 9)]
        went = Smoothing().over(and_no_more(first + second[:1]), wanted=lambda: True)
        assert indexes([next(went) for _ in range(6)]) == list(range(6))
        rest = smooth(first + second)[6:]
        assert indexes(rest) == [6, 7, 8]
        assert not any(result.interpolated for result in rest)
        assert not rest[0].detections.looked

    def test_what_nobody_has_looked_at_does_not_wait_for_the_next_epoch_either(self) -> None:
        came = [shown(0, None), shown(1, None), shown(2, None, epoch=1)]
        went = Smoothing().over(and_no_more(came), wanted=lambda: True)
        assert [next(went), next(went)] == came[:2]

    def test_a_detector_that_stalls_holds_up_the_recording_no_longer_than_the_bound(self) -> None:
        came = [shown(number, 0 if number < 150 else number // 6 * 6 - 6) for number in range(220)]
        newest = -1

        def coming() -> Iterator[Result]:
            nonlocal newest
            for result in came:
                newest = result.frame.index
                yield result

        went = []
        for result in Smoothing().over(coming(), wanted=lambda: True):
            assert newest - result.frame.index <= HOLD_NS / NS_PER_S * FPS + 1
            went.append(result)
        assert indexes(went) == list(range(220))
        assert not any(result.interpolated for result in went[:145])
        assert max(off_px(result) for result in went[144:205]) < 1  # and it finds its way back

    def test_what_was_seen_too_far_apart_is_not_joined(self) -> None:
        went = smooth([shown(number, number // 90 * 90) for number in range(91)])
        assert not any(result.interpolated for result in went)

    def test_memory_is_bounded_and_what_is_still_held_is_joined(self) -> None:
        size_bytes = picture(0).nbytes
        smoothing, held = Smoothing(hold_bytes=4 * size_bytes), list[int]()
        went = []
        for result in smoothing.over(late(60), wanted=lambda: True):
            held.append(smoothing.held_bytes)
            went.append(result)
        assert max(held) <= 4 * size_bytes
        assert indexes(went) == list(range(60))
        assert smooth([shown(0, 0), shown(1, None)], hold_bytes=1)[1].frame.index == 1

    def test_while_nobody_keeps_anything_nothing_is_held(self) -> None:
        came, smoothing = list(late(30)), Smoothing()
        for result, given_back in zip(came, smoothing.over(iter(came), wanted=lambda: False), strict=True):
            assert given_back.frame is result.frame
            assert smoothing.held_bytes == 0

    def test_a_frame_on_which_the_detector_failed_is_between_its_neighbours(self) -> None:
        failed = Result(shown(1, None).frame, Detections.unknown(), failed=True)
        went = smooth([shown(0, 0), failed, shown(2, 2)])
        assert (went[1].failed, went[1].interpolated, went[1].detected) == (True, True, False)
        assert off_px(went[1]) < 1
        last = smooth([shown(0, 0), failed])[1]
        assert (last.failed, last.detections.looked) == (True, False)

    def test_a_frame_whose_boxes_changed_is_not_taken_for_drawn(self) -> None:
        image = picture(1)
        came = [Result(r.frame, r.detections, image=image, detected=r.detected, made_on=r.made_on) for r in late(20)]
        went = smooth(came)
        assert [result.image is None for result in went] == [True] * 18 + [False, False]

    @given(
        seeds=st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), max_size=60),
        hold_items=st.integers(1, 20),
    )
    def test_whatever_comes_all_of_it_goes_in_order(self, seeds: list[tuple[int, bool, bool]], hold_items: int) -> None:
        came, epoch, first = [], 0, 0
        for number, (behind, looked, anew) in enumerate(seeds):
            if anew and number % 7 == 0:
                epoch, first = epoch + 1, number
            came.append(shown(number, max(first, number - behind) if looked else None, epoch=epoch))
        went = smooth(came, hold_bytes=hold_items * picture(0).nbytes, hold_ns=NS_PER_S // 3)
        assert indexes(went) == indexes(came)
        for result in went:
            assert result.detected == (result.made_on is not None and result.made_on.index == result.frame.index)
            assert not result.interpolated or not result.detected
            assert result.made_on is None or result.made_on.epoch == result.frame.epoch


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

    def _draw(self, image: Image, detections: Detections) -> Image:
        self.drawn.append(detections)
        return image.copy()

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

        def draw(image: Image, _detections: Detections) -> Image:
            threads.append(threading.current_thread().name)
            return image.copy()

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
