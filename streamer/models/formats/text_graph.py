"""The .pbtxt that OpenCV's dnn wants beside a frozen graph: its nodes as they stand there, read without OpenCV.

OpenCV takes the structure from this text and the weights from the graph; its scripts (samples/dnn/tf_text_graph_*.py)
write it. What OpenCV would stumble over is refused here: text that is none, nodes of one name, nodes that wait for each
other. Called by opencv_dnn.py.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from streamer.errors import ModelLoadError
from streamer.models.schema import Message, Schema, message_classes
from streamer.text import printable

MAX_BYTES = 16 << 20
"""Of a text graph: it holds no weights, and the largest that OpenCV's scripts write have less than one MB."""

MAX_NODES = 100_000
"""The largest have some thousand."""

_HINT = "it is written by OpenCV's tf_text_graph_*.py from the same .pb; a label map goes to --labels"

_SCHEMA: Schema = {
    "GraphDef": {"node": (1, "*NodeDef")},
    "NodeDef": {"name": (1, "string"), "op": (2, "string"), "input": (3, "*string"), "attr": (5, "*AttrEntry")},
    "AttrEntry": {"key": (1, "string"), "value": (2, "AttrValue")},
    "AttrValue": {"i": (3, "int64"), "f": (4, "float"), "shape": (7, "Shape"), "tensor": (8, "Tensor")},
    "Shape": {"dim": (2, "*Dim")},
    "Dim": {"size": (1, "int64")},
    "Tensor": {"float_val": (5, "*float")},
}
"""The names are those of TensorFlow's graph.proto."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the text. inputs: names of nodes, without the number of the output; also of those in the .pb."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Message]

    def integer(self, key: str) -> int | None:
        """An attribute that is a whole number; None where it is not there."""
        return int(self.attributes[key].i) if key in self.attributes else None

    def numbers(self, key: str) -> tuple[float, ...]:
        """An attribute that is one number or several."""
        if key not in self.attributes:
            return ()
        value = self.attributes[key]
        return tuple(value.tensor.float_val) or (float(value.f or value.i),)


@dataclass(frozen=True, slots=True)
class TextGraph:
    """A text graph, by the names of its nodes."""

    path: Path
    nodes: Mapping[str, Node]

    def of(self, op: str) -> tuple[Node, ...]:
        """The nodes that do `op`, in the order of the text."""
        return tuple(node for node in self.nodes.values() if node.op == op)

    def readers(self, name: str) -> Iterator[Node]:
        """The nodes that take what `name` gives."""
        return (node for node in self.nodes.values() if name in node.inputs)

    def check_weights(self, names: Collection[str], *, where: Path) -> None:
        """Whether all that is neither in the text is among `names`, those of the graph in the file `where`.

        Raises ModelLoadError for the text graph of another network.
        """
        known = {*self.nodes, *names}
        missing = {name: node for node in self.nodes.values() for name in node.inputs if name not in known}
        for name, node in missing.items():
            raise ModelLoadError(
                f"it is the text graph of another network: {printable(name)!r}, which {printable(node.name)!r} takes, "
                f"is not in {where.name}",
                where=str(self.path),
                hint=_HINT,
            )


def read_text_graph(path: Path) -> TextGraph:
    """The graph in a .pbtxt. Raises ModelLoadError for what is none, is damaged, or goes round in a circle."""
    message = _parsed(_read(path), path)
    nodes = {
        entry.name: Node(
            entry.name,
            entry.op,
            tuple(_node_name(name) for name in entry.input),
            {attribute.key: attribute.value for attribute in entry.attr},
        )
        for entry in message.node
    }
    if not nodes:
        raise _no_graph(path, "there is no node in it")
    if len(nodes) > MAX_NODES:
        raise ModelLoadError(f"it has {len(nodes)} nodes", where=str(path), hint=f"at most {MAX_NODES}")
    if len(nodes) < len(message.node):
        raise _no_graph(path, "two of its nodes have one name")
    if not all(node.name and node.op for node in nodes.values()):
        raise _no_graph(path, "one of its nodes has no name, or does nothing")
    _check_order(nodes, path)
    return TextGraph(path, nodes)


def _read(path: Path) -> str:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise ModelLoadError(
                f"{size_bytes / 1e6:.0f} MB is too large for a text graph", where=str(path), hint=_HINT
            )
        return path.read_bytes().decode()
    except OSError as error:
        raise ModelLoadError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise _no_graph(path, "it is no text") from error


def _parsed(text: str, path: Path) -> Message:
    from google.protobuf import text_format  # noqa: PLC0415 - only who runs such a model pays for it

    try:
        return text_format.Parse(text, _graph_class()(), allow_unknown_field=True)
    except (text_format.ParseError, RecursionError, ValueError) as error:
        raise _no_graph(path, str(error)) from error


def _node_name(reference: str) -> str:
    """`name:0` and `^name` are both of the node `name`."""
    return reference.removeprefix("^").partition(":")[0]


def _check_order(nodes: Mapping[str, Node], path: Path) -> None:
    order = TopologicalSorter(
        {name: [other for other in node.inputs if other in nodes] for name, node in nodes.items()}
    )
    try:
        order.prepare()
    except CycleError as error:
        first, second, *_ = error.args[1]
        what = f"its nodes {printable(first)!r} and {printable(second)!r} wait for each other"
        raise _no_graph(path, what) from error


def _no_graph(path: Path, why: str) -> ModelLoadError:
    return ModelLoadError(
        f"is no text graph, or a damaged one: {printable(why, limit=160)}", where=str(path), hint=_HINT
    )


@cache
def _graph_class() -> type[Message]:
    return message_classes(_SCHEMA)["GraphDef"]
