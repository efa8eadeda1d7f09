"""TFLite_Detection_PostProcess: what the operator says of the outputs that it makes. Used by tflite.py.

It decodes the boxes of an SSD and suppresses the weaker ones. Its outputs are boxes, classes, scores and their number,
in this order; in which order the graph passes them on differs from exporter to exporter
(https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/kernels/detection_postprocess.cc).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streamer.models.formats.tflite_file import Subgraph
from streamer.models.loaded import Role

POST_PROCESS = "TFLite_Detection_PostProcess"

_ORDER: tuple[Role, ...] = ("boxes", "classes", "scores", "count")

_RECODING = frozenset({6, 53, 114})
"""DEQUANTIZE, CAST and QUANTIZE."""

_MOST_RECODINGS = 3
"""One behind the other: to int8, to uint8, and none."""

_OPTIONS = frozenset({"num_classes", "max_detections", "max_classes_per_detection"})


@dataclass(frozen=True, slots=True)
class PostProcess:
    """What it was set to. tensors: which tensor of the graph is what; rows: how many detections it gives."""

    tensors: Mapping[Role, int]
    class_count: int | None
    rows: int | None

    def shape(self, role: Role) -> tuple[int | None, ...]:
        """The shape of an output, which most files leave out."""
        return (1,) if role == "count" else (1, self.rows, 4) if role == "boxes" else (1, self.rows)


def find_post_process(subgraph: Subgraph) -> PostProcess | None:
    """The operator of a graph; None where there is none, or more than one. Raises ValueError for a damaged one."""
    found = [operator for operator in subgraph.operators if operator.custom == POST_PROCESS]
    if len(found) != 1:
        return None
    (operator,) = found
    if len(operator.outputs) != len(_ORDER):
        raise ValueError(f"{POST_PROCESS} has {len(operator.outputs)} outputs")
    options = dict(_options(operator.options))
    rows = options.get("max_detections")
    if rows is not None:
        rows *= options.get("max_classes_per_detection", 1)
    ends = [_passed_on(subgraph, tensor) for tensor in operator.outputs]
    return PostProcess(dict(zip(_ORDER, ends, strict=True)), options.get("num_classes"), rows)


def _passed_on(subgraph: Subgraph, tensor: int) -> int:
    """The output of the graph that holds this tensor in other numbers, where the graph does not give it itself."""
    end = tensor
    for _ in range(_MOST_RECODINGS):
        if end in subgraph.outputs:
            return end
        recoded = (op.outputs[0] for op in subgraph.operators if op.code in _RECODING and op.inputs[:1] == (end,))
        end = next(recoded, end)
    return end if end in subgraph.outputs else tensor


def _options(data: memoryview) -> Iterator[tuple[str, int]]:
    """The options that are whole numbers above 0, by name."""
    from flatbuffers import flexbuffers  # noqa: PLC0415 - few models have any

    try:
        options = flexbuffers.GetRoot(bytes(data)).AsMap
        for key in options.Keys:
            name = key.AsKey
            value = options[name] if name in _OPTIONS else None
            if value is not None and value.IsInt and value.AsInt > 0:
                yield name, int(value.AsInt)
    except (struct.error, ValueError, LookupError, TypeError) as error:
        raise ValueError(f"the options of {POST_PROCESS} cannot be read: {error}") from error
