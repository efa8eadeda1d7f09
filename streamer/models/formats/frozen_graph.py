"""Frozen graphs (.pb), loaded: a GraphDef without signatures, whose inputs and outputs are told from its nodes.

Inputs are the placeholders that the outputs depend on; switches such as is_training and keep_prob are set as they are
for a model in use. Outputs are what nobody in the graph consumes, and what is called as detectors call their outputs.
Called by loading.py; what the graph may do is decided in safety/, before anything here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from streamer.errors import ModelLoadError
from streamer.models.formats.graph_body import range_of_function
from streamer.models.loaded import Hints, Loaded
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow, short_reason
from streamer.models.safety.program import read_frozen_graph, weights_in
from streamer.models.schema import Message
from streamer.models.signature import Signature, TensorSpec

Tensor = Any
Operation = Any
Graph = Any
"""TensorFlow comes without types."""

SIGNATURE = "graph"
"""What the one way of calling a frozen graph is called."""

_VARIABLES = frozenset({b"Variable", b"VariableV2", b"VarHandleOp"})

_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2"})

_NO_OUTPUT = frozenset(
    {"Assert", "Const", "Enter", "Exit", "LoopCond", "Merge", "NextIteration", "PlaceholderWithDefault", "Switch"}
    | _PLACEHOLDERS
)
"""What may stand at an end of a graph without being one of its results."""

_KNOWN_OUTPUT = re.compile(
    r"(import/)?((raw_)?detection_\w+|num_detections|num_boxes|(raw_)?boxes|(raw_)?scores|classes|nmsed_\w+)"
)
"""Outputs of the Object Detection API and of others after it, which other nodes of the graph may consume too."""

_SWITCH = re.compile(r"keep_?prob|dropout|drop_?rate|train|phase|learning|batch_?size", re.IGNORECASE)
"""In the names of placeholders that are no pictures."""

_OFF = re.compile(r"(?<!keep_)drop|train|phase|rate", re.IGNORECASE)
"""Of those, the ones that are 0 while a model is in use; the others are 1."""


def load_frozen_graph(path: Path) -> Loaded:
    """The graph in the file `path`, ready to run. Raises ModelLoadError for one that is damaged, or not frozen."""
    program = read_frozen_graph(path)
    _require_frozen(program, path)
    tensorflow = import_tensorflow()
    try:
        definition = tensorflow.compat.v1.GraphDef.FromString(path.read_bytes())
        graph, wrapped = _imported(definition)
        outputs = _outputs(graph)
        inputs = _inputs(graph, outputs.values())
        function = wrapped.prune([tensor for _, tensor in inputs], outputs) if inputs and outputs else None
    except Exception as error:
        raise ModelLoadError(
            f"the frozen graph is damaged or incomplete: {short_reason(error)}",
            where=str(path),
            hint="copy or export the model again",
        ) from error
    if function is None:
        missing = "placeholder that its results depend on" if outputs else "results"
        raise ModelLoadError(f"the frozen graph has no {missing}", where=str(path), hint="is it a whole model?")
    return Loaded(
        graph=TensorFlowGraph(wrapped, function, input_name=None),
        signature=Signature(SIGNATURE, _specs(inputs), _specs(outputs.items())),
        form="frozen graph",
        signatures=(SIGNATURE,),
        hints=Hints(value_range=range_of_function(function)),
        writer=f"TensorFlow, graph version {program.versions.producer}" if program.versions.producer else "",
        parameters=weights_in(program),
    )


def _require_frozen(program: Message, path: Path) -> None:
    variables = [node for node in program.nodes if node.op in _VARIABLES]
    if variables:
        raise ModelLoadError(
            f"the graph is not frozen: its {len(variables)} variables have no values",
            where=str(path),
            hint="their values are in a checkpoint: export a SavedModel, or freeze the graph, where it was trained",
        )


def _imported(definition: Message) -> tuple[Graph, Any]:
    """The graph with its switches set, and the function round it. Devices of whoever trained it are forgotten."""
    tensorflow = import_tensorflow()
    for nodes in (definition.node, *(function.node_def for function in definition.library.function)):
        for node in nodes:
            node.device = ""

    def run() -> None:
        switches = {f"{node.name}:0": _as_in_use(node) for node in _switches(definition)}
        tensorflow.graph_util.import_graph_def(definition, name="", input_map=switches)

    wrapped = tensorflow.compat.v1.wrap_function(run, [])
    return wrapped.graph, wrapped


def _switches(definition: Message) -> list[Message]:
    """Placeholders that say how the graph is run: logical ones, those called so, single numbers beside a picture."""
    placeholders = [node for node in definition.node if node.op in _PLACEHOLDERS]
    ranks = {node.name: len(node.attr["shape"].shape.dim) for node in placeholders if "shape" in node.attr}
    unknown = {node.name for node in placeholders if node.attr["shape"].shape.unknown_rank}
    picture = any(rank in {3, 4} for rank in ranks.values())
    numbers = [node for node in placeholders if _dtype(node).is_floating or _dtype(node).is_integer]
    return [node for node in placeholders if _dtype(node).is_bool] + [
        node
        for node in numbers
        if not ranks.get(node.name)
        and (_SWITCH.search(node.name) or (picture and node.name in ranks and node.name not in unknown))
    ]


def _as_in_use(switch: Message) -> Tensor:
    value = 0 if _dtype(switch).is_bool or _OFF.search(switch.name) else 1
    return import_tensorflow().cast(value, _dtype(switch))


def _dtype(placeholder: Message) -> Any:  # noqa: ANN401 - TensorFlow comes without types
    return import_tensorflow().as_dtype(placeholder.attr["dtype"].type)


def _outputs(graph: Graph) -> dict[str, Tensor]:
    """By name: what is called as outputs are, and what depends on a placeholder and is consumed by nothing."""
    operations = graph.get_operations()
    after_input = _after([op for op in operations if op.type.startswith("Placeholder")])
    in_loops = _after([op for op in operations if op.type.endswith("Enter")], until="Exit")
    found: dict[str, Tensor] = {}
    for operation in operations:
        known = _KNOWN_OUTPUT.fullmatch(operation.name) and operation.type not in _PLACEHOLDERS
        tensors = [tensor for tensor in operation.outputs if _is_number(tensor)]
        if known and tensors:
            found[operation.name] = tensors[0]
        elif operation in after_input and operation not in in_loops and _is_end(operation):
            found |= {_name(tensor): tensor for tensor in tensors}
    return found


def _is_end(operation: Operation) -> bool:
    return operation.type not in _NO_OUTPUT and not any(tensor.consumers() for tensor in operation.outputs)


def _is_number(tensor: Tensor) -> bool:
    return bool(tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool)


def _name(tensor: Tensor) -> str:
    """`a` of `a:0`, else as TensorFlow calls it."""
    return str(tensor.name).removesuffix(":0")


def _inputs(graph: Graph, outputs: Iterable[Tensor]) -> list[tuple[str, Tensor]]:
    """The placeholders before the outputs; those that have a value of their own only where there are no others."""
    before = _before([tensor.op for tensor in outputs])
    needed = [op for op in graph.get_operations() if op in before]
    plain = [op for op in needed if op.type in _PLACEHOLDERS]
    found = plain or [op for op in needed if op.type == "PlaceholderWithDefault" and op.outputs[0].shape.rank != 0]
    return [(op.name, op.outputs[0]) for op in found]


def _after(operations: Sequence[Operation], *, until: str = "") -> set[Operation]:
    """They and all that gets something of theirs; not what comes after an operation of the type `until`."""

    def following(operation: Operation) -> Iterator[Operation]:
        if operation.type != until:
            for tensor in operation.outputs:
                yield from tensor.consumers()

    return _reached(operations, following)


def _before(operations: Sequence[Operation]) -> set[Operation]:
    """They and all that they need."""
    return _reached(operations, lambda op: [*(tensor.op for tensor in op.inputs), *op.control_inputs])


def _reached(operations: Sequence[Operation], neighbours: Callable[[Operation], Iterable[Operation]]) -> set[Operation]:
    waiting, seen = list(operations), set(operations)
    while waiting:
        fresh = set(neighbours(waiting.pop())) - seen
        seen |= fresh
        waiting += fresh
    return seen


def _specs(tensors: Iterable[tuple[str, Tensor]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, tensor.dtype.name, None if tensor.shape.rank is None else tuple(tensor.shape.as_list()))
        for name, tensor in tensors
    )
