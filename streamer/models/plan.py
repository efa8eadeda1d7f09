"""How one model is fed and read, with the reason for every decision.

understanding.py makes it, ModelDetector follows it. It knows nothing of files and runs nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from streamer.models.card import CardLabels, HeadCard, Triple
from streamer.models.heads import Head
from streamer.models.options import ChannelOrder, Fit, Layout
from streamer.models.signature import TensorSpec

FIRST_CLASS_ID = "first class id"
"""The name of the decision that no way of feeding or reading the model shows: only the ids that are seen do."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One decision, for people and for the probe.

    what: `scale`, `channel order`, `fit`, `layout`, `size`, `box order`, `box unit`, `first class id`, ...
    value: what was chosen. why: `--scale`, `model.yaml`, `preset blazeface`, `its quantisation`, `usual for floats`.
    is_usual: the file does not say it, its family does; only a close look (`streamer inspect --image`) may change it.
    is_open: nothing says it: the likeliest was taken, and looking at pictures may change it.
    """

    what: str
    value: str
    why: str
    is_usual: bool = False
    is_open: bool = False

    def __str__(self) -> str:
        return f"{self.what} {self.value} ({self.why})"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPlan:
    """How a frame becomes the model's input.

    spec: the input as the signature has it. size_px: (width, height) in this run. batch: how many images the graph
    takes at once; None for a graph without a batch dimension. mean, std: (pixel - mean) / std for each channel in the
    model's order, pixels 0..255; what an integer input stands for is quantised from that.
    """

    spec: TensorSpec
    size_px: tuple[int, int]
    batch: int | None
    layout: Layout
    channel_order: ChannelOrder
    mean: Triple
    std: Triple
    fit: Fit

    @property
    def scale(self) -> str:
        """The range of the values that a pixel becomes: `0..1`, `-1..1`, `0..255`, or mean and std."""
        for name, (mean, std) in RANGES.items():
            if self.mean == (mean,) * 3 and self.std == (std,) * 3:
                return name
        return f"mean {_numbers(self.mean)} std {_numbers(self.std)}"


RANGES = {"0..255": (0.0, 1.0), "0..1": (0.0, 255.0), "-1..1": (127.5, 127.5)}
"""(mean, std) of the usual ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that ModelDetector needs besides the graph.

    head_card: what `head` was built from, so that it can be built again in another way.
    card: where the card is from, `model.yaml`, `preset ulfg`; empty where there is none.
    first_class_id: of the model's classes, for the labels; class_count: where it is known.
    labels: as its card has them; family_labels: as the preset `family` has them, which nobody named.
    """

    input: InputPlan
    head: Head
    head_card: HeadCard
    choices: tuple[Choice, ...]
    card: str = ""
    first_class_id: int = 1
    class_count: int | None = None
    labels: CardLabels | None = None
    family: str = ""
    family_labels: CardLabels | None = None

    def choice(self, what: str) -> Choice:
        """The decision called `what`. Raises KeyError."""
        found = next((choice for choice in self.choices if choice.what == what), None)
        if found is None:
            raise KeyError(what)
        return found

    def open_choices(self) -> Iterator[Choice]:
        """Those that nothing in the model says."""
        return (choice for choice in self.choices if choice.is_open)


def _numbers(values: Triple) -> str:
    return ",".join(f"{value:.4g}" for value in values)
