"""A loaded model, whatever its form and runtime: what runs it, what it takes and gives, and what its file says besides.

The formats make it; understanding.py decides from it how the model is to be fed and read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from streamer.models.card import HeadCard, Range
from streamer.models.options import ChannelOrder
from streamer.models.signature import Signature

Role = Literal["boxes", "scores", "classes", "count"]


class Graph(Protocol):
    """What a runtime gives: a loaded graph."""

    @property
    def runtime(self) -> str:
        """What runs it, for people: `TensorFlow 2.21 CPU`."""

    def run(self, images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Outputs by name, quantised ones as the real numbers that they stand for.

        images: of the dtype and the shape that the signature's image input has. Raises ModelError.
        """

    def close(self) -> None:
        """Let go. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What a file says of itself besides its signature. Everything may be absent: most files say none of it.

    roles: which output is what, by output name, where the file tells (the order of TFLite_Detection_PostProcess).
    normalization: (mean, std) of each channel for pixels 0..255; normalization_from: what of the file states them.
    value_range: of floats, where the first steps of the graph tell it: what divides by 255 wants 0..255.
    channel_order: of the image, where the form fixes it.
    first_class_id: the id that the model gives to its first class, background not counted.
    class_count: how many classes it tells apart.
    labels: the text of a label file that is packed inside the model.
    input_size_px: (width, height) that it was made for, where the input itself takes any.
    head: how its outputs are read, where the form fixes it.
    """

    roles: Mapping[Role, str] = field(default_factory=dict)
    normalization: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    normalization_from: str = "the metadata in its file"
    value_range: Range | None = None
    channel_order: ChannelOrder | None = None
    first_class_id: int | None = None
    class_count: int | None = None
    labels: str | None = None
    input_size_px: tuple[int, int] | None = None
    head: HeadCard | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that can be run.

    form: for people: `SavedModel`, `frozen graph`, `TFLite`, `Keras .h5`, `OpenCV dnn`.
    signatures: the names of all that it has; `signature` is the one that `graph` runs.
    writer: what wrote the file, `TensorFlow 2.9.1`; empty where it does not say.
    parameters: how many weights it has; None where that cannot be told.
    """

    graph: Graph
    signature: Signature
    form: str
    signatures: tuple[str, ...] = ()
    hints: Hints = Hints()
    writer: str = ""
    parameters: int | None = None
