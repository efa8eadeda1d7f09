"""What the file of a model says without being loaded: all that is told of one that is refused. Called by inspect.py."""

from collections.abc import Iterable
from dataclasses import replace

from streamer.inspection.findings import Inspection, TensorFact
from streamer.models.formats.recognise import Found
from streamer.models.formats.tflite_file import Subgraph, read_tflite_file
from streamer.models.formats.tflite_metadata import writer_of
from streamer.models.safety.program import read_frozen_graph, read_saved_model, text_of, weights_in
from streamer.models.schema import Message
from streamer.models.signature import DEFAULT_SIGNATURE, TensorSpec

_DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    19: "float16",
}
"""DataType of tensorflow/core/framework/types.proto."""

_RESTORED = "__saved_model_init_op"
"""What is kept among the signatures for loading, and is none."""


def told_by_the_file(known: Inspection, found: Found) -> Inspection:
    """`known` with what a SavedModel, a frozen graph or a TFLite file says. Raises ModelLoadError for a damaged one."""
    if found.form == "savedmodel":
        return _of_saved_model(known, read_saved_model(found.path))
    if found.form == "tflite":
        file = read_tflite_file(found.path)
        inputs, outputs = _of_subgraph(file.subgraphs[0])
        names = tuple(named.name for named in file.signatures)
        known = replace(known, signature=names[0] if names else "main", signatures=names)
        return replace(known, writer=writer_of(file), parameters=file.parameters, inputs=inputs, outputs=outputs)
    if found.form in {"frozen_graph", "opencv_dnn"}:
        return replace(known, parameters=weights_in(read_frozen_graph(found.path)))
    return known


def _of_saved_model(known: Inspection, model: Message) -> Inspection:
    graph = next((graph for graph in model.meta_graphs if graph.signatures), model.meta_graphs[0])
    signatures = {text_of(entry.key): entry.value for entry in graph.signatures if entry.key != _RESTORED.encode()}
    name = DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in signatures else next(iter(sorted(signatures)), "")
    version = text_of(graph.info.tensorflow_version)
    return replace(
        known,
        writer=f"TensorFlow {version}" if version else "",
        signature=name,
        signatures=tuple(sorted(signatures)),
        inputs=_tensors(signatures[name].inputs) if name else (),
        outputs=_tensors(signatures[name].outputs) if name else (),
    )


def _tensors(entries: Iterable[Message]) -> tuple[TensorFact, ...]:
    specs = (TensorSpec(text_of(e.key), _DTYPES.get(e.value.dtype, "other"), _shape(e.value.shape)) for e in entries)
    return tuple(TensorFact(spec) for spec in sorted(specs, key=lambda spec: spec.name))


def _shape(shape: Message) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(None if dimension.size < 0 else dimension.size for dimension in shape.dimensions)


def _of_subgraph(subgraph: Subgraph) -> tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]:
    tensors = [TensorFact(TensorSpec(tensor.name, tensor.dtype, tensor.shape)) for tensor in subgraph.tensors]
    return tuple(tensors[index] for index in subgraph.inputs), tuple(tensors[index] for index in subgraph.outputs)
