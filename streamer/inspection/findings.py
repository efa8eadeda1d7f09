"""What is found out of a model, ready to be told: as lines by report.py, as JSON by as_json.py. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import StreamerError
from streamer.frame import Detections, Image
from streamer.labels import Labels
from streamer.models.card import Card
from streamer.models.naming import Naming
from streamer.models.plan import FIRST_CLASS_ID, Plan
from streamer.models.signature import TensorSpec

SURE_FROM = 0.8
"""The sureness from which the probe takes a question for settled."""


@dataclass(frozen=True, slots=True)
class TensorFact:
    """An input or output, the part it was given, and why. role: empty for one that is not read."""

    spec: TensorSpec
    role: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One way of feeding and reading a model, tried on pictures.

    words: what is particular to it: `channel order rgb, scale -1..1`; short: the same as `rgb, -1..1`.
    share: how likely it is, 0 to 1; all together are 1. detections: for each picture, in its pixels. taken: whether it
    is the one that holds in the end.
    """

    words: str
    share: float
    detections: tuple[Detections, ...]
    taken: bool = False
    short: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What looking at pictures said.

    pictures: those that were looked at, with their names. trials: the likeliest first.
    sureness: 0 to 1, for each question how sure the answer of the first trial is; none where there was nothing to ask.
    reason: for people. conf: the lowest score that a run reports; trials show lower ones as well. checked: nothing was
    open; what is usual was tried, and holds whatever the pictures say.
    """

    names: tuple[str, ...]
    pictures: tuple[Image, ...]
    trials: tuple[Trial, ...]
    sureness: Mapping[str, float]
    reason: str = ""
    conf: float = 0.5
    checked: bool = False

    @property
    def overall(self) -> float:
        """How sure the least sure answer of the first trial is; 1 where nothing was asked.

        The id of the first class is told by the ids that were seen, and is no matter of the trials.
        """
        return min((share for what, share in self.sureness.items() if what != FIRST_CLASS_ID), default=1.0)

    @property
    def is_sure(self) -> bool:
        """Whether the pictures settle it."""
        return self.overall >= SURE_FROM

    @property
    def best(self) -> Trial:
        """The trial that holds, else the likeliest."""
        return next((trial for trial in self.trials if trial.taken), self.trials[0])

    @property
    def seen(self) -> tuple[Detections, ...]:
        """What a run would report of each picture."""
        return tuple(found.at_least(self.conf) for found in self.best.detections)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inspection:
    """All that is known of one model; what could not be found out is empty or None.

    concerns: what it would be refused for. trusted: it is run all the same. failure: why it cannot be used; what was
    found before that is here. size_bytes: on the disk, of the whole folder. card: the one that lay with it. plan: how
    it is fed and read, after looking at pictures, if there were any. naming: the names of its classes. run_ms: one run,
    on this machine, as an indication. line: what `streamer run` says of it.
    """

    path: Path
    form: str
    size_bytes: int
    concerns: tuple[str, ...] = ()
    trusted: bool = False
    failure: StreamerError | None = None
    writer: str = ""
    parameters: int | None = None
    signature: str = ""
    signatures: tuple[str, ...] = ()
    inputs: tuple[TensorFact, ...] = ()
    outputs: tuple[TensorFact, ...] = ()
    card: Card | None = None
    plan: Plan | None = None
    naming: Naming | None = None
    runtime: str = ""
    run_ms: float | None = None
    line: str = ""
    looked: Looked | None = None

    @property
    def labels(self) -> Labels:
        """The names of its classes; none where they are not known."""
        return Labels() if self.naming is None else self.naming.labels
