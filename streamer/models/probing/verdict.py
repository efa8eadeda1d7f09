"""What looking at pictures said: data only. Made by probe.py; read by opening.py and by `streamer inspect`."""

from collections.abc import Mapping
from dataclasses import dataclass

from streamer.frame import Detections
from streamer.models.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One way of feeding and reading the model, and what it showed.

    words: what is particular to it: `channel order rgb, scale -1..1`. answers: the same by question. figure: how much
    of what was seen the pictures account for, on average. share: how likely it is, 0 to 1; all together are 1.
    detections: for each picture, in its pixels.
    """

    words: str
    answers: Mapping[str, str]
    plan: Plan
    figure: float
    share: float
    detections: tuple[Detections, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What looking said.

    plan: the plan with the answers that are likelier than not; what is not sure enough is still open.
    sureness: 0 to 1, for each question the chance that the answer of the first candidate is right.
    candidates: the likeliest first, which is the one believed; never none. reason: for people.
    runs: how often the model was run.
    """

    plan: Plan
    sureness: Mapping[str, float]
    candidates: tuple[Candidate, ...]
    reason: str
    runs: int

    @property
    def overall(self) -> float:
        """How sure the believed candidate is as a whole: the least sure of its answers; 1 where nothing was asked."""
        return min(self.sureness.values(), default=1.0)
