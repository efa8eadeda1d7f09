"""Whether the run behind a health file is alive and its frames flow. Pure; called by `streamer status`."""

from dataclasses import dataclass

from streamer.clock import NS_PER_S
from streamer.service.health import Health
from streamer.service.process import Presence

NOT_ALIVE = 1
NO_SOURCE = 3
"""As the exit code of a run that has lost its source for good."""

FLOWING = frozenset({"running", "paused", "draining"})
"""Frames come, or do not because somebody wants it so."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """exit_code: 0 alive and well, NOT_ALIVE, or NO_SOURCE. word: the state. why: for people, empty where all is well.

    age_s: since the file was written; None where nobody can tell.
    """

    exit_code: int
    word: str
    why: str = ""
    age_s: float | None = None


def judged(health: Health, *, presence: Presence, now_ns: int, same_boot: bool, max_age_s: float) -> Verdict:
    """presence: of the process that wrote it. now_ns: monotonic. same_boot: whether that clock is the writer's."""
    age_s = (now_ns - health.updated_ns) / NS_PER_S if same_boot and now_ns >= health.updated_ns else None
    if health.over:
        code = f"exit code {health.exit_code}"
        return Verdict(NOT_ALIVE, health.state, f"{health.error} ({code})" if health.error else code, age_s)
    if not same_boot:
        return Verdict(NOT_ALIVE, "gone", "written before this machine was started, or on another one")
    if presence == "gone":
        return Verdict(NOT_ALIVE, "gone", f"process {health.process.pid} ended without a word", age_s)
    if age_s is None or age_s > max_age_s:
        why = "written by another clock" if age_s is None else f"nothing was written for {age_s:.0f} s"
        return Verdict(NOT_ALIVE, "stale", f"{why}; {health.state} then", age_s)
    return _of_living(health, age_s)


def _of_living(health: Health, age_s: float) -> Verdict:
    if health.state in FLOWING:
        return Verdict(0, health.state, health.detail, age_s)
    if health.stalls:
        return Verdict(NOT_ALIVE, health.state, health.stalls, age_s)
    return Verdict(NO_SOURCE, health.state, health.detail, age_s)
