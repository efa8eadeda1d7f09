"""What is made of a health file, in every state of run, process and clock."""

import pytest

from streamer.service.process import Presence
from streamer.service.verdict import judged
from tests.service.healths import health

S = 10**9


def code_and_word(
    *, at_s: float = 100.5, presence: Presence = "there", same_boot: bool = True, **changes: object
) -> tuple[int, str]:
    now_ns = round(at_s * S)
    found = judged(health(**changes), presence=presence, now_ns=now_ns, same_boot=same_boot, max_age_s=10.0)
    return found.exit_code, found.word


@pytest.mark.parametrize("state", ["running", "paused", "draining"])
def test_a_run_whose_frames_flow_or_are_held_on_purpose_is_well(state: str) -> None:
    assert code_and_word(state=state) == (0, state)
    assert code_and_word(state=state, presence="unknown") == (0, state)


@pytest.mark.parametrize("state", ["starting", "connecting", "waiting", "stalled", "failed"])
def test_a_run_without_frames_lacks_its_source(state: str) -> None:
    assert code_and_word(state=state) == (3, state)


def test_a_stage_of_its_own_that_stands_still_is_no_lack_of_a_source() -> None:
    assert code_and_word(state="stalled", stalls="inference (detect, 60 s)") == (1, "stalled")


def test_a_file_that_is_no_longer_written_is_stale() -> None:
    assert code_and_word(at_s=109.9) == (0, "running")
    assert code_and_word(at_s=110.1) == (1, "stale")
    assert code_and_word(at_s=110.1, presence="unknown") == (1, "stale")


def test_a_process_that_has_gone_is_told_before_its_file_is_old() -> None:
    assert code_and_word(presence="gone") == (1, "gone")


def test_another_start_of_the_machine_is_gone_whatever_its_clock_says() -> None:
    assert code_and_word(same_boot=False, at_s=100.1) == (1, "gone")


def test_a_file_from_the_future_of_the_clock_is_stale() -> None:
    assert code_and_word(at_s=99.0) == (1, "stale")


def test_a_run_that_is_over_is_not_alive_and_says_how_it_ended() -> None:
    assert code_and_word(state="ended", exit_code=0, at_s=9999.0, presence="gone") == (1, "ended")
    found = judged(
        health(state="failed", exit_code=3, error="no such camera"),
        presence="gone",
        now_ns=101 * S,
        same_boot=True,
        max_age_s=10.0,
    )
    assert (found.exit_code, found.word, found.why) == (1, "failed", "no such camera (exit code 3)")


def test_the_time_of_day_plays_no_part() -> None:
    for updated in ("1970-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"):
        assert code_and_word(updated=updated) == (0, "running")
