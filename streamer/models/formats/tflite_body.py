"""A graph of a TFLite file, as rescaling.py reads it. Called by tflite.py.

A file whose network computes in integers says more: the picture is quantised first, which tells what range it has.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import Range
from streamer.models.formats.rescaling import Operation, range_of, told_range
from streamer.models.formats.tflite_file import Subgraph, Tensor

_KINDS = {
    0: "Add",
    18: "Mul",
    41: "Sub",
    42: "Div",
    53: "Cast",
    6: "Dequantize",
    114: "Quantize",
    22: "Reshape",
    23: "ResizeBilinear",
    97: "ResizeNearestNeighbor",
    34: "Pad",
    60: "PadV2",
    39: "Transpose",
    43: "Squeeze",
    45: "StridedSlice",
    70: "ExpandDims",
    77: "Shape",
    105: "ReverseV2",
}
"""BuiltinOperator of the schema, by TensorFlow's names."""

_QUANTIZED: dict[str, tuple[int, int]] = {"int8": (-128, 127), "uint8": (0, 255)}

_MOST_BYTES = 3 * 8
"""Of one number for each channel."""

_READ = ("float32", "float16", "float64", "int32", "int64", *_QUANTIZED)


def range_of_graph(subgraph: Subgraph, image: int) -> Range | None:
    """The range of floats that the graph takes, where its first steps tell; None where they do not.

    image: the tensor of the picture.
    """
    if not subgraph.tensors[image].dtype.startswith("float"):
        return None
    body = _TfliteBody(subgraph)
    return told_range(body, str(image)) or body.quantised_range(str(image))


class _TfliteBody:
    """Tensors go by their index."""

    def __init__(self, subgraph: Subgraph) -> None:
        self._tensors = subgraph.tensors
        self._readers: dict[str, list[Operation]] = {}
        for number, operator in enumerate(subgraph.operators):
            if len(operator.outputs) == 1:
                inputs = tuple(map(str, operator.inputs))
                kind = _KINDS.get(operator.code, "")
                operation = Operation(kind, str(number), inputs, str(operator.outputs[0]))
                for tensor in dict.fromkeys(inputs):
                    self._readers.setdefault(tensor, []).append(operation)

    def readers(self, tensor: str) -> Sequence[Operation]:
        return self._readers.get(tensor, ())

    def constant(self, tensor: str) -> NDArray[Any] | None:
        index = int(tensor)
        return None if index < 0 else _numbers(self._tensors[index])

    def inside(self, operation: Operation, tensor: str) -> None:
        """Operations of TFLite call nothing."""

    def quantised_range(self, image: str) -> Range | None:
        """What the picture is taken for where the graph begins with making integers of it."""
        readers = self.readers(image)
        if len(readers) != 1 or readers[0].kind != "Quantize":
            return None
        tensor = self._tensors[int(readers[0].output)]
        ends = _QUANTIZED.get(tensor.dtype)
        if ends is None or len(tensor.scales) != 1 or not math.isfinite(tensor.scales[0]):
            return None
        low, high = ((end - sum(tensor.zero_points)) * tensor.scales[0] for end in ends)
        return range_of(low, high)


def _numbers(tensor: Tensor) -> NDArray[Any] | None:
    """The real numbers that the file holds for a tensor; None for those that are computed, or are no few numbers."""
    if tensor.dtype not in _READ or not 0 < len(tensor.data) <= _MOST_BYTES:
        return None
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    if len(tensor.data) % dtype.itemsize:
        return None
    stored = np.frombuffer(tensor.data, dtype)
    if tensor.dtype not in _QUANTIZED:
        return stored
    if len(tensor.scales) != 1 or not math.isfinite(tensor.scales[0]):
        return None
    return (stored.astype(np.float64) - sum(tensor.zero_points)) * tensor.scales[0]
