"""The pipeline's parts on their own: turns, the newest detections, the books, the watchdog, the front."""

import threading
from collections.abc import Iterator

import pytest

from streamer.channel import ChannelClosed, Policy
from streamer.clock import NS_PER_S, FakeClock, MonotonicClock
from streamer.flow.front import BRIEF_S, IDLE_S, Front
from streamer.flow.meters import Meters
from streamer.flow.newest import Newest
from streamer.flow.stage import Stage, Work
from streamer.flow.tally import Tally
from streamer.flow.turns import Turns
from streamer.flow.watchdog import MAX_GAP_NS, Watchdog
from streamer.frame import Detections, Frame, Ledger, Moment, Result, Status
from streamer.interfaces import Command
from tests.fakes import FakeDetector
from tests.rooms import ScriptedView, picture


def frame(index: int, *, epoch: int = 0) -> Frame:
    return Frame(picture(index), index, captured_ns=index * NS_PER_S, epoch=epoch)


def boxes(count: int) -> Detections:
    return Detections.from_raw([[0, 0, 9, 9]] * count, [0.9] * count, [1] * count, size_px=(64, 48))


def under(newest: Newest, asked: Frame, *, patience_ns: int = 0) -> Detections:
    return newest.under(asked, patience_ns=patience_ns).detections


class TestNewest:
    def test_a_frame_is_never_shown_under_the_boxes_of_a_later_one(self) -> None:
        newest = Newest(FakeClock(), depth=4, live=True)
        newest.publish(frame(1), boxes(1))
        newest.publish(frame(5), boxes(5))
        found = under(newest, frame(3))
        assert (len(found), found.age_ns) == (1, 2 * NS_PER_S)
        assert len(under(newest, frame(0))) == 0
        assert under(newest, frame(5)).age_ns == 0

    def test_where_no_detector_has_looked_nothing_is_known(self) -> None:
        newest = Newest(FakeClock(), depth=4, live=True)
        newest.publish(frame(1), Detections.empty())
        assert under(newest, frame(2)).looked
        assert not under(newest, frame(0)).looked
        assert not under(newest, frame(2, epoch=1)).looked

    def test_boxes_of_a_file_that_is_read_fast_age_with_the_media(self) -> None:
        newest = Newest(FakeClock(), depth=4, live=True)
        newest.publish(Frame(picture(1), 1, captured_ns=5, pts_s=1.0), boxes(1))
        assert under(newest, Frame(picture(9), 9, captured_ns=9, pts_s=1.5)).age_ns == NS_PER_S // 2
        assert under(newest, Frame(picture(9), 9, captured_ns=9, pts_s=None)).age_ns == 4

    def test_boxes_of_a_file_that_is_not_live_age_with_the_media_alone(self) -> None:
        clock = FakeClock()
        newest = Newest(clock, depth=1, live=False)
        newest.publish(Frame(picture(1), 1, captured_ns=5, pts_s=1.0), boxes(1))
        clock.advance(3600)
        assert under(newest, Frame(picture(9), 9, clock.now_ns(), pts_s=1.5)).age_ns == NS_PER_S // 2
        assert under(newest, Frame(picture(9), 9, captured_ns=9)).age_ns == 4

    def test_only_a_frames_own_boxes_have_no_age(self) -> None:
        newest = Newest(FakeClock(), depth=4, live=True)
        newest.publish(Frame(picture(1), 1, captured_ns=5), boxes(1))
        assert under(newest, Frame(picture(1), 1, captured_ns=5)).age_ns == 0
        assert under(newest, Frame(picture(2), 2, captured_ns=5)).age_ns == 1

    def test_a_frame_tells_which_frame_its_boxes_were_made_on(self) -> None:
        newest = Newest(FakeClock(), depth=4, live=True)
        newest.publish(frame(1), boxes(1))
        own, later = newest.under(frame(1), patience_ns=0), newest.under(frame(2), patience_ns=0)
        assert own.made_on == later.made_on == Moment.of(frame(1))
        assert (own.detected, later.detected) == (True, False)
        assert newest.under(frame(0), patience_ns=0).made_on is None

    def test_it_waits_for_a_frames_own_boxes_no_longer_than_it_is_told(self) -> None:
        newest = Newest(MonotonicClock(), depth=4, live=True)
        asked = Frame(picture(1), 1, MonotonicClock().now_ns())
        assert len(under(newest, asked, patience_ns=NS_PER_S // 100)) == 0
        newest.skip(1)
        assert len(under(newest, asked, patience_ns=3600 * NS_PER_S)) == 0

    def test_nobody_waits_for_one_that_is_closed(self) -> None:
        newest = Newest(FakeClock(), depth=4, live=True)
        newest.close()
        assert len(under(newest, frame(1), patience_ns=3600 * NS_PER_S)) == 0


class TestTurns:
    def turns(self, count: int, *, workers: int) -> Turns[int]:
        there: Iterator[int] = iter(range(count))
        return Turns(lambda: [number for number in [next(there, None)] if number is not None], workers=workers)

    def test_what_is_ready_first_waits_for_what_was_taken_first(self) -> None:
        turns, handed_on = self.turns(3, workers=3), list[int]()
        ready = [threading.Event() for _ in range(3)]

        def work(worker: int) -> None:
            for turn, (item,) in turns.taken_by(worker):
                assert ready[item].wait(30)
                ready[item - 1].set()  # only now may the one before it be ready
                with turns.turn(turn):
                    handed_on.append(item)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
        for thread in threads:
            thread.start()
        ready[2].set()
        for thread in threads:
            thread.join()
        assert handed_on == [0, 1, 2]

    def test_the_last_one_to_finish_closes_up(self) -> None:
        turns = self.turns(2, workers=2)
        one, other = turns.taken_by(0), turns.taken_by(1)
        with turns.turn(next(one)[0]):
            turn, _ = next(other)
        assert list(one) == []
        assert not turns.leave(0)
        with turns.turn(turn):
            pass
        assert list(other) == []
        assert turns.leave(1)
        assert turns.leave(0)

    def test_who_leaves_with_work_undone_lets_nobody_wait(self) -> None:
        turns = self.turns(9, workers=2)
        one, other = turns.taken_by(0), turns.taken_by(1)
        next(one)
        turn, _ = next(other)
        refused = list[ChannelClosed]()

        def wait() -> None:
            try:
                with turns.turn(turn):
                    pass
            except ChannelClosed as closed:
                refused.append(closed)

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert turns.leave(0)
        waiting.join()
        assert len(refused) == 1
        assert turns.leave(1)


class TestTally:
    @pytest.mark.parametrize(
        ("detected", "rendered", "counted"),
        [
            ("inferred", "rendered", "inferred"),
            ("inferred", "dropped", "dropped"),
            ("skipped", "rendered", "carried"),
            ("skipped", "dropped", "dropped"),
            ("failed", "rendered", "failed"),
            ("failed", "dropped", "failed"),
        ],
    )
    def test_each_frame_is_counted_once(self, detected: str, rendered: str, counted: str) -> None:
        for first in ("detected", "rendered"):
            tally = Tally()
            tally.captured(0)
            steps = {"detected": detected, "rendered": rendered}
            for step in (first, *(steps.keys() - {first})):
                assert tally.ledger().in_flight == 1
                getattr(tally, step)(0, steps[step])
                getattr(tally, step)(0, steps[step])
            assert tally.ledger() == Ledger(produced=1, **{counted: 1})

    def test_what_is_in_flight_when_it_closes_was_lost(self) -> None:
        tally = Tally()
        tally.captured(0)
        tally.captured(1)
        tally.detected(1, "failed")
        tally.unusable(2)
        tally.close()
        assert tally.ledger() == Ledger(produced=4, dropped=1, failed=3)

    def test_what_its_source_left_out_was_dropped_and_not_broken(self) -> None:
        tally = Tally()
        tally.unusable(5)
        assert tally.ledger(left_out=3) == Ledger(produced=5, dropped=3, failed=2)
        assert tally.ledger(left_out=9) == Ledger(produced=5, dropped=5)


class TestWatchdog:
    def stage(self, *, patience_ns: int = 0) -> Stage:
        stage = Stage("reader", lambda _stage: None, leave=lambda: None, clock=FakeClock(), patience_ns=patience_ns)
        stage.work = Work("read", 0)
        return stage

    def looked(self, watchdog: Watchdog, stage: Stage, *, seconds: float, every_s: float = 0.1) -> str:
        said = ""
        for step in range(round(seconds / every_s) + 1):
            said = watchdog.look([stage], round(step * every_s * NS_PER_S))
        return said

    def test_it_says_once_what_stands_and_when_it_moves_again(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")
        watchdog, stage = Watchdog(stall_s=2.0), self.stage()
        assert self.looked(watchdog, stage, seconds=1.9) == ""
        assert self.looked(watchdog, stage, seconds=9.0).startswith("reader (read, ")
        stage.work = None
        assert watchdog.look([stage], 10 * NS_PER_S) == ""
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]

    def test_new_work_begins_from_zero(self) -> None:
        watchdog, stage = Watchdog(stall_s=2.0), self.stage()
        self.looked(watchdog, stage, seconds=1.9)
        stage.work = Work("read", 0)
        assert self.looked(watchdog, stage, seconds=1.9) == ""

    def test_a_process_that_was_stopped_blames_nobody(self) -> None:
        watchdog, stage = Watchdog(stall_s=2.0), self.stage()
        self.looked(watchdog, stage, seconds=0.5)
        assert watchdog.look([stage], 3600 * NS_PER_S) == ""
        assert watchdog.stood_ns(stage) <= 0.5 * NS_PER_S + MAX_GAP_NS

    def test_a_slow_source_is_given_its_time(self) -> None:
        stage = self.stage(patience_ns=10 * NS_PER_S)
        assert self.looked(Watchdog(stall_s=2.0), stage, seconds=9) == ""


class TestFront:
    def front(self, view: ScriptedView, detector: FakeDetector, *, hold: bool = False) -> Front:
        return Front(
            view,
            policy=Policy.BLOCK,
            hold=hold,
            clock=FakeClock(),
            tally=Tally(),
            meters=Meters(),
            detector=detector,
            redraw=lambda result: result,
            on_command=None,
        )

    @pytest.mark.parametrize(
        ("conf", "command", "wanted"),
        [
            (0.5, Command.CONF_UP, 0.55),
            (0.5, Command.CONF_DOWN, 0.45),
            (0.93, Command.CONF_UP, 0.95),
            (0.98, Command.CONF_UP, 0.98),
            (0.01, Command.CONF_DOWN, 0.01),
        ],
    )
    def test_the_threshold_moves_where_it_was_told_to(self, conf: float, command: Command, wanted: float) -> None:
        detector = FakeDetector(conf=conf)
        self.front(ScriptedView([(0, command)]), detector).pump(Status())
        assert detector.conf == pytest.approx(wanted)

    def test_stepping_past_the_end_does_not_keep_it_busy(self) -> None:
        waits_s: list[float] = []

        class Waiting(ScriptedView):
            def poll(self, timeout_s: float) -> Command | None:
                waits_s.append(timeout_s)
                return super().poll(timeout_s)

        front = self.front(Waiting([(1, Command.STEP)]), FakeDetector(), hold=True)
        front.put(Result(frame(0), Detections.empty(), image=frame(0).image), Status())
        front.channel.close()
        for _ in range(4):
            front.pump(Status())
        assert waits_s == [BRIEF_S, BRIEF_S, IDLE_S, IDLE_S]

    def test_the_window_goes_as_soon_as_the_person_does(self) -> None:
        view = ScriptedView([(0, Command.QUIT)])
        front = self.front(view, FakeDetector())
        assert not front.pump(Status())
        assert view.closed
        front.put(Result(frame(0), Detections.empty(), image=frame(0).image), Status())
        assert front.channel.depth == 0
