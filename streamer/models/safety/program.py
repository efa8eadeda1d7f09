"""A model's graph as data: nodes, functions, and what loading will start, read without TensorFlow.

The schema holds the fields that are looked at and no others, so that weights are skipped, not parsed. It is read
by Google's own parser, which TensorFlow uses too: what one takes, the other takes, nesting ends at 100 levels, and of
a field that is given twice both see the same. Field numbers and meanings are those of tensorflow/core/protobuf
(saved_model, meta_graph, saver, saved_object_graph) and tensorflow/core/framework (graph, versions, function, node_def,
attr_value, tensor). Maps are read as lists of pairs and text as bytes, so that nothing is overlooked: not a key that
is given twice, nor a name that is no UTF-8.
"""

from functools import cache
from pathlib import Path

from streamer.errors import ModelLoadError
from streamer.models.schema import Message, Schema, message_classes

MAX_BYTES = 1 << 30
"""Of a graph. Protobuf itself ends at 2 GiB; the largest detectors have their weights in variables/ besides."""

MAX_NODES = 1_000_000
"""EfficientDet-D7, unrolled, has some 50,000."""

MAX_ELEMENTS = 1 << 28
"""Of one constant: a few bytes of file can stand for any number of equal ones."""

_WEIGHTS = frozenset({1, 2, 6, 11, 12, 13, 14, 15, 16, 19})
"""DataType (tensorflow/core/framework/types.proto) of floats, of int8, and of all that is quantised."""

_SCHEMA: Schema = {
    "SavedModel": {"meta_graphs": (2, "*MetaGraph")},
    "MetaGraph": {
        "info": (1, "MetaInfo"),
        "graph": (2, "Graph"),
        "saver": (3, "Saver"),
        "collections": (4, "*CollectionEntry"),
        "signatures": (5, "*SignatureEntry"),
        "assets": (6, "*Asset"),
        "objects": (7, "Objects"),
    },
    "MetaInfo": {"tags": (4, "*bytes"), "tensorflow_version": (5, "bytes")},
    "Graph": {"nodes": (1, "*Node"), "library": (2, "Library"), "versions": (4, "Versions")},
    "Versions": {"producer": (1, "int64")},
    "Library": {"functions": (1, "*Function")},
    "Function": {"signature": (1, "FunctionSignature"), "nodes": (3, "*Node"), "attributes": (5, "*AttributeEntry")},
    "FunctionSignature": {"name": (1, "bytes"), "arguments": (2, "*Named")},
    "Named": {"name": (1, "bytes")},
    "Node": {"name": (1, "bytes"), "op": (2, "bytes"), "inputs": (3, "*bytes"), "attributes": (5, "*AttributeEntry")},
    "AttributeEntry": {"key": (1, "bytes"), "value": (2, "Attribute")},
    "Attribute": {"list": (1, "AttributeList"), "tensor": (8, "Tensor"), "function": (10, "FunctionName")},
    "AttributeList": {"tensors": (8, "*Tensor"), "functions": (9, "*FunctionName")},
    "FunctionName": {"name": (1, "bytes"), "attributes": (2, "*AttributeEntry")},
    "Tensor": {"dtype": (1, "int64"), "shape": (2, "Shape")},
    "Shape": {"dimensions": (2, "*Dimension"), "unknown_rank": (3, "int64")},
    "Dimension": {"size": (1, "int64")},
    "Saver": {"filename": (1, "bytes"), "save": (2, "bytes"), "restore": (3, "bytes")},
    "CollectionEntry": {"key": (1, "bytes"), "value": (2, "Collection")},
    "Collection": {"nodes": (1, "BytesList"), "messages": (2, "BytesList"), "any": (5, "AnyList")},
    "BytesList": {"values": (1, "*bytes")},
    "AnyList": {"values": (1, "*AnyAsset")},
    "AnyAsset": {"asset": (2, "Asset")},
    "VariableDef": {
        "names": (1, "*bytes"),
        "initializer": (2, "*bytes"),
        "snapshot": (3, "*bytes"),
        "value": (6, "*bytes"),
    },
    "SignatureEntry": {"key": (1, "bytes"), "value": (2, "Signature")},
    "Signature": {"inputs": (1, "*TensorEntry"), "outputs": (2, "*TensorEntry")},
    "TensorEntry": {"key": (1, "bytes"), "value": (2, "TensorInfo")},
    "TensorInfo": {
        "name": (1, "bytes"),
        "dtype": (2, "int64"),
        "shape": (3, "Shape"),
        "sparse": (4, "Sparse"),
        "composite": (5, "Composite"),
    },
    "Sparse": {"values": (1, "bytes"), "indices": (2, "bytes"), "shape": (3, "bytes")},
    "Composite": {"components": (2, "*TensorInfo")},
    "Asset": {"tensor": (1, "Named"), "filename": (2, "bytes")},
    "Objects": {"nodes": (1, "*Object"), "functions": (2, "*ConcreteFunctionEntry")},
    "Object": {
        "asset": (5, "SavedAsset"),
        "function": (6, "SavedFunction"),
        "bare_function": (8, "BareFunction"),
        "captured": (12, "Captured"),
    },
    "SavedAsset": {"index": (1, "int64")},
    "SavedFunction": {"names": (1, "*bytes")},
    "BareFunction": {"name": (1, "bytes")},
    "Captured": {"function": (2, "bytes")},
    "ConcreteFunctionEntry": {"key": (1, "bytes"), "value": (2, "ConcreteFunction")},
    "ConcreteFunction": {"captures": (2, "*int64")},
}


def read_saved_model(folder: Path) -> Message:
    """The SavedModel message of a folder. Raises ModelLoadError for what is none, or is too large."""
    model = _read(folder / "saved_model.pb", "SavedModel", where=folder)
    if not model.meta_graphs:
        raise _damaged("SavedModel", folder, "there is no graph in it")
    for meta_graph in model.meta_graphs:
        _check_size(meta_graph.graph, where=folder)
        names = [function.signature.name for function in meta_graph.graph.library.functions]
        if len(set(names)) < len(names):
            raise _damaged("SavedModel", folder, "two of its functions have one name")
    return model


def read_frozen_graph(path: Path) -> Message:
    """The GraphDef message of a file. Raises ModelLoadError for what is none, or is too large."""
    graph = _read(path, "Graph", where=path)
    if not graph.nodes:
        raise _damaged("frozen graph", path, "there is no node in it")
    _check_size(graph, where=path)
    return graph


def parse(kind: str, data: bytes) -> Message | None:
    """A message of the schema, or None for bytes that are none."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - only who runs a model pays for it

    message = _classes()[kind]()
    try:
        message.ParseFromString(data)
    except (DecodeError, RecursionError):
        return None
    return message


def weights_in(graph: Message) -> int:
    """How many numbers its constants hold, in the graph and in its functions; single ones and integers are none."""
    bodies = [graph.nodes, *(function.nodes for function in graph.library.functions)]
    tensors = (
        entry.value.tensor
        for nodes in bodies
        for node in nodes
        if node.op == b"Const"
        for entry in node.attributes
        if entry.key == b"value"
    )
    return sum(_elements(tensor) for tensor in tensors if tensor.dtype in _WEIGHTS and tensor.shape.dimensions)


def text_of(name: bytes) -> str:
    """A name of the schema for people."""
    return name.decode("utf-8", "backslashreplace")


def _read(path: Path, kind: str, *, where: Path) -> Message:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise ModelLoadError(f"its graph has {size_bytes >> 20} MiB", where=str(where), hint="at most 1024 MiB")
        data = path.read_bytes()
    except OSError as error:
        raise ModelLoadError(f"cannot be read: {error.strerror or error}", where=str(where)) from error
    message = parse(kind, data)
    if message is None:
        raise _damaged("SavedModel" if kind == "SavedModel" else "frozen graph", where, f"{path.name} cannot be parsed")
    return message


def _check_size(graph: Message, *, where: Path) -> None:
    bodies = [graph.nodes, *(function.nodes for function in graph.library.functions)]
    count = sum(map(len, bodies))
    if count > MAX_NODES:
        raise ModelLoadError(f"its graph has {count} nodes", where=str(where), hint=f"at most {MAX_NODES}")
    for nodes in bodies:
        for node in nodes:
            for entry in node.attributes if node.op in {b"Const", b"HostConst"} else ():
                elements = max(map(_elements, (entry.value.tensor, *entry.value.list.tensors)))
                if elements > MAX_ELEMENTS:
                    raise ModelLoadError(
                        f"one of its constants has {elements:.3g} elements", where=str(where), hint="at most 2.7e+08"
                    )


def _elements(tensor: Message) -> int:
    elements = 1
    for dimension in tensor.shape.dimensions:
        elements = min(elements * max(0, dimension.size), 1 << 64)
    return elements


def _damaged(form: str, where: Path, why: str) -> ModelLoadError:
    return ModelLoadError(
        f"the {form} is damaged or incomplete: {why}", where=str(where), hint="copy or export the model again"
    )


@cache
def _classes() -> dict[str, type[Message]]:
    return message_classes(_SCHEMA)
