"""A function of TensorFlow as one flat graph of constants: variables frozen, calls inlined, loops left as they are.

Called by lowering.network and by choosing; needs TensorFlow.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow, named_tensors, short_reason

Node = Any
GraphDef = Any
"""TensorFlow comes without types."""

Arrays = list[NDArray[Any]]

_COPIES = count()

_KEPT: list[object] = []
"""Frozen functions share the names of theirs with the model: letting them go would take those away from it."""

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_MAX_NODES = 200_000
"""More than any detector has; a graph whose functions call one another without end is not followed further."""


@dataclass(frozen=True, slots=True, eq=False)
class FlatGraph:
    """definition: the graph. image: the tensor of the picture. outputs: tensors by the names of the signature."""

    definition: GraphDef
    image: str
    outputs: Mapping[str, str]
    _graphs: list[Any] = field(default_factory=list, repr=False)

    def nodes(self) -> dict[str, Node]:
        """By name."""
        return {node.name: node for node in self.definition.node}

    @property
    def image_dtype(self) -> Any:  # noqa: ANN401 - numpy's
        """Of the picture."""
        return self._imported().get_tensor_by_name(self.image).dtype.as_numpy_dtype

    def dtype(self, tensor: str) -> int:
        """Of a tensor, as graphs write it (tensorflow/core/framework/types.proto)."""
        return int(self._imported().get_tensor_by_name(_with_index(tensor)).dtype.as_datatype_enum)

    def shape(self, tensor: str) -> tuple[int | None, ...] | None:
        """Of a tensor, as far as the graph tells."""
        shape = self._imported().get_tensor_by_name(_with_index(tensor)).shape
        return None if shape.rank is None else tuple(shape.as_list())

    def _imported(self) -> Any:  # noqa: ANN401 - as above
        if not self._graphs:
            tensorflow = import_tensorflow()
            graph = tensorflow.Graph()
            with graph.as_default():
                tensorflow.graph_util.import_graph_def(_with_functions_of_its_own(self.definition), name="")
            self._graphs.append(graph)
        return self._graphs[0]

    def caller(self, fetches: Sequence[str], *, feeds: Sequence[str] = ()) -> Callable[..., Arrays]:
        """A function from the picture, or from the tensors `feeds`, to the tensors `fetches`.

        Raises ModelError: TensorFlow does not take the graph, or it fails when it is called.
        """
        tensorflow = import_tensorflow()
        pruned = self.pruned(fetches, feeds=feeds)

        def call(*tensors: NDArray[Any]) -> Arrays:
            try:
                return [np.asarray(tensor.numpy()) for tensor in pruned(*map(tensorflow.constant, tensors))]
            except Exception as error:
                raise ModelError(f"the flat graph fails: {short_reason(error)}") from error

        return call

    def pruned(self, fetches: Sequence[str], *, feeds: Sequence[str] = ()) -> Any:  # noqa: ANN401 - as above
        """A function of TensorFlow from the picture, or from `feeds`, to `fetches`. Raises ModelError."""
        tensorflow = import_tensorflow()
        definition = _with_functions_of_its_own(self.definition)
        try:
            wrapped = tensorflow.compat.v1.wrap_function(
                lambda: tensorflow.graph_util.import_graph_def(definition, name=""), []
            )
            given = [_with_index(tensor) for tensor in feeds or [self.image]]
            return wrapped.prune(given, [_with_index(tensor) for tensor in fetches])
        except Exception as error:
            raise ModelError(f"the flat graph cannot be built: {short_reason(error)}") from error


def _with_functions_of_its_own(definition: GraphDef) -> GraphDef:
    """The graph with other names for its functions, never used before.

    TensorFlow knows functions by name alone, in one place for the whole process: when one of two graphs that share a
    name is let go, the other's function is gone too.
    """
    if not definition.library.function:
        return definition
    renamed = import_tensorflow().compat.v1.GraphDef()
    renamed.CopyFrom(definition)
    number = next(_COPIES)
    names = {function.signature.name: f"streamer_{number}_{n}" for n, function in enumerate(renamed.library.function)}
    for function in renamed.library.function:
        function.signature.name = names[function.signature.name]
    for nodes in (renamed.node, *(function.node_def for function in renamed.library.function)):
        for node in nodes:
            for value in node.attr.values():
                for called in (value.func, *value.list.func):
                    if called.name in names:
                        called.name = names[called.name]
    return renamed


def flat_graph(graph: TensorFlowGraph) -> FlatGraph:
    """What a TensorFlowGraph runs, flat. Raises ModelError where that cannot be had."""
    try:
        return _flattened(graph)
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"the graph cannot be frozen: {short_reason(error)}") from error


def _flattened(graph: TensorFlowGraph) -> FlatGraph:
    function, names = graph.function, graph.output_names
    definition, inputs, outputs = _frozen(function)
    places = list(range(len(outputs)))
    structure = import_tensorflow().nest.pack_sequence_as(function.structured_outputs, places)
    by_name: dict[str, int] = named_tensors(structure, names)
    images = [name for name in inputs if name in {f"{node.name}:0" for node in definition.node}]
    if len(images) != 1:
        raise ModelError(f"the graph takes {len(images)} inputs, where one picture is wanted")
    resolved = _inlined(definition, outputs)
    _settle_placeholders(definition, keep=images[0])
    return FlatGraph(definition, images[0], {name: resolved[index] for name, index in by_name.items()})


def _frozen(function: Any) -> tuple[GraphDef, list[str], list[str]]:  # noqa: ANN401 - as above
    """The graph with its variables as constants, and the names of its inputs and outputs."""
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415 - TensorFlow is loaded by now
        convert_variables_to_constants_v2,
    )

    if function.captured_inputs:
        function = convert_variables_to_constants_v2(function, lower_control_flow=False)
        _KEPT.append(function)
    own = [tensor.name for tensor in function.inputs if tensor.dtype != import_tensorflow().resource]
    return function.graph.as_graph_def(), own, [tensor.name for tensor in function.outputs]


def _inlined(definition: GraphDef, outputs: Sequence[str]) -> list[str]:
    """Put the bodies of called functions in place of the calls; what `outputs` are called then."""
    functions = {function.signature.name: function for function in definition.library.function}
    resolved = list(outputs)
    while True:
        call = next((node for node in definition.node if node.op in _CALLS and _callee(node) in functions), None)
        if call is None or len(definition.node) > _MAX_NODES:
            return resolved
        given = _expanded(definition, call, functions[_callee(call)])
        definition.node.remove(call)
        _rename(definition, call.name, given)
        resolved = [_renamed(name, call.name, given) for name in resolved]


def _callee(node: Node) -> str:
    return str(node.attr["f"].func.name)


def _expanded(definition: GraphDef, call: Node, function: Any) -> list[str]:  # noqa: ANN401 - as above
    """Add the body of a function under the call's name; the tensors that it returns."""
    from tensorflow.python.framework.function_def_to_graph import (  # noqa: PLC0415 - TensorFlow is loaded by now
        function_def_to_graph_def,
    )

    body, flat_names = function_def_to_graph_def(function)
    values = [name for name in call.input if not name.startswith("^")]
    waits = [name for name in call.input if name.startswith("^")]
    arguments: dict[str, str] = {
        argument.name: value for argument, value in zip(function.signature.input_arg, values, strict=True)
    }
    prefix = f"{call.name}/"

    def outer(name: str) -> str:
        if name.startswith("^"):
            inner = name[1:]
            return f"^{arguments[inner].split(':')[0]}" if inner in arguments else f"^{prefix}{inner}"
        node, _, index = name.partition(":")
        return arguments.get(node, f"{prefix}{node}:{index or 0}")

    for node in body.node:
        if node.name in arguments:
            continue
        added = definition.node.add()
        added.CopyFrom(node)
        added.name = f"{prefix}{node.name}"
        del added.input[:]
        added.input.extend([*map(outer, node.input), *(waits if not node.input else ())])
        for entry in list(added.attr["_class"].list.s):
            if entry.startswith(b"loc:@"):
                added.attr.pop("_class")
                break
    return [outer(flat_names[function.ret[argument.name]]) for argument in function.signature.output_arg]


def _rename(definition: GraphDef, call: str, given: Sequence[str]) -> None:
    for node in definition.node:
        for at, name in enumerate(node.input):
            if name.lstrip("^").split(":")[0] == call:
                node.input[at] = _renamed(name, call, given)


def _renamed(name: str, call: str, given: Sequence[str]) -> str:
    waits = name.startswith("^")
    node, _, index = name.removeprefix("^").partition(":")
    if node != call:
        return name
    return f"^{given[0].split(':')[0]}" if waits else given[int(index or 0)]


def _settle_placeholders(definition: GraphDef, *, keep: str) -> None:
    """Arguments that nothing uses, which loops leave behind, become constants: TensorFlow wants a value for each."""
    tensorflow = import_tensorflow()
    for node in definition.node:
        if node.op == "Placeholder" and f"{node.name}:0" != keep:
            dtype = tensorflow.as_dtype(node.attr["dtype"].type)
            if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
                continue
            shape = [max(1, dimension.size) for dimension in node.attr["shape"].shape.dim]
            value = tensorflow.make_tensor_proto(np.zeros(shape, dtype.as_numpy_dtype), dtype)
            node.op = "Const"
            node.attr.pop("shape", None)
            node.attr["value"].tensor.CopyFrom(value)


def sources(node: Node) -> list[str]:
    """The names of the nodes that a node takes tensors of."""
    return [source(name) for name in node.input if not name.startswith("^")]


def source(tensor: str) -> str:
    """The node that a tensor is of."""
    return tensor.removeprefix("^").split(":")[0]


def _with_index(tensor: str) -> str:
    return tensor if ":" in tensor else f"{tensor}:0"


def same_tensor(one: str, other: str) -> bool:
    """Whether `a` and `a:0` are meant."""
    return one.removesuffix(":0") == other.removesuffix(":0")


def after(nodes: Iterable[Node], starts: Iterable[str]) -> set[str]:
    """The names of `starts` and of all nodes that get something of theirs; loops are followed once."""
    readers: dict[str, list[str]] = {}
    for node in nodes:
        for name in sources(node):
            readers.setdefault(name, []).append(node.name)
    return _reached(starts, lambda name: readers.get(name, ()))


def before(nodes: Mapping[str, Node], ends: Iterable[str]) -> set[str]:
    """The names of `ends` and of all nodes that they need."""
    return _reached(ends, lambda name: [source(tensor) for tensor in nodes[name].input] if name in nodes else ())


def _reached(starts: Iterable[str], neighbours: Callable[[str], Iterable[str]]) -> set[str]:
    waiting = list(starts)
    seen = set(waiting)
    while waiting:
        fresh = set(neighbours(waiting.pop())) - seen
        seen |= fresh
        waiting += fresh
    return seen
