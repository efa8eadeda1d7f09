"""A .tflite file as data: tensors, operators, signatures and what it says of itself, read without a runtime.

Field numbers and meanings are those of the schema of TensorFlow Lite, version 3
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/schema/schema.fbs). Whatever stands in the file is
checked where it is read. Used by tflite.py, which loads it, and by safety/tflite.py, which looks at it before.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from streamer.errors import ModelLoadError
from streamer.models.formats.flatbuffer import FlatBuffer, Table

_T = TypeVar("_T")

IDENTIFIER = b"TFL3"
"""At byte 4 of every file."""

MAX_BYTES = 1 << 30
"""Of a file; the largest detectors have a third of it."""

MAX_RANK = 8
"""Dimensions of a tensor; no operator of TensorFlow Lite takes more."""

MAX_NUMBERS = 1 << 48
"""In a tensor, as counted here: what has more is refused for its size, however much more it is."""

CUSTOM = 32
"""The code of all operators that have a name of their own (BuiltinOperator.CUSTOM)."""

_UNPACKING = frozenset({6, 124})
"""DEQUANTIZE and DENSIFY. LiteRT 2.3 reads as many of the weights that they unpack as their output has."""

_OPTIONAL_FROM: Mapping[int, int] = {
    **dict.fromkeys((3, 4, 9, 132), 2),
    **dict.fromkeys((67, 141), 3),
    **dict.fromkeys((15, 16, 24, 27, 35, 44, 46, 52, CUSTOM), 0),
}
"""From which of its inputs on an operator may go without: the bias of convolutions and of FULLY_CONNECTED, the weights
of recurrent ones. LiteRT 2.3 does not always look before it takes another one's input."""

_WHOLE_CODES = 127
"""Codes below stand in a byte of their own too: files from before 2020 have nothing else."""

_DTYPES = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64"),
    *("complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16", "int2", "uint4"),
)
"""TensorType, in its order."""

_INDICES = frozenset({"int32", "int64"})
"""What shapes, axes and indices are made of, and weights only where they are quantised."""

_SIZES_BYTES = {
    **dict.fromkeys(("uint8", "int8", "bool", "int4", "uint4", "int2"), 1),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("int64", "uint64", "float64", "complex64"), 8),
    "complex128": 16,
}
"""The others have 4."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a graph.

    shape: as TensorSpec has it. scales, zero_points: of its quantisation, one pair or one for each channel; empty for
    none. weights: how many numbers of it the file holds, in which buffer; 0 for what is computed, and for shapes.
    size_bytes: what it needs, a dimension that may change being what the file begins with. data: its bytes, as they
    stand in the file; none for what is computed.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    buffer: int
    weights: int
    size_bytes: int
    data: memoryview = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Operator:
    """One step of a graph. custom: its name, empty for those of TensorFlow Lite itself; options: of a custom one."""

    code: int
    custom: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: memoryview


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph; inputs and outputs are indices of its tensors."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class NamedSignature:
    """A way of calling one of the graphs: its tensors under names of their own."""

    name: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """What stands in a file. outside: whether weights of it are in other files."""

    content: bytes
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[NamedSignature, ...]
    metadata: Mapping[str, memoryview]
    outside: bool

    @property
    def parameters(self) -> int:
        """How many weights it holds; a buffer that several tensors share counts once."""
        tensors = (tensor for subgraph in self.subgraphs for tensor in subgraph.tensors)
        return sum({tensor.buffer: tensor.weights for tensor in tensors}.values())

    def custom_operators(self) -> tuple[str, ...]:
        """The names of operators that are not TensorFlow Lite's own, each once, in their order."""
        found = (operator for subgraph in self.subgraphs for operator in subgraph.operators)
        return tuple(dict.fromkeys(operator.custom for operator in found if operator.code == CUSTOM))


def read_tflite_file(path: Path) -> TfliteFile:
    """What stands in the file. Raises ModelLoadError for one that is missing, too large, damaged, or no .tflite."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise ModelLoadError(
                f"it has {size_bytes >> 20} MiB", where=str(path), hint=f"at most {MAX_BYTES >> 20} MiB"
            )
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelLoadError(f"cannot be read: {reason}", where=str(path)) from error
    if content[4:8] != IDENTIFIER:
        what = f"no TFLite file: {IDENTIFIER.decode()} does not stand at its byte 4" if content else "the file is empty"
        raise ModelLoadError(what, where=str(path), hint="copy or export the model again")
    try:
        return _file(content)
    except ValueError as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, why: str) -> ModelLoadError:
    """The error for a file that is not whole."""
    return ModelLoadError(
        f"the TFLite file is damaged or incomplete: {why}", where=str(path), hint="copy or export the model again"
    )


def _file(content: bytes) -> TfliteFile:
    model = FlatBuffer(content).root()
    codes = [_operator_code(code) for code in model.tables(1)]
    buffers = list(_buffers(model, content))
    subgraphs = tuple(_subgraph(subgraph, codes, buffers) for subgraph in model.tables(2))
    if not subgraphs:
        raise ValueError("there is no graph in it")
    return TfliteFile(
        content=content,
        description=model.text(3),
        subgraphs=subgraphs,
        signatures=tuple(_signature(signature, subgraphs) for signature in model.tables(7)),
        metadata={entry.text(0): _indexed(buffers, entry.number(1, "u4"), "buffer") for entry in model.tables(6)},
        outside=any(True for _ in model.tables(9)),
    )


def _operator_code(code: Table) -> tuple[int, str]:
    whole = code.number(3)
    number = whole if whole >= _WHOLE_CODES else max(whole, code.number(0, "i1"))
    return number, code.text(1) if number == CUSTOM else ""


def _buffers(model: Table, content: bytes) -> Iterator[memoryview]:
    """The bytes of each; those of large files stand behind the tables and are given by offset and size."""
    for buffer in model.tables(4):
        offset, size_bytes = buffer.number(1, "u8"), buffer.number(2, "u8")
        if offset <= 1:
            yield buffer.blob(0)
        elif offset + size_bytes > len(content):
            raise ValueError(f"a buffer ends at byte {offset + size_bytes} of {len(content)}")
        else:
            yield memoryview(content)[offset : offset + size_bytes]


def _subgraph(subgraph: Table, codes: list[tuple[int, str]], buffers: list[memoryview]) -> Subgraph:
    tensors = tuple(_tensor(tensor, buffers) for tensor in subgraph.tables(0))
    found = Subgraph(
        tensors=tensors,
        inputs=_integers(subgraph, 1),
        outputs=_integers(subgraph, 2),
        operators=tuple(_operator(operator, codes) for operator in subgraph.tables(3)),
    )
    for index in (*found.inputs, *found.outputs):
        _indexed(tensors, index, "tensor")
    for operator in found.operators:
        _check_wired(tensors, operator)
    _check_written(found, variables={n for n, tensor in enumerate(subgraph.tables(0)) if tensor.number(5, "u1")})
    return found


def _check_written(graph: Subgraph, *, variables: set[int]) -> None:
    """Raise ValueError where an operator reads what nothing has written, or writes over what is there.

    Operators run in their order. LiteRT 2.3 looks for neither, and reads where nothing is or writes into the file's
    weights. variables: tensors that keep their values from one call to the next.
    """
    held = {n for n, tensor in enumerate(graph.tensors) if len(tensor.data) > 0}
    known = {*graph.inputs, *held, *variables}
    known |= {n for n, tensor in enumerate(graph.tensors) if tensor.size_bytes == 0 and tensor.shape is not None}
    written = {*graph.inputs, *held} - variables
    for operator in graph.operators:
        if unread := [index for index in operator.inputs if index != -1 and index not in known]:
            raise ValueError(f"tensor {unread[0]} is read before anything is in it")
        if twice := [index for index in operator.outputs if index in written]:
            raise ValueError(f"tensor {twice[0]} is written twice")
        written.update(operator.outputs)
        known.update(operator.outputs)
    if missing := [index for index in graph.outputs if index not in known]:
        raise ValueError(f"nothing writes its output, tensor {missing[0]}")


def _check_wired(tensors: Sequence[Tensor], operator: Operator) -> None:
    optional_from = _OPTIONAL_FROM.get(operator.code, len(operator.inputs))
    wired = [index for n, index in enumerate(operator.inputs) if index != -1 or n < optional_from]
    ends = [_indexed(tensors, index, "tensor") for index in (*wired, *operator.outputs)]
    if operator.code in _UNPACKING and len({tensor.shape for tensor in ends}) > 1 and ends[0].weights:
        raise ValueError("weights change their shape where they are unpacked")


def _tensor(tensor: Table, buffers: list[memoryview]) -> Tensor:
    number = tensor.number(1, "i1")
    dtype = _DTYPES[number] if 0 <= number < len(_DTYPES) else f"type {number}"
    quantization = tensor.table(4)
    fixed = _integers(tensor, 0)
    if len(fixed) > MAX_RANK:
        raise ValueError(f"a tensor has {len(fixed)} dimensions, where {MAX_RANK} are the most")
    count = min(math.prod(fixed), MAX_NUMBERS)
    buffer = tensor.number(2, "u4")
    held = _indexed(buffers, buffer, "buffer")
    scales = () if quantization is None else tuple(map(float, quantization.numbers(2, "f4").tolist()))
    is_weight = len(held) > 0 and len(fixed) > 0 and (dtype not in _INDICES or any(scales))
    return Tensor(
        name=tensor.text(3),
        dtype=dtype,
        shape=_shape(fixed, _integers(tensor, 7), has_rank=bool(tensor.number(8, "u1"))),
        scales=scales,
        zero_points=() if quantization is None else tuple(map(int, quantization.numbers(3, "i8").tolist())),
        buffer=buffer,
        weights=count if is_weight else 0,
        size_bytes=count * _SIZES_BYTES.get(dtype, 4),
        data=held,
    )


def _shape(fixed: tuple[int, ...], changing: tuple[int, ...], *, has_rank: bool) -> tuple[int | None, ...] | None:
    """The shape; an empty one means no known rank, unless the file says that it is a single number."""
    known = changing if len(changing) == len(fixed) else fixed
    if any(n < 0 for n in fixed) or any(n < -1 for n in known):
        raise ValueError("a shape is negative")
    return tuple(None if n == -1 else n for n in known) if known or has_rank else None


def _operator(operator: Table, codes: list[tuple[int, str]]) -> Operator:
    code, custom = _indexed(codes, operator.number(0, "u4"), "operator code")
    return Operator(code, custom, _integers(operator, 1), _integers(operator, 2), operator.blob(5))


def _signature(signature: Table, subgraphs: tuple[Subgraph, ...]) -> NamedSignature:
    number = signature.number(4, "u4")
    tensors = _indexed(subgraphs, number, "graph").tensors
    inputs, outputs = ({entry.text(0): entry.number(1, "u4") for entry in signature.tables(n)} for n in (0, 1))
    for index in (*inputs.values(), *outputs.values()):
        _indexed(tensors, index, "tensor")
    return NamedSignature(signature.text(2), number, inputs, outputs)


def _integers(table: Table, field: int) -> tuple[int, ...]:
    return tuple(map(int, table.numbers(field, "i4").tolist()))


def _indexed(items: Sequence[_T], index: int, what: str) -> _T:
    if not 0 <= index < len(items):
        raise ValueError(f"it asks for {what} {index} of {len(items)}")
    return items[index]
