"""How pictures become a model's outputs in one run: through the signature it was saved with, or through its network.

ModelDetector drives one and knows neither. Both give what one head reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.models.card import DecodedHead
from streamer.models.feeding import Feeder, Feeding
from streamer.models.heads import Head
from streamer.models.heads.raw import CutHead, RawHeads
from streamer.models.loaded import Graph
from streamer.models.plan import Plan
from streamer.models.preprocess import ImageInput, Placement, placed

RuntimeName = Literal["tensorflow", "openvino", "litert"]

Outputs = Mapping[str, NDArray[Any]]


class Run(Protocol):
    """A model that is open, with all that it takes to run it."""

    @property
    def head(self) -> Head:
        """How its outputs are read."""

    @property
    def runtime(self) -> str:
        """What runs it, for people."""

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the input that the head's boxes are in."""

    @property
    def batch(self) -> int:
        """How many images it takes at once."""

    @property
    def concurrency(self) -> int:
        """How many calls at once it gains by."""

    def place(self, frame_size_px: tuple[int, int]) -> Placement:
        """Where a frame of this size lies in that input."""

    def prepare(self, images: Sequence[Image]) -> NDArray[Any]:
        """At most `batch` images as it takes them; good until this thread calls again."""

    def infer(self, tensor: NDArray[Any]) -> Outputs:
        """What it gives for them; good until this thread calls again. Raises ModelError."""

    def close(self) -> None:
        """Let go. Idempotent."""


class SignatureRun:
    """The graph as it was saved."""

    concurrency = 1

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self._graph = graph
        self._input = ImageInput(plan.input)
        self.head = plan.head
        self.runtime = graph.runtime
        self.size_px = self._input.size_px
        self.batch = self._input.batch

    def place(self, frame_size_px: tuple[int, int]) -> Placement:
        return self._input.place(frame_size_px)

    def prepare(self, images: Sequence[Image]) -> NDArray[Any]:
        return self._input.to_tensor(*images)

    def infer(self, tensor: NDArray[Any]) -> Outputs:
        return self._graph.run(tensor)

    def close(self) -> None:
        self._graph.close()


class Network(Protocol):
    """What a runtime makes of a network: safe to be called by as many threads at once as `concurrency` says."""

    concurrency: int

    @property
    def runtime(self) -> str:
        """What runs it, for people: `OpenVINO 2026.4 CPU`."""

    def run(self, tensor: NDArray[Any], *, frame_size_px: tuple[int, int]) -> Outputs:
        """Outputs by name, good until this thread calls again. Raises ModelError.

        tensor: what the network takes, a batch of one. frame_size_px: (width, height) of the picture that the signature
        would have been given; some boxes depend on it.
        """

    def close(self) -> None:
        """Let go. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A network in a file, and how it is fed and read; all that a later run needs of it.

    file: its name in the folder of the record. outputs: what they are called in the file, by the names of the
    signature. feeding: None where it takes what the signature takes. raw: None where it ends as the signature does.
    fixed: outputs that are the same for every picture. frame_shape: whether it takes the picture's shape besides.
    int8: whether its numbers were quantised here. device: as OpenVINO calls it.
    """

    runtime: RuntimeName
    file: str
    outputs: Mapping[str, str]
    feeding: Feeding | None = None
    raw: RawHeads | None = None
    fixed: Mapping[str, list[Any]] = field(default_factory=dict)
    frame_shape: bool = False
    int8: bool = False
    device: str = "CPU"

    @property
    def extent(self) -> str:
        """What of the graph is run, for people."""
        parts = ["after its resize" if self.feeding else "", "before its suppression" if self.raw else ""]
        told = " and ".join(part for part in parts if part)
        return f"{'int8, ' if self.int8 else ''}cut {told}" if told else f"{'int8, ' if self.int8 else ''}whole"


class LoweredRun:
    """A network that was cut out of the graph."""

    batch = 1

    def __init__(self, network: Network, lowered: Lowered, plan: Plan) -> None:
        self._network = network
        self._fixed = {name: np.asarray(value) for name, value in lowered.fixed.items()}
        self._input = ImageInput(plan.input)
        self._feeder: Feeder | None = None
        if lowered.feeding is not None:
            differs = plan.input.channel_order == "rgb"
            self._feeder = Feeder(lowered.feeding, order_differs=differs, mean=plan.input.mean, std=plan.input.std)
        self.head: Head = plan.head
        if lowered.raw is not None:
            card = plan.head_card
            decoded = card if isinstance(card, DecodedHead) else DecodedHead()
            self.head = CutHead(lowered.raw, order=decoded.order, unit=decoded.unit)
        self.size_px = self._input.size_px
        self.concurrency = network.concurrency
        self.runtime = network.runtime + (", int8" if lowered.int8 else "")

    def place(self, frame_size_px: tuple[int, int]) -> Placement:
        return self._input.place(frame_size_px)

    def prepare(self, images: Sequence[Image]) -> NDArray[Any]:
        (image,) = images
        if self._feeder is None:
            return self._input.to_tensor(image)
        return self._feeder.tensor(placed(image, self.place((image.shape[1], image.shape[0]))))

    def infer(self, tensor: NDArray[Any]) -> Outputs:
        given = self._network.run(tensor, frame_size_px=self.size_px)
        return {**self._fixed, **given} if self._fixed else given

    def close(self) -> None:
        self._network.close()
