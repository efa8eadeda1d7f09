"""The network in a flat graph: where it begins, and the graph that is left when the picture is given there.

Called by choosing; needs TensorFlow's messages, runs nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamer.errors import ModelError
from streamer.models.lowering.flat import FlatGraph, GraphDef, Node, after, same_tensor, source, sources
from streamer.models.runtimes.tensorflow import import_tensorflow

INPUT = "streamer_input"
"""What the network's picture is called."""

FRAME_SHAPE = "streamer_frame_shape"
"""[1, height, width, 3] of the picture before it was fed, for graphs whose boxes depend on it."""

_OUTPUT = "streamer_output_"

_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative", "_FusedConv2D", "_FusedDepthwiseConv2dNative"})
_PADDING = frozenset({"Pad", "PadV2", "MirrorPad", "Identity", "SpaceToBatchND"})
_SAME_SHAPE = frozenset({"Identity", "Cast"})
_ENDLESS = "NextIteration"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A graph.

    inputs: its placeholders, with dtype and shape. outputs: its last nodes, by the names of what they give.
    fixed: the names of outputs that are left out because they are the same for every picture.
    """

    definition: GraphDef
    inputs: Mapping[str, tuple[str, tuple[int, ...]]]
    outputs: Mapping[str, str]
    fixed: tuple[str, ...] = ()

    def flat(self) -> FlatGraph:
        """The same as a flat graph of a picture, whose shapes are all known. Raises ModelError for two inputs."""
        if len(self.inputs) != 1:
            raise ModelError("its boxes depend on the size of the picture")
        return FlatGraph(self.definition, f"{INPUT}:0", self.outputs)


def network_input(flat: FlatGraph) -> str:
    """The tensor that the first convolution reads, padding left aside. Raises ModelError where there are several."""
    nodes = flat.nodes()
    of_picture = after(nodes.values(), [source(flat.image)])
    convolutions = [node for node in nodes.values() if node.op in _CONVOLUTIONS and source(node.input[0]) in of_picture]
    later = after(
        (node for node in nodes.values() if node.op != _ENDLESS),
        [reader for node in convolutions for reader in _readers(nodes, node.name)],
    )
    first = {_unpadded(nodes, node.input[0]) for node in convolutions if node.name not in later}
    if len(first) != 1:
        raise ModelError(f"its network begins in {len(first)} places")
    (tensor,) = first
    return tensor


def _readers(nodes: Mapping[str, Node], name: str) -> Iterator[str]:
    return (node.name for node in nodes.values() if name in sources(node))


def _unpadded(nodes: Mapping[str, Node], tensor: str) -> str:
    node = nodes[source(tensor)]
    while node.op in _PADDING:
        tensor = node.input[0]
        node = nodes[source(tensor)]
    return tensor.removesuffix(":0")


def cut_network(
    flat: FlatGraph, begin: str, shape: Sequence[int], outputs: Mapping[str, str], *, image_dtype: str = "float32"
) -> Network:
    """The graph from the tensor `begin`, of `shape`, to `outputs`, tensors by name.

    `begin` may be the picture itself. Raises ModelError where the outputs need more of the picture than its shape.
    """
    definition = import_tensorflow().compat.v1.GraphDef()
    definition.CopyFrom(flat.definition)
    nodes = {node.name: node for node in definition.node}
    behind = after(nodes.values(), [source(begin)])
    inputs = {INPUT: (image_dtype, tuple(shape))}
    _redirect(definition, begin, INPUT)
    shapes = _shapes_of_picture(nodes, source(flat.image), behind) if not same_tensor(begin, flat.image) else []
    for node in shapes:
        _redirect(definition, node.name, FRAME_SHAPE)
    moving = after(definition.node, [INPUT, FRAME_SHAPE])
    fixed = tuple(name for name, tensor in outputs.items() if source(tensor) not in moving)
    outputs = {name: tensor for name, tensor in outputs.items() if name not in fixed}
    if not outputs:
        raise ModelError("its outputs are the same for every picture")
    dtypes = {tensor: flat.dtype(tensor) for tensor in outputs.values()}
    named = {name: f"{_OUTPUT}{n}" for n, name in enumerate(outputs)}
    _add_outputs(definition, {named[name]: tensor for name, tensor in outputs.items()}, dtypes)
    _add_placeholder(definition, INPUT, image_dtype, shape)
    wanted = set(named.values())
    if shapes:
        _add_placeholder(definition, FRAME_SHAPE, "int32", (4,))
    needed = _needed(definition, wanted)
    if FRAME_SHAPE in needed:
        inputs[FRAME_SHAPE] = ("int32", (4,))
    if source(flat.image) in needed and not same_tensor(begin, flat.image):
        raise ModelError("its outputs depend on the picture besides its network")
    kept = [node for node in definition.node if node.name in needed]
    for node in kept:
        if node.op == "Placeholder" and node.name not in inputs:
            raise ModelError("it takes more than a picture")
    pruned = import_tensorflow().compat.v1.GraphDef()
    pruned.node.extend(kept)
    pruned.library.CopyFrom(definition.library)
    pruned.versions.CopyFrom(definition.versions)
    for node in pruned.node:
        waits = [name for name in node.input if name.startswith("^") and source(name) not in needed]
        for name in waits:
            node.input.remove(name)
    return Network(pruned, inputs, named, fixed)


def _needed(definition: GraphDef, ends: set[str]) -> set[str]:
    nodes = {node.name: node for node in definition.node}
    found: set[str] = set()
    waiting = [*ends]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [source(tensor) for tensor in nodes[name].input if _is_needed(tensor, nodes)]
    return found


def _is_needed(tensor: str, nodes: Mapping[str, Node]) -> bool:
    return not tensor.startswith("^") or nodes[source(tensor)].op in _CONTROL


_CONTROL = frozenset({"Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "Identity"})
"""What may hold a constant inside a loop; other waiting, for assertions, is left out with what is waited for."""


def _shapes_of_picture(nodes: Mapping[str, Node], image: str, behind: set[str]) -> list[Node]:
    """Nodes that read nothing but the shape of the picture, for what comes behind the network's input."""

    def is_picture(name: str) -> bool:
        while name != image and name in nodes and nodes[name].op in _SAME_SHAPE:
            name = source(nodes[name].input[0])
        return name == image

    return [
        node
        for node in nodes.values()
        if node.op == "Shape" and node.name not in behind and is_picture(source(node.input[0]))
    ]


def _redirect(definition: GraphDef, tensor: str, name: str) -> None:
    for node in definition.node:
        for at, given in enumerate(node.input):
            if not given.startswith("^") and same_tensor(given, tensor):
                node.input[at] = name


def _add_outputs(definition: GraphDef, outputs: Mapping[str, str], dtypes: Mapping[str, int]) -> None:
    for name, tensor in outputs.items():
        node = definition.node.add(name=name, op="Identity")
        node.input.append(tensor)
        node.attr["T"].type = dtypes[tensor]


def _add_placeholder(definition: GraphDef, name: str, dtype: str, shape: Sequence[int]) -> None:
    tensorflow = import_tensorflow()
    node = definition.node.add(name=name, op="Placeholder")
    node.attr["dtype"].type = tensorflow.as_dtype(dtype).as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tensorflow.TensorShape(list(shape)).as_proto())
