"""What range of numbers a model takes, told from what its graph does first with them: a graph that divides by 255 wants
0..255.

Pure arithmetic over a graph that somebody else reads: graph_body.py for TensorFlow, tflite.py for TFLite. It says
something only where one of the usual ranges becomes what networks are usually fed, and the others do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import Range

Numbers = NDArray[np.float64]

_ENDS: dict[Range, tuple[float, float]] = {"0..255": (0, 255), "0..1": (0, 1), "-1..1": (-1, 1)}

_USUAL = ((0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (0.0, 255.0))
"""What the first layer of a network is fed with; besides, pixels less a mean, and those over a deviation."""

_TOLERANCE = 0.02
"""Of a range: 127 and 128 stand for 127.5, 256 for 255."""

_MEANS = (80.0, 150.0)
"""What is subtracted of pixels, for each channel: ImageNet's means are 103.5 to 123.7."""

_STANDARD_LOW, _STANDARD_HIGH = (-2.6, -1.5), (1.5, 2.9)
"""Between what black and white come to lie where a mean is taken off and the rest divided by the deviation; with
ImageNet's -2.12 to -1.80, and 2.25 to 2.64."""

_MAX_STEPS = 24
"""So far into a graph is looked."""

_KEEPS_VALUES = frozenset(
    {"Identity", "Cast", "Transpose", "Reshape", "ExpandDims", "Squeeze", "EnsureShape", "StopGradient", "Pad", "PadV2"}
    | {"ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "StridedSlice", "ReverseV2"}
    | {"Dequantize", "Quantize", "IdentityN"}
)

_SAME = {"AddV2": "Add", "BiasAdd": "Add", "RealDiv": "Div"}

_READS_SHAPE = frozenset({"Shape", "ShapeN", "Size", "Rank", "NoOp", "Assert"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a graph, by TensorFlow's name of its kind; inputs and output are names of tensors."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    output: str


class Body(Protocol):
    """A graph, or a function in one."""

    def readers(self, tensor: str) -> Sequence[Operation]:
        """What takes that tensor."""

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """What it holds, where that does not depend on the picture."""

    def inside(self, operation: Operation, tensor: str) -> "tuple[Body, str] | None":
        """The function that the operation calls, and what the tensor is called there; None for no call."""


def told_range(body: Body, image: str) -> Range | None:
    """The range that the graph makes something usual of; None where it does not say.

    image: the tensor of the picture.
    """
    factor, shift = np.ones(1), np.zeros(1)
    for step_factor, step_shift in _steps(body, image):
        try:
            factor, shift = factor * step_factor, shift * step_factor + step_shift
        except ValueError:  # channels first in one place and last in the other: nothing that can be compared
            return None
        fitting = [name for name, ends in _ENDS.items() if _is_usual(ends, factor, shift)]
        if len(fitting) == 1:
            return fitting[0]
    return None


def range_of(low: float, high: float) -> Range | None:
    """The usual range that these ends are those of; None for none."""
    return next((name for name, ends in _ENDS.items() if _are_ends(np.array(low), np.array(high), ends)), None)


def _steps(body: Body, tensor: str) -> Iterator[tuple[Numbers, Numbers]]:
    """(factor, shift) of each step from the picture on that multiplies and adds."""
    for _ in range(_MAX_STEPS):
        readers = [reader for reader in body.readers(tensor) if reader.kind not in _READS_SHAPE]
        if len(readers) != 1:
            return
        (reader,) = readers
        entered = body.inside(reader, tensor)
        if entered is not None:
            body, tensor = entered
            continue
        if reader.kind not in _KEEPS_VALUES:
            step = _step(body, reader, tensor)
            if step is None:
                return
            yield step
        tensor = reader.output


def _step(body: Body, operation: Operation, tensor: str) -> tuple[Numbers, Numbers] | None:
    if len(operation.inputs) != 2:
        return None
    left, right = operation.inputs
    other = _channels(body.constant(right if left == tensor else left))
    if other is None:
        return None
    one, zero = np.ones(1), np.zeros(1)
    picture_first = left == tensor
    steps: dict[str, tuple[Numbers, Numbers]] = {
        "Mul": (other, zero),
        "Add": (one, other),
        **({"Sub": (one, -other)} if picture_first else {}),
        **({"Div": (1 / other, zero)} if picture_first and other.all() else {}),
    }
    return steps.get(_SAME.get(operation.kind, operation.kind))


def _channels(constant: NDArray[Any] | None) -> Numbers | None:
    """One number for all channels, or one for each; None for anything else."""
    if constant is None or constant.size not in {1, 3} or constant.dtype.kind not in "fiu":
        return None
    numbers = np.asarray(constant, np.float64).reshape(-1)
    return numbers if np.isfinite(numbers).all() else None


def _is_usual(ends: tuple[float, float], factor: Numbers, shift: Numbers) -> bool:
    if (factor <= 0).any() or ((factor == 1).all() and (shift == 0).all()):
        return False
    low, high = (end * factor + shift for end in ends)
    if any(_are_ends(low, high, usual) for usual in _USUAL if usual != ends):
        return True
    if ends[0] < 0:
        return False
    if _within(-low, _MEANS) and np.allclose(high - low, 255):
        return True
    return _within(low, _STANDARD_LOW) and _within(high, _STANDARD_HIGH)


def _are_ends(low: Numbers, high: Numbers, wanted: tuple[float, float]) -> bool:
    allowed = _TOLERANCE * (wanted[1] - wanted[0])
    return bool((np.abs(low - wanted[0]) <= allowed).all() and (np.abs(high - wanted[1]) <= allowed).all())


def _within(numbers: Numbers, ends: tuple[float, float]) -> bool:
    return bool(((numbers >= ends[0]) & (numbers <= ends[1])).all())
