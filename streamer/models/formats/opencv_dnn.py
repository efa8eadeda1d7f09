"""A frozen graph with the text graph beside it that OpenCV's dnn wants: loaded with OpenCV, TensorFlow is not needed.

What its input and its DetectionOutput are is read from the text. The operations of the graph are looked at before, in
safety/checks.py, by who calls this.
"""

import math
from functools import cache, partial
from pathlib import Path

from streamer.errors import ModelLoadError
from streamer.models.card import Column, RowsHead
from streamer.models.formats.text_graph import Node, TextGraph, read_text_graph
from streamer.models.loaded import Hints, Loaded
from streamer.models.options import ChannelOrder
from streamer.models.runtimes.opencv import OpenCvGraph, read_net
from streamer.models.runtimes.opencv_trial import try_net
from streamer.models.safety.program import read_frozen_graph, text_of, weights_in
from streamer.models.signature import Signature, TensorSpec

USUAL_SIZE_PX = (300, 300)
"""(width, height) of the SSDs that OpenCV's samples run, where the text does not say it."""

DETECTION = "DetectionOutput"

MAX_SIDE_PX = 4096
"""The longest side of an input that a text may ask for."""

_COLUMNS: tuple[Column, ...] = ("skip", "class", "score", "x1", "y1", "x2", "y2")
"""Of [1,1,N,7] as OpenCV gives it: the number of the image comes first."""

_SCALING = frozenset({"Mul", "Sub", "Add", "AddV2", "BiasAdd", "RealDiv"})

_OBJECT_DETECTION_API = "image_tensor"
"""What its exports call their input. They take RGB."""

_CAFFE = "data"
"""What Caffe's nets call it, OpenCV's face detector among them. They take BGR."""

_Normalization = tuple[tuple[float, ...], tuple[float, ...]]


def load_opencv_dnn(path: Path, text_graph: Path) -> Loaded:
    """A net of OpenCV's, ready to run: float32 [1,3,height,width] in.

    It is run once in another process at the size that its text states, else the usual one, and again there before its
    first run here with an input of any other shape.

    Raises ModelLoadError for files that are damaged, do not belong together, or do what OpenCV cannot.
    """
    text = read_text_graph(text_graph)
    program = read_frozen_graph(path)
    text.check_weights({text_of(node.name) for node in program.nodes}, where=path)
    inputs = text.of("Placeholder")
    if not inputs:
        raise ModelLoadError("the text graph has no input, no Placeholder", where=str(text_graph))
    size_px = _stated_size_px(inputs[0], where=text_graph) or _size_of_priors_px(text)
    width, height = size_px or (None, None)
    trial = cache(partial(try_net, path, text_graph))
    tried_width, tried_height = size_px or USUAL_SIZE_PX
    shapes = trial((1, 3, tried_height, tried_width))
    outputs = tuple(TensorSpec(name, "float32", _open_rows(shape)) for name, shape in shapes.items())
    specs = tuple(TensorSpec(node.name, "float32", (1, 3, height, width)) for node in inputs)
    return Loaded(
        graph=OpenCvGraph(read_net(path, text_graph), trial=trial),
        signature=Signature("text graph", specs, outputs),
        form="OpenCV dnn",
        hints=_hints(text, inputs[0], outputs, is_sized=size_px is not None),
        parameters=weights_in(program),
    )


def _stated_size_px(placeholder: Node, *, where: Path) -> tuple[int, int] | None:
    """(width, height) of [batch,height,width,3], or of [batch,3,height,width], in the input's own attribute."""
    if "shape" not in placeholder.attributes:
        return None
    sizes = [int(dimension.size) for dimension in placeholder.attributes["shape"].shape.dim]
    if len(sizes) != 4:
        return None
    height, width = sizes[2:] if sizes[1] == 3 else sizes[1:3]
    if max(width, height) > MAX_SIDE_PX:
        raise ModelLoadError(
            f"its input has {width}x{height} px", where=str(where), hint=f"at most {MAX_SIDE_PX} a side"
        )
    return (width, height) if width > 0 and height > 0 else None


def _size_of_priors_px(text: TextGraph) -> tuple[int, int] | None:
    """(width, height) that the last, largest priors were made for; None where they do not tell.

    Those of Caffe's SSDs say the step of their grid, and the last grid is one cell. Those of tf_text_graph_ssd.py say
    widths, of which the first is scale * W and the last sqrt(scale * 1.0) * W: so W is last * last / first.
    """
    priors = text.of("PriorBox")
    if not priors:
        return None
    steps = [step for prior in priors for step in prior.numbers("step")]
    if steps:
        return _whole(max(steps), max(steps))
    widths, heights = priors[-1].numbers("width"), priors[-1].numbers("height")
    if len(widths) < 2 or len(heights) < 2 or not (widths[0] > 0 and heights[0] > 0):
        return None
    return _whole(widths[-1] ** 2 / widths[0], heights[-1] ** 2 / heights[0])


def _whole(width: float, height: float) -> tuple[int, int] | None:
    sides = (width, height)
    if not all(math.isfinite(side) and 16 <= side <= MAX_SIDE_PX and abs(side - round(side)) < 0.01 for side in sides):
        return None
    return round(width), round(height)


def _open_rows(shape: tuple[int, ...]) -> tuple[int | None, ...]:
    return (1, 1, None, 7) if _is_rows(shape) else shape


def _is_rows(shape: tuple[int | None, ...] | None) -> bool:
    return shape is not None and len(shape) == 4 and shape[:2] == (1, 1) and shape[3] == len(_COLUMNS)


def _hints(text: TextGraph, image: Node, outputs: tuple[TensorSpec, ...], *, is_sized: bool) -> Hints:
    found = [spec.name for spec in outputs if _is_rows(spec.shape) or _does(text, spec.name, DETECTION)]
    head = RowsHead(rows=found[0], columns=_COLUMNS, unit="fraction") if len(found) == 1 else None
    first_class_id, class_count = _classes(text.nodes.get(found[0])) if head else (None, None)
    return Hints(
        normalization=_normalization(text, image),
        normalization_from="the first nodes of its text graph",
        channel_order=_channel_order(image),
        first_class_id=first_class_id,
        class_count=class_count,
        input_size_px=None if is_sized or head is None else USUAL_SIZE_PX,
        head=head,
    )


def _does(text: TextGraph, name: str, op: str) -> bool:
    return name in text.nodes and text.nodes[name].op == op


def _classes(detection: Node | None) -> tuple[int | None, int | None]:
    """The id of the first class and how many there are, the background left out where it is one of them."""
    count = detection.integer("num_classes") if detection is not None else None
    if detection is None or count is None:
        return None, None
    background = detection.integer("background_label_id") or 0
    if 0 <= background < count:
        return (1 if background == 0 else 0), count - 1
    return 0, count


def _normalization(text: TextGraph, image: Node) -> _Normalization | None:
    """(mean, std) as what comes first in the text tells; None where it does not.

    Where arithmetic comes first the net scales its pixels itself. A BatchNorm tells nothing: it normalises whatever it
    was trained on, in OpenCV's face detector pixels that had their mean taken off. Where that of the Object Detection
    API was cut off, as older versions of tf_text_graph_ssd.py do, its MobileNets are left, which take -1..1.
    """
    first = [node for node in text.readers(image.name) if node.op != "PriorBox"]
    if first and all(node.op in _SCALING for node in first):
        return (0.0,) * 3, (1.0,) * 3
    if (
        first
        and image.name == _OBJECT_DETECTION_API
        and all(node.name.startswith("FeatureExtractor/") for node in first)
    ):
        return (127.5,) * 3, (127.5,) * 3
    return None


def _channel_order(image: Node) -> ChannelOrder | None:
    orders: dict[str, ChannelOrder] = {_OBJECT_DETECTION_API: "rgb", _CAFFE: "bgr"}
    return orders.get(image.name)
