"""TFLite files: read as data first, then loaded with LiteRT; their signature, and what they say of themselves."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ModelLoadError, SignatureError
from streamer.models.card import DecodedHead
from streamer.models.formats.tflite_body import range_of_graph
from streamer.models.formats.tflite_detection import PostProcess, find_post_process
from streamer.models.formats.tflite_file import NamedSignature, Subgraph, Tensor, TfliteFile, damaged, read_tflite_file
from streamer.models.formats.tflite_metadata import TfliteMetadata, read_metadata, writer_of
from streamer.models.loaded import Hints, Loaded, Role
from streamer.models.runtimes.litert import LiteRTGraph
from streamer.models.signature import Quantization, Signature, TensorSpec, choose_signature
from streamer.text import printable

FLEX = "Flex"
"""How the names of TensorFlow's operations begin in these files."""

COMPILED: Mapping[str, str] = {
    "edgetpu-custom-op": "a Coral Edge TPU",
    "ethos-u": "an Arm Ethos-U",
    "DISPATCH_OP": "an accelerator",
}
"""Operations that stand for code of a chip."""

MAIN = "main"
"""What the graph of a file without signatures is called."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One way of calling a file. inputs, outputs: indices of the tensors of its graph, by the names that they go by."""

    name: str
    signature: str | None
    subgraph: Subgraph
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


def load_tflite(path: Path, *, signature: str | None = None) -> Loaded:
    """The graph of one signature, ready to run, and what the file says of it.

    Inputs and outputs go by the names of the signature; in a file without signatures, by those of their tensors.
    signature: its name; None takes serving_default, or the only one, or the main graph of a file without any.

    Raises ModelLoadError for what is damaged or cannot be run here, SignatureError for a signature that is not there,
    or that takes something else than one image.
    """
    file = read_tflite_file(path)
    _check_runs(file, path)
    call = _call(file, signature)
    try:
        post_process = find_post_process(call.subgraph)
        metadata, writer = read_metadata(file), writer_of(file)
    except ValueError as error:
        raise damaged(path, str(error)) from error
    specs = _signature(call, post_process)
    return Loaded(
        graph=_graph(file, call, specs, path),
        signature=specs,
        form="TFLite",
        signatures=tuple(named.name for named in file.signatures),
        hints=_hints(call, post_process, metadata),
        writer=writer,
        parameters=file.parameters,
    )


def _check_runs(file: TfliteFile, path: Path) -> None:
    """Say at once what LiteRT has no means for. Raises ModelLoadError."""
    operators = file.custom_operators()
    chip = next((COMPILED[name] for name in operators if name in COMPILED), None)
    if chip is not None:
        raise ModelLoadError(
            f"it is compiled for {chip}", where=str(path), hint="take the file from before it was compiled"
        )
    flex = [printable(name.removeprefix(FLEX)) for name in operators if name.startswith(FLEX)]
    if flex:
        raise ModelLoadError(
            f"it needs TensorFlow's own operations, which LiteRT does not have: {', '.join(flex[:3])}",
            where=str(path),
            hint="take the SavedModel that it was made of, or convert it without SELECT_TF_OPS",
        )
    if file.outside:
        raise ModelLoadError("its weights are in other files", where=str(path), hint="export it as one file")


def _call(file: TfliteFile, wanted: str | None) -> _Call:
    if file.signatures:
        name = choose_signature([named.name for named in file.signatures], wanted)
        named = next(named for named in file.signatures if named.name == name)
        return _named_call(file, named)
    if wanted is not None:
        raise SignatureError("the file has no signatures", hint="run it without --signature")
    subgraph = file.subgraphs[0]
    inputs, outputs = (_by_name(subgraph.tensors, tensors) for tensors in (subgraph.inputs, subgraph.outputs))
    return _Call(MAIN, None, subgraph, inputs, outputs)


def _named_call(file: TfliteFile, named: NamedSignature) -> _Call:
    return _Call(named.name, named.name, file.subgraphs[named.subgraph], named.inputs, named.outputs)


def _by_name(tensors: Sequence[Tensor], indices: Iterable[int]) -> dict[str, int]:
    """Tensors by name; a name that is taken, or empty, is made another."""
    found: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for index in indices:
        name = wanted = tensors[index].name or "tensor"
        while name in found:
            numbers[wanted] = numbers.get(wanted, 1) + 1
            name = f"{wanted}_{numbers[wanted]}"
        found[name] = index
    return found


def _signature(call: _Call, post_process: PostProcess | None) -> Signature:
    tensors = call.subgraph.tensors
    known = {} if post_process is None else {n: post_process.shape(role) for role, n in post_process.tensors.items()}
    return Signature(
        name=call.name,
        inputs=tuple(_input(name, tensors[index]) for name, index in call.inputs.items()),
        outputs=tuple(_output(name, tensors[index], known.get(index)) for name, index in call.outputs.items()),
    )


def _input(name: str, tensor: Tensor) -> TensorSpec:
    quantization = None
    if len(tensor.scales) == 1 and len(tensor.zero_points) <= 1 and "int" in tensor.dtype:
        (scale,) = tensor.scales
        if scale > 0 and math.isfinite(scale):
            quantization = Quantization(scale, sum(tensor.zero_points))
    return TensorSpec(name, tensor.dtype, tensor.shape, quantization)


def _output(name: str, tensor: Tensor, known: tuple[int | None, ...] | None) -> TensorSpec:
    """As the graph gives it: integers that stand for other numbers are these numbers.

    known: its shape where the operator behind it tells it; exporters leave it out, or make a single number of it.
    """
    dtype = "float32" if "int" in tensor.dtype and any(tensor.scales) else tensor.dtype
    return TensorSpec(name, dtype, tensor.shape if tensor.shape or known is None else known)


def _graph(file: TfliteFile, call: _Call, specs: Signature, path: Path) -> LiteRTGraph:
    if len(specs.inputs) != 1:
        there = "its inputs: " + ("; ".join(map(str, specs.inputs[:12])) or "none")
        what = f"it takes {len(specs.inputs)} inputs, where one image is wanted"
        raise SignatureError(what, where=str(path), hint=there)
    (image,) = specs.inputs
    try:
        return LiteRTGraph(
            file.content,
            signature=call.signature,
            input_name=image.name,
            input_tensor=call.inputs[image.name],
            output_tensors=call.outputs,
            is_sized=image.shape is not None and None not in image.shape[1:],
        )
    except ModelLoadError as error:
        raise ModelLoadError(error.what, where=str(path), hint=error.hint) from error


def _hints(call: _Call, post_process: PostProcess | None, metadata: TfliteMetadata) -> Hints:
    roles = _roles(call, post_process, metadata)
    return Hints(
        roles=roles,
        normalization=metadata.normalization,
        value_range=range_of_graph(call.subgraph, next(iter(call.inputs.values()))),
        channel_order=metadata.channel_order,
        first_class_id=None if post_process is None else 0,
        class_count=None if post_process is None else post_process.class_count,
        labels=metadata.labels,
        head=_head(roles, post_process, metadata),
    )


def _roles(call: _Call, post_process: PostProcess | None, metadata: TfliteMetadata) -> dict[Role, str]:
    """The operator knows best; the metadata counts the outputs of the graph."""
    names = {index: name for name, index in call.outputs.items()}
    if post_process is not None:
        tensors = dict(post_process.tensors)
    else:
        outputs = call.subgraph.outputs
        tensors = {role: outputs[n] for role, n in (metadata.roles or {}).items() if n < len(outputs)}
    return {role: names[tensor] for role, tensor in tensors.items() if tensor in names}


def _head(roles: Mapping[Role, str], post_process: PostProcess | None, metadata: TfliteMetadata) -> DecodedHead | None:
    """How the boxes are to be read; None where the file says it only in part."""
    order, unit = ("yxyx", "fraction") if post_process is not None else (metadata.order, metadata.unit)
    if not {"boxes", "scores"} <= roles.keys() or order is None:
        return None
    return DecodedHead(
        boxes=roles["boxes"],
        scores=roles["scores"],
        classes=roles.get("classes"),
        count=roles.get("count"),
        order=order,
        unit=unit,
    )
