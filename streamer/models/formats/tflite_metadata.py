"""What a .tflite file says of itself for people and apps: the TFLite Metadata of its exporter, and who wrote it.

Field numbers and meanings are those of metadata_schema.fbs of TensorFlow Lite Support
(https://github.com/tensorflow/tflite-support) and of conversion_metadata.fbs of TensorFlow. The files that it names are
in a zip archive that is appended to the model. Used by tflite.py.
"""

import io
import logging
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamer.models.formats.flatbuffer import FlatBuffer, Table
from streamer.models.formats.tflite_file import TfliteFile
from streamer.models.loaded import Role
from streamer.models.options import ChannelOrder, Order, Unit
from streamer.text import printable

logger = logging.getLogger(__name__)

_IDENTIFIER = b"M001"

_NORMALIZATION, _IMAGE, _BOXES = 1, 2, 3
"""Of the unions ProcessUnitOptions and ContentProperties."""

_RGB = 1
"""Of ColorSpaceType."""

_LABELS = (2, 3)
"""Of AssociatedFileType: TENSOR_AXIS_LABELS, TENSOR_VALUE_LABELS."""

_ROLES: Mapping[str, Role] = {
    "location": "boxes",
    "category": "classes",
    "score": "scores",
    "number of detections": "count",
}
"""What the names of the outputs of a detector have to be, for the apps that read them."""

_ORDERS: Mapping[tuple[int, tuple[int, ...]], Order] = {
    (1, (0, 1, 2, 3)): "xyxy",
    (1, (1, 0, 3, 2)): "yxyx",
    (2, (0, 1, 2, 3)): "xywh",
    (3, (0, 1, 2, 3)): "cxcywh",
}
"""Of BoundingBoxType and the indices of its numbers: left top right bottom, left top width height, centre."""

MAX_LABEL_BYTES = 1 << 20
"""Of a label file; the archive may say what it likes."""

_PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""What exporters write. Python's zipfile unpacks bzip2 and LZMA without a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TfliteMetadata:
    """normalization: as Hints has it. roles: indices of outputs by their part. order, unit: of the boxes."""

    normalization: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    channel_order: ChannelOrder | None = None
    roles: Mapping[Role, int] | None = None
    order: Order | None = None
    unit: Unit | None = None
    labels: str | None = None


def read_metadata(file: TfliteFile) -> TfliteMetadata:
    """What the exporter says of the image and of the outputs. Raises ValueError for what is damaged."""
    data = bytes(file.metadata.get("TFLITE_METADATA", b""))
    if data[4:8] != _IDENTIFIER:
        return TfliteMetadata(labels=_labels(file.content, ()))
    subgraph = next(FlatBuffer(data).root().tables(3), None)
    inputs = [] if subgraph is None else list(subgraph.tables(2))
    outputs = [] if subgraph is None else list(subgraph.tables(3))
    order, unit = next(filter(None, map(_boxes, outputs)), (None, None))
    names = [name for output in outputs for name in _label_files(output)]
    return TfliteMetadata(
        normalization=_normalization(inputs[0]) if len(inputs) == 1 else None,
        channel_order="rgb" if len(inputs) == 1 and _is_rgb(inputs[0]) else None,
        roles={_ROLES[name]: n for n, output in enumerate(outputs) if (name := output.text(0).casefold()) in _ROLES},
        order=order,
        unit=unit,
        labels=_labels(file.content, names),
    )


def writer_of(file: TfliteFile) -> str:
    """What wrote the file, `TensorFlow 2.9.1`, or the oldest runtime that can run it; empty where it does not say."""
    data = bytes(file.metadata.get("CONVERSION_METADATA", b""))
    environment = FlatBuffer(data).root().table(0) if data else None
    version = "" if environment is None else environment.text(0)
    if version:
        return f"TensorFlow {version}"
    oldest = bytes(file.metadata.get("min_runtime_version", b"")).rstrip(b"\0").decode("ascii", "replace")
    return f"TFLite, for runtimes from {oldest}" if oldest else ""


def _normalization(tensor: Table) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.number(0, "u1") == _NORMALIZATION and options is not None:
            mean, std = (tuple(map(float, options.numbers(n, "f4").tolist())) for n in (0, 1))
            is_finite = all(map(math.isfinite, (*mean, *std)))
            if mean and len(mean) == len(std) and is_finite and all(value > 0 for value in std):
                return mean, std
    return None


def _is_rgb(tensor: Table) -> bool:
    image = _properties(tensor, _IMAGE)
    return image is not None and image.number(0, "i1") == _RGB


def _boxes(tensor: Table) -> tuple[Order | None, Unit] | None:
    boxes = _properties(tensor, _BOXES)
    if boxes is None:
        return None
    indices = tuple(map(int, boxes.numbers(0, "u4").tolist())) or (0, 1, 2, 3)
    return _ORDERS.get((boxes.number(1, "i1"), indices)), "px" if boxes.number(2, "i1") else "fraction"


def _properties(tensor: Table, kind: int) -> Table | None:
    content = tensor.table(3)
    return content.table(1) if content is not None and content.number(0, "u1") == kind else None


def _label_files(tensor: Table) -> Iterator[str]:
    """Names of its label files; those of no language, or of English, come first."""
    files = [file for file in tensor.tables(6) if file.number(2, "i1") in _LABELS]
    yield from (file.text(0) for file in sorted(files, key=lambda file: file.text(3) not in {"", "en"}))


def _labels(content: bytes, names: Sequence[str]) -> str | None:
    """The text of the first of these files, or of the only text that is packed with the model.

    Labels may be missing: what is damaged there is a warning.
    """
    packed = io.BytesIO(content)
    if not zipfile.is_zipfile(packed):
        return None
    try:
        with zipfile.ZipFile(packed) as archive:
            text = _label_text(archive, names)
    except (
        *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
        *(NotImplementedError, RuntimeError, ValueError),
    ) as error:
        logger.warning("the labels in the file cannot be read: %s", printable(str(error)))
        return None
    return None if text is None else text.decode("utf-8-sig", "replace")


def _label_text(archive: zipfile.ZipFile, names: Sequence[str]) -> bytes | None:
    there = dict.fromkeys(archive.namelist())
    texts = [name for name in there if name.casefold().endswith(".txt")]
    name = next((name for name in names if name in there), texts[0] if len(texts) == 1 else None)
    if name is None:
        return None
    if archive.getinfo(name).compress_type not in _PACKINGS:
        raise NotImplementedError("they are packed in a way that is not read here")
    with archive.open(name) as file:
        text = file.read(MAX_LABEL_BYTES + 1)
    if len(text) > MAX_LABEL_BYTES:
        raise ValueError(f"they have more than {MAX_LABEL_BYTES >> 10} KiB")
    return text
