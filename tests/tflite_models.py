"""Small .tflite files that tests make for themselves: each kind of number, the operator of SSDs, files with faults."""

import io
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from streamer.models.runtimes.tensorflow import import_tensorflow

Tensor = Any
"""TensorFlow comes without types."""

Numbers = Literal["float32", "float16", "dynamic", "int8", "uint8"]
"""Of a network: plain, weights halved, weights of 8 bits, all of it of 8 bits with these at its ends."""

SIDE_PX = 32
CELLS = 16
ROWS = 5
CLASSES = 3
"""Of the detector: a picture of 32x32 px, 16 anchors, 5 detections, 3 classes besides the background."""

ANCHORS = np.array([[(n // 4 + 0.5) / 4, (n % 4 + 0.5) / 4, 0.25, 0.25] for n in range(CELLS)], np.float32)
"""Centre y, centre x, height, width, as fractions: one for each cell of 8x8 px."""

_POST_PROCESS = f"""
name: "TFLite_Detection_PostProcess"
attr {{ key: "max_detections" value {{ i: {ROWS} }} }}
attr {{ key: "max_classes_per_detection" value {{ i: 1 }} }}
attr {{ key: "use_regular_nms" value {{ b: false }} }}
attr {{ key: "nms_score_threshold" value {{ f: 0.1 }} }}
attr {{ key: "nms_iou_threshold" value {{ f: 0.6 }} }}
attr {{ key: "y_scale" value {{ f: 10.0 }} }}
attr {{ key: "x_scale" value {{ f: 10.0 }} }}
attr {{ key: "h_scale" value {{ f: 5.0 }} }}
attr {{ key: "w_scale" value {{ f: 5.0 }} }}
attr {{ key: "num_classes" value {{ i: {CLASSES} }} }}
"""
"""As export_tflite_graph_tf2.py of the Object Detection API has it."""


@cache
def detector(*, order: tuple[int, ...] = (0, 1, 2, 3), signature: str | None = "serving_default") -> bytes:
    """A detector with TFLite_Detection_PostProcess, which finds the cells of 8x8 px that are of one colour.

    Takes float32 [1, 32, 32, 3] of 0 to 1; a cell of pure red is class 0, of green class 1, of blue class 2, at a score
    of 1. order: in which it gives boxes, classes, scores and their number. signature: None for a file without any.
    """
    tf = import_tensorflow()

    @tf.function(experimental_implements=_POST_PROCESS)  # type: ignore[untyped-decorator]
    def post_process(boxes: Tensor, scores: Tensor, anchors: Tensor) -> tuple[Tensor, ...]:
        del boxes, scores, anchors
        return tuple(tf.constant(0.0, name=name) for name in ("boxes", "classes", "scores", "count"))

    def detect(picture: Tensor) -> tuple[Tensor, ...]:
        cells = tf.reshape(tf.nn.avg_pool2d(picture, 8, 8, "VALID"), [1, CELLS, 3])
        scores = tf.concat([tf.zeros([1, CELLS, 1]), cells], -1)
        found = post_process(tf.zeros([1, CELLS, 4]) * scores[..., :1], scores, tf.constant(ANCHORS))
        return tuple(found[n] for n in order)

    return converted(detect, (1, SIDE_PX, SIDE_PX, 3), signature=signature)


@cache
def network(numbers: Numbers = "float32", *, shape: tuple[int | None, ...] = (1, 8, 8, 3)) -> bytes:
    """A small network of one output, `scores`, with a signature; it takes 0 to 1, or what stands for that."""
    tf = import_tensorflow()
    random = np.random.default_rng(5)
    kernel = random.normal(size=(3, 3, 3, 64)).astype(np.float32)
    mixing = random.normal(size=(64, 16), scale=0.2).astype(np.float32)

    def call(image: Tensor) -> dict[str, Tensor]:
        features = tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "SAME"))
        return {"scores": tf.sigmoid(tf.matmul(tf.reduce_mean(features, [1, 2]), mixing))}

    return converted(call, shape, signature="serving_default", numbers=numbers)


@cache
def plain_detector() -> bytes:
    """Four outputs, a to d, in the shapes of boxes, classes, scores and their number, by no operator of that kind."""
    tf = import_tensorflow()

    def call(image: Tensor) -> dict[str, Tensor]:
        level = tf.reduce_mean(image)
        shapes = {"a": (1, ROWS, 4), "b": (1, ROWS), "c": (1, ROWS), "d": (1,)}
        return {name: tf.fill(shape, level * ord(name)) for name, shape in shapes.items()}

    def sort_outputs(model: Any) -> None:
        named = {entry.name: entry.tensorIndex for entry in model.signatureDefs[0].outputs}
        model.subgraphs[0].outputs = [named[name] for name in sorted(named)]

    return edited(converted(call, (1, 8, 8, 3), signature="serving_default"), sort_outputs)


@cache
def two_signatures() -> bytes:
    """`darker` halves a picture, `brighter` doubles it."""
    tf = import_tensorflow()
    spec = tf.TensorSpec([1, 4, 4, 3], tf.float32, name="image")
    module = tf.Module()
    module.darker = tf.function(lambda image: {"darker_picture": image * 0.5}, input_signature=[spec])
    module.brighter = tf.function(lambda image: {"brighter_picture": image * 2.0}, input_signature=[spec])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"darker": module.darker, "brighter": module.brighter})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["darker", "brighter"])
        return bytes(converter.convert())


@cache
def two_inputs() -> bytes:
    """A picture and a mask."""
    tf = import_tensorflow()
    specs = [
        tf.TensorSpec([1, 4, 4, channels], tf.float32, name=name) for name, channels in (("image", 3), ("mask", 1))
    ]
    module = tf.Module()
    module.call = tf.function(lambda image, mask: {"masked": image * mask}, input_signature=specs)
    concrete = module.call.get_concrete_function()
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert())


@cache
def with_flex() -> bytes:
    """A network with an operation of TensorFlow itself in it: Bincount."""
    tf = import_tensorflow()

    def call(image: Tensor) -> dict[str, Tensor]:
        whole = tf.cast(image[0, 0, 0], tf.int32)
        return {"counts": tf.raw_ops.Bincount(arr=whole, size=5, weights=tf.ones([3]))}

    return converted(call, (1, 4, 4, 3), signature="serving_default", flex=True)


def converted(
    function: Callable[..., Any],
    shape: tuple[int | None, ...],
    *,
    signature: str | None = None,
    numbers: Numbers = "float32",
    flex: bool = False,
) -> bytes:
    """What the converter makes of a function of one image. signature: its name; None for a file without any."""
    tf = import_tensorflow()
    module = tf.Module()
    module.call = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32, name="image")])
    concrete = module.call.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.allow_custom_ops = not flex
    if flex:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    _set_numbers(converter, numbers, [n or 1 for n in shape])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = bytes(converter.convert())
    return edited(content, lambda model: _set_signature(model, signature))


def _set_signature(model: Any, name: str | None) -> None:
    if name is None:
        model.signatureDefs = None
    else:
        model.signatureDefs[0].signatureKey = name


def _set_numbers(converter: Tensor, numbers: Numbers, shape: Sequence[int]) -> None:
    tf = import_tensorflow()
    if numbers == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if numbers == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if numbers in {"int8", "uint8"}:
        pictures = np.random.default_rng(6).random((8, *shape)).astype(np.float32)
        pictures[0], pictures[1] = 0, 1
        converter.representative_dataset = lambda: ([picture] for picture in pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, numbers)


def edited(content: bytes, change: Callable[[Any], None]) -> bytes:
    """A file with something in it changed; `change` is given the ModelT of the schema."""
    import flatbuffers  # noqa: PLC0415 - of the runtimes
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    change(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def scaled_by_channel(*, scales: Sequence[float], zero_points: Sequence[int]) -> bytes:
    """A file that gives back what it is given, int8 [1, 1, 2, 3], as integers of a scale for each channel: `copy`."""

    def change(model: Any) -> None:
        (graph,) = model.subgraphs
        for index in (*graph.inputs, *graph.outputs):
            graph.tensors[index].type = 9
        quantization = graph.tensors[graph.outputs[0]].quantization
        quantization.scale, quantization.zeroPoint = [*scales], [*zero_points]
        quantization.quantizedDimension = 3

    content = converted(lambda image: {"copy": image[:, ::-1]}, (1, 1, 2, 3), signature="serving_default")
    return edited(content, change)


def output_tensors(content: bytes) -> dict[str, int]:
    """The outputs of the main graph, by the names of their tensors."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - of the runtimes

    (graph,) = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0)).subgraphs
    return {graph.tensors[index].name.decode(): int(index) for index in graph.outputs}


def with_custom_operator(content: bytes, name: str) -> bytes:
    """A file whose first operator is another one, that has a name of its own."""

    def change(model: Any) -> None:
        code = model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex]
        code.builtinCode = code.deprecatedBuiltinCode = 32
        code.customCode = name

    return edited(content, change)


def with_outside_weights(content: bytes) -> bytes:
    """A file that says that weights of it are in another one."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - of the runtimes

    def change(model: Any) -> None:
        group, outside = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
        group.name, outside.length = "/etc/hostname", 4
        model.externalBufferGroups, model.externalBuffers = [group], [outside]

    return edited(content, change)


def with_metadata(content: bytes, entries: Mapping[str, bytes]) -> bytes:
    """A file with further entries of metadata."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415

    def change(model: Any) -> None:
        for name, data in entries.items():
            buffer, entry = schema.BufferT(), schema.MetadataT()
            buffer.data = np.frombuffer(data, np.uint8)
            entry.name, entry.buffer = name, len(model.buffers)
            model.buffers.append(buffer)
            model.metadata = [*(model.metadata or []), entry]

    return edited(content, change)


def with_files(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """A model with a zip archive of files behind it, as the exporters of metadata pack them."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packing:
        for name, data in files.items():
            packing.writestr(name, data)
    return content + archive.getvalue()


def colours(cells: Mapping[int, int]) -> NDArray[np.float32]:
    """A picture for the detector: cells by number, of the channel that is given, all else black."""
    picture = np.zeros((1, SIDE_PX, SIDE_PX, 3), np.float32)
    for cell, channel in cells.items():
        top, left = 8 * (cell // 4), 8 * (cell % 4)
        picture[0, top : top + 8, left : left + 8, channel] = 1
    return picture


def metadata(inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]]) -> bytes:
    """TFLite Metadata of one graph.

    Of each tensor: name; mean and std; colour, a ColorSpaceType; files, pairs of name and AssociatedFileType; boxes,
    the indices of their numbers, BoundingBoxType and CoordinateType.
    """
    import flatbuffers  # noqa: PLC0415 - of the runtimes

    builder = flatbuffers.Builder(0)
    sides = [_tables(builder, [_tensor_metadata(builder, tensor) for tensor in side]) for side in (inputs, outputs)]
    subgraph = _table(builder, {2: sides[0], 3: sides[1]})
    builder.Finish(_table(builder, {3: _tables(builder, [subgraph])}), b"M001")
    return bytes(builder.Output())


def conversion_metadata(version: str) -> bytes:
    """What the converter leaves of itself."""
    import flatbuffers  # noqa: PLC0415 - of the runtimes

    builder = flatbuffers.Builder(0)
    environment = _table(builder, {0: builder.CreateString(version)})
    builder.Finish(_table(builder, {0: environment}))
    return bytes(builder.Output())


def _tensor_metadata(builder: Any, tensor: Mapping[str, Any]) -> int:
    fields: dict[int, int] = {0: builder.CreateString(tensor.get("name", ""))}
    if "mean" in tensor:
        numbers = {n: builder.CreateNumpyVector(np.float32(tensor[name])) for n, name in enumerate(("mean", "std"))}
        fields[4] = _tables(builder, [_table(builder, {1: _table(builder, numbers)}, small={0: 1})])
    if "colour" in tensor:
        fields[3] = _table(builder, {1: _table(builder, {}, small={0: tensor["colour"]})}, small={0: 2})
    if "boxes" in tensor:
        indices, kind, unit = tensor["boxes"]
        boxes = _table(builder, {0: builder.CreateNumpyVector(np.uint32(indices))}, small={1: kind, 2: unit})
        fields[3] = _table(builder, {1: boxes}, small={0: 3})
    if "files" in tensor:
        files = [_table(builder, {0: builder.CreateString(name)}, small={2: kind}) for name, kind in tensor["files"]]
        fields[6] = _tables(builder, files)
    return _table(builder, fields)


def _table(builder: Any, fields: Mapping[int, int], *, small: Mapping[int, int] | None = None) -> int:
    """A table of offsets, and of numbers of one byte."""
    builder.StartObject(10)
    for number, offset in fields.items():
        builder.PrependUOffsetTRelativeSlot(number, offset, 0)
    for number, value in (small or {}).items():
        builder.PrependInt8Slot(number, value, 0)
    return int(builder.EndObject())


def _tables(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
