"""Models that are well written and make no sense: their parsers have nothing against them, whatever runs them may."""

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any

import numpy as np

from tests.tflite_models import edited

# ruff: noqa: PLC0415 - TensorFlow, h5py and flatbuffers are dear, and only some trials need them

Chance = np.random.Generator

_NUMBERS = (-(2**31), -2, -1, 0, 1, 2, 3, 7, 255, 65536, 2**31 - 1)
_LARGEST = 2**31 - 1


def rewired(name: str, data: bytes, chance: Chance) -> bytes | None:
    """The file of this name with one to three things in it put wrong; None for a form that this cannot open.

    Raises whatever the parser raises where `data` is damaged already.
    """
    for ending, change in _BY_ENDING.items():
        if name.endswith(ending):
            return change(data, chance)
    return None


def _number(chance: Chance) -> int:
    return int(chance.choice(_NUMBERS))


def _saved_model(data: bytes, chance: Chance) -> bytes:
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel.FromString(data)
    graph = model.meta_graphs[0].graph_def
    _graph(graph, chance)
    written: bytes = model.SerializeToString()
    return written


def _frozen_graph(data: bytes, chance: Chance) -> bytes:
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef.FromString(data)
    _graph(graph, chance)
    written: bytes = graph.SerializeToString()
    return written


def _graph(graph: Any, chance: Chance) -> None:
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    for _ in range(int(chance.integers(1, 4))):
        node, other = (nodes[int(chance.integers(len(nodes)))] for _ in range(2))
        _node(node, other, chance)


def _node(node: Any, other: Any, chance: Chance) -> None:
    match int(chance.integers(7)):
        case 0 if node.input:
            del node.input[int(chance.integers(len(node.input)))]
        case 1:
            node.op = other.op
        case 2 if other.input:
            node.input.append(other.input[0])
        case 3:
            node.input.append(other.name)
        case 4 if node.attr:
            del node.attr[str(chance.choice(sorted(node.attr)))]
        case 5 if len(node.input) > 1:
            first, last = node.input[0], node.input[-1]
            node.input[0], node.input[-1] = last, first
        case _ if node.attr:
            _attribute(node.attr[str(chance.choice(sorted(node.attr)))], chance)
        case _:
            pass


def _attribute(value: Any, chance: Chance) -> None:
    match value.WhichOneof("value"):
        case "i":
            value.i = _number(chance)
        case "type":
            value.type = int(chance.integers(1, 24))
        case "shape":
            _shape(value.shape, chance)
        case "tensor":
            if chance.integers(2):
                _shape(value.tensor.tensor_shape, chance)
            else:
                value.tensor.tensor_content = chance.bytes(len(value.tensor.tensor_content))
        case "list" if value.list.i:
            value.list.i[int(chance.integers(len(value.list.i)))] = _number(chance)
        case "s":
            value.s = chance.bytes(4)
        case _:
            pass


def _shape(shape: Any, chance: Chance) -> None:
    if shape.dim and chance.integers(4):
        shape.dim[int(chance.integers(len(shape.dim)))].size = _number(chance)
    else:
        shape.dim.add().size = _number(chance)


def _tflite(data: bytes, chance: Chance) -> bytes:
    def change(model: Any) -> None:
        for _ in range(int(chance.integers(1, 4))):
            graph = model.subgraphs[int(chance.integers(len(model.subgraphs)))]
            _tflite_part(model, graph, chance)

    return edited(data, change)


def _tflite_part(model: Any, graph: Any, chance: Chance) -> None:
    tensor = graph.tensors[int(chance.integers(len(graph.tensors)))]
    operator = graph.operators[int(chance.integers(len(graph.operators)))]
    match int(chance.integers(8)):
        case 0 if len(operator.inputs):
            wires = np.array(operator.inputs)
            wires[int(chance.integers(len(wires)))] = int(chance.integers(-1, len(graph.tensors)))
            operator.inputs = wires
        case 1 if len(operator.outputs):
            wires = np.array(operator.outputs)
            wires[int(chance.integers(len(wires)))] = int(chance.integers(len(graph.tensors)))
            operator.outputs = wires
        case 2:
            tensor.type = int(chance.integers(0, 19))
        case 3 if tensor.shape is not None and len(tensor.shape):
            sides = np.array(tensor.shape)
            sides[int(chance.integers(len(sides)))] = _number(chance)
            tensor.shape = sides
        case 4:
            tensor.buffer = int(chance.integers(len(model.buffers)))
        case 5:
            operator.opcodeIndex = int(chance.integers(len(model.operatorCodes)))
        case 6:
            code = model.operatorCodes[operator.opcodeIndex]
            code.builtinCode = code.deprecatedBuiltinCode = int(chance.integers(0, 127))
        case _:
            _options(operator.builtinOptions, chance)


def _options(options: Any, chance: Chance) -> None:
    names = [name for name, value in vars(options or object.__new__(_Nothing)).items() if isinstance(value, int)]
    if names:
        setattr(options, str(chance.choice(names)), int(np.clip(_number(chance), -128, 127)))


class _Nothing:
    """Has no fields."""


def _keras(data: bytes, chance: Chance) -> bytes:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = json.dumps(_json(json.loads(members["config.json"]), chance)).encode()
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


def _h5(data: bytes, chance: Chance) -> bytes:
    import h5py

    held = BytesIO(data)
    with h5py.File(held, "r+") as file:
        config = file.attrs["model_config"]
        text = config.decode() if isinstance(config, bytes) else config
        file.attrs["model_config"] = json.dumps(_json(json.loads(text), chance))
    return held.getvalue()


def _json(value: Any, chance: Chance) -> Any:
    """The same with one to three of its leaves replaced."""
    for _ in range(int(chance.integers(1, 4))):
        holder, key = _leaf(value, chance)
        old = holder[key]
        choices: list[Any] = [None, "", "x" * 9, [], {}, True, -1.5, 1e300, _number(chance)]
        holder[key] = _number(chance) if isinstance(old, int) and chance.integers(2) else choices[chance.integers(9)]
    return value


def _leaf(value: Any, chance: Chance) -> tuple[Any, Any]:
    """Where a number, a text or something empty stands: one of all of them."""
    leaves = list(_leaves(value))
    return leaves[int(chance.integers(len(leaves)))]


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in sorted(value) if isinstance(value, dict) else range(len(value)):
        if isinstance(value[key], dict | list) and value[key]:
            yield from _leaves(value[key])
        else:
            yield value, key


def _text(data: bytes, chance: Chance) -> bytes:
    """One to three lines of a text graph removed, doubled, or with another number."""
    lines = data.decode(errors="replace").splitlines(keepends=True)
    for _ in range(int(chance.integers(1, 4))):
        place = int(chance.integers(len(lines)))
        match int(chance.integers(3)):
            case 0:
                del lines[place]
            case 1:
                lines.insert(place, lines[place])
            case _:
                kept, colon, _old = lines[place].partition(": ")
                lines[place] = f"{kept}{colon}{_number(chance) if colon else ''}\n"
    return "".join(lines).encode()


_BY_ENDING: Mapping[str, Callable[[bytes, Chance], bytes]] = {
    "saved_model.pb": _saved_model,
    ".pb": _frozen_graph,
    ".tflite": _tflite,
    ".keras": _keras,
    ".h5": _h5,
    ".pbtxt": _text,
}
"""By how a name ends; the first that fits."""
