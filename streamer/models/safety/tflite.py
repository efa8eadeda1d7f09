"""What a .tflite file would do, looked at before a runtime sees it.

TensorFlow Lite's own operations compute and do nothing else: none of them reads or writes files. What is looked at is
the rest: operations with names of their own, TensorFlow's operations inside such a file, and sizes. What cannot be run
at all is refused by formats/tflite.py, trusted or not. Called by checks.py.
"""

from collections.abc import Iterator
from pathlib import Path

from streamer.models.formats.tflite import COMPILED, FLEX
from streamer.models.formats.tflite_detection import POST_PROCESS
from streamer.models.formats.tflite_file import TfliteFile, read_tflite_file
from streamer.models.safety.operations import ALLOWED, UNKNOWN, reason
from streamer.models.safety.wording import listed
from streamer.text import printable

MAX_TENSOR_BYTES = 1 << 30
"""Of one tensor; those of the largest detectors have a tenth of it."""

MAX_OPERATORS = 100_000
"""Of all graphs together; the largest detectors have some thousands."""

COMPUTING = frozenset(
    {
        POST_PROCESS,
        *("AudioSpectrogram", "Mfcc", "NumericVerify", "RFFT2D", "Resampler"),
        *("Convolution2DTransposeBias", "MaxPoolingWithArgmax2D", "MaxUnpooling2D"),
        *("Landmarks2TransformMatrix", "TransformLandmarks", "TransformTensorBilinear"),
    }
)
"""Operations with names of their own that only compute: those of TensorFlow Lite and of MediaPipe."""


def tflite_concerns(path: Path) -> tuple[str, ...]:
    """What the file would be refused for, each with what it is in it; empty for one that only computes.

    Raises ModelLoadError that says what is damaged or too large.
    """
    file = read_tflite_file(path)
    return (*_operations(file), *_sizes(file))


def _operations(file: TfliteFile) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for name in file.custom_operators():
        why = _reason(name)
        if why:
            by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        yield f"it contains operations that {why}: {listed(names)}"


def _reason(name: str) -> str:
    """Why an operation is refused; empty for one that only computes, or that is refused as one that cannot be run."""
    if name in COMPUTING or name in COMPILED:
        return ""
    operation = name.removeprefix(FLEX)
    if operation == name:
        return UNKNOWN
    return "" if operation in ALLOWED else reason(operation)


def _sizes(file: TfliteFile) -> Iterator[str]:
    operators = sum(len(subgraph.operators) for subgraph in file.subgraphs)
    if operators > MAX_OPERATORS:
        yield f"it has {operators} operations, where {MAX_OPERATORS} are the most"
    tensors = (tensor for subgraph in file.subgraphs for tensor in subgraph.tensors)
    large = [tensor for tensor in tensors if tensor.size_bytes > MAX_TENSOR_BYTES]
    if large:
        named = listed([f"{printable(tensor.name)} of {tensor.size_bytes >> 20} MiB" for tensor in large])
        yield f"it has tensors of more than {MAX_TENSOR_BYTES >> 20} MiB: {named}"
