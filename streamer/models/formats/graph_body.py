"""A graph of TensorFlow, and the functions that it calls, as rescaling.py reads them. Called by the formats."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.models.card import Range
from streamer.models.formats.rescaling import Body, Operation, told_range
from streamer.models.runtimes.tensorflow import import_tensorflow

Message = Any
ConcreteFunction = Any
"""TensorFlow comes without types."""

Array = NDArray[Any]

_Constant = Callable[[], Array | None]

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})

_FOLDED: Mapping[str, Callable[..., Array]] = {
    "Identity": np.asarray,
    "Cast": np.asarray,
    "Reshape": lambda values, _: values,
    "Sqrt": np.sqrt,
    "Rsqrt": lambda values: 1 / np.sqrt(values),
    "Maximum": np.maximum,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "AddV2": np.add,
    "Sub": np.subtract,
}
"""What is done to constants before they meet the picture; their shapes do not matter, their numbers do."""

_MOST_NUMBERS = 64
"""Of a constant that is looked at: one for each channel, and the shape that these are given."""

_MAX_DEPTH = 8
"""Of constants that are made of others."""


def range_of_function(function: ConcreteFunction) -> Range | None:
    """The range of numbers that a function of one picture takes, where its first steps tell; None where they do not."""
    image = next(iter(function.inputs), None)
    if image is None or not image.dtype.is_floating:
        return None
    graph = function.graph
    definition = graph.as_graph_def()
    functions = {known.signature.name: known for known in definition.library.function}
    known = {
        inner.op.name: partial(_value, outer)
        for outer, inner in graph.captures
        if outer.dtype.is_floating and hasattr(outer, "numpy")
    }
    return told_range(_GraphBody(definition.node, functions, known), image.op.name)


def _value(tensor: Any) -> Array:  # noqa: ANN401 - as above
    return np.asarray(tensor.numpy())


class _GraphBody:
    """known: constants that come from outside, by the name of the argument."""

    def __init__(
        self, nodes: Sequence[Message], functions: Mapping[str, Message], known: Mapping[str, _Constant]
    ) -> None:
        self._functions = functions
        self._known = known
        self._nodes = {node.name: node for node in nodes}
        self._readers: dict[str, list[Operation]] = {}
        for node in nodes:
            inputs = tuple(_source(tensor) for tensor in node.input if not tensor.startswith("^"))
            operation = Operation(node.op, node.name, inputs, node.name)
            for tensor in dict.fromkeys(inputs):
                self._readers.setdefault(tensor, []).append(operation)

    def readers(self, tensor: str) -> Sequence[Operation]:
        return self._readers.get(tensor, ())

    def constant(self, tensor: str) -> Array | None:
        return self._constant(tensor, depth=0)

    def inside(self, operation: Operation, tensor: str) -> tuple[Body, str] | None:
        node = self._nodes[operation.name]
        called = self._functions.get(node.attr["f"].func.name) if node.op in _CALLS else None
        if called is None:
            return None
        arguments = [argument.name for argument in called.signature.input_arg]
        if len(arguments) != len(operation.inputs):
            return None
        given = dict(zip(arguments, operation.inputs, strict=True))
        known = {name: partial(self.constant, outer) for name, outer in given.items() if outer != tensor}
        image = next(name for name, outer in given.items() if outer == tensor)
        return _GraphBody(called.node_def, self._functions, known), image

    def _constant(self, tensor: str, *, depth: int) -> Array | None:
        if tensor in self._known:
            return self._known[tensor]()
        node = self._nodes.get(tensor)
        if node is None or depth > _MAX_DEPTH:
            return None
        if node.op == "Const":
            return _few_numbers(node.attr["value"].tensor)
        fold = _FOLDED.get(node.op)
        parts = [self._constant(_source(name), depth=depth + 1) for name in node.input] if fold else []
        if fold is None or any(part is None or part.dtype.kind not in "fiu" for part in parts):
            return None
        try:
            with np.errstate(all="ignore"):
                return fold(*parts)
        except (TypeError, ValueError):  # of shapes that do not go together
            return None


def _few_numbers(tensor: Message) -> Array | None:
    sides = [dimension.size for dimension in tensor.tensor_shape.dim]
    return None if math.prod(sides) > _MOST_NUMBERS else np.asarray(import_tensorflow().make_ndarray(tensor))


def _source(tensor: str) -> str:
    """The node that a tensor comes from: `a` of `a:0`, of `a:output:0`, and of `a`."""
    return tensor.split(":", 1)[0]
