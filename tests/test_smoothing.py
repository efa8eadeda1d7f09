"""Boxes where the objects are: what a recording is given when it may wait for the next detection."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.clock import NS_PER_S
from streamer.flow.smoothing import HOLD_NS, Smoothing
from streamer.frame import Detections, Result
from tests.rooms import picture
from tests.swinging import FPS, indexes, off_px, shown, thing


def late(count: int, *, every: int = 6, behind: int = 6) -> Iterator[Result]:
    """A live stream whose detector looks at every sixth frame and has done so six frames later: 5 fps of 30."""
    for number in range(count):
        newest = (number - behind) // every * every
        yield shown(number, newest if newest >= 0 else None)


def smooth(results: Sequence[Result], **bounds: int) -> list[Result]:
    return list(Smoothing(**bounds).over(iter(results), wanted=lambda: True))


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
