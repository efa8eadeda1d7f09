"""Small models for OpenCV's dnn, written without it and without TensorFlow: a frozen graph and its text graph."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CELL_PX = 8
"""`save_red_finder` looks at squares of this side."""


def save_red_finder(
    folder: Path, *, name: str = "red", size_px: int = 32, background: int = 0, boxes_per_cell: int = 1
) -> tuple[Path, Path]:
    """A detector of red squares: (.pb, .pbtxt). Each cell of 8x8 px whose first channel is 255 is a box of class 1.

    It has what OpenCV's SSDs have: a convolution for the scores, one for the offsets (all 0), priors of the size of a
    cell, and a DetectionOutput: [1,1,N,7].
    """
    folder.mkdir(parents=True, exist_ok=True)
    conf = np.zeros((CELL_PX, CELL_PX, 3, 2), np.float32)
    conf[:, :, 0, 1] = 10 / 255 / CELL_PX**2
    constants: dict[str, NDArray[np.float32]] = {
        "conf/weights": np.tile(conf, boxes_per_cell),
        "conf/bias": np.tile(np.array([0, -5], np.float32), boxes_per_cell),
        "loc/weights": np.zeros((CELL_PX, CELL_PX, 3, 4 * boxes_per_cell), np.float32),
        "loc/bias": np.zeros(4 * boxes_per_cell, np.float32),
    }
    graph, text = folder / f"{name}.pb", folder / f"{name}.pbtxt"
    graph.write_bytes(b"".join(_field(1, _constant(key, values)) for key, values in constants.items()))
    text.write_text(_TEXT.format(size_px=size_px, background=background), encoding="utf-8")
    return graph, text


def _field(number: int, payload: bytes) -> bytes:
    """A field of bytes in the wire form of protocol buffers."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127)
    return bytes(group | 128 for group in groups[:-1]) + bytes(groups[-1:])


def _constant(name: str, values: NDArray[np.float32]) -> bytes:
    """A NodeDef of TensorFlow's: a Const of DT_FLOAT, which is 1."""
    shape = b"".join(_field(2, b"\x08" + _varint(side)) for side in values.shape)
    content = struct.pack(f"<{values.size}f", *values.ravel())
    tensor = b"\x08\x01" + _field(2, shape) + _field(4, content)
    attributes = _attribute("dtype", b"\x30\x01") + _attribute("value", _field(8, tensor))
    return _field(1, name.encode()) + _field(2, b"Const") + attributes


def _attribute(key: str, value: bytes) -> bytes:
    return _field(5, _field(1, key.encode()) + _field(2, value))


_TEXT = """
node {{
  name: "data" op: "Placeholder"
  attr {{ key: "dtype" value {{ type: DT_FLOAT }} }}
  attr {{ key: "shape" value {{ shape {{
    dim {{ size: -1 }} dim {{ size: {size_px} }} dim {{ size: {size_px} }} dim {{ size: 3 }}
  }} }} }}
}}
node {{
  name: "conf" op: "Conv2D" input: "data:0" input: "conf/weights"
  attr {{ key: "padding" value {{ s: "VALID" }} }}
  attr {{ key: "strides" value {{ list {{ i: 1 i: 8 i: 8 i: 1 }} }} }}
}}
node {{ name: "conf/BiasAdd" op: "BiasAdd" input: "conf" input: "conf/bias" }}
node {{ name: "conf/flat" op: "Flatten" input: "conf/BiasAdd" }}
node {{
  name: "by_class" op: "Const"
  attr {{ key: "value" value {{ tensor {{
    dtype: DT_INT32 tensor_shape {{ dim {{ size: 3 }} }} int_val: 0 int_val: -1 int_val: 2
  }} }} }}
}}
node {{ name: "conf/rows" op: "Reshape" input: "conf/flat" input: "by_class" }}
node {{ name: "conf/softmax" op: "Softmax" input: "conf/rows" attr {{ key: "axis" value {{ i: 2 }} }} }}
node {{ name: "scores" op: "Flatten" input: "conf/softmax" }}
node {{
  name: "loc" op: "Conv2D" input: "data:0" input: "loc/weights"
  attr {{ key: "padding" value {{ s: "VALID" }} }}
  attr {{ key: "strides" value {{ list {{ i: 1 i: 8 i: 8 i: 1 }} }} }}
}}
node {{ name: "loc/BiasAdd" op: "BiasAdd" input: "loc" input: "loc/bias" }}
node {{ name: "offsets" op: "Flatten" input: "loc/BiasAdd" }}
node {{
  name: "priors" op: "PriorBox" input: "loc/BiasAdd" input: "data"
  attr {{ key: "min_size" value {{ i: 8 }} }}
  attr {{ key: "flip" value {{ b: false }} }}
  attr {{ key: "clip" value {{ b: false }} }}
  attr {{ key: "variance" value {{ tensor {{
    dtype: DT_FLOAT tensor_shape {{ dim {{ size: 4 }} }}
    float_val: 0.1 float_val: 0.1 float_val: 0.2 float_val: 0.2
  }} }} }}
}}
node {{
  name: "found" op: "DetectionOutput" input: "offsets" input: "scores" input: "priors"
  attr {{ key: "num_classes" value {{ i: 2 }} }}
  attr {{ key: "share_location" value {{ b: true }} }}
  attr {{ key: "background_label_id" value {{ i: {background} }} }}
  attr {{ key: "nms_threshold" value {{ f: 0.5 }} }}
  attr {{ key: "top_k" value {{ i: 100 }} }}
  attr {{ key: "code_type" value {{ s: "CENTER_SIZE" }} }}
  attr {{ key: "keep_top_k" value {{ i: 100 }} }}
  attr {{ key: "confidence_threshold" value {{ f: 0.01 }} }}
}}
"""
