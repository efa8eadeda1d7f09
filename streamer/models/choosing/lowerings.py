"""Every way in which the network of one model may be run, made of its graph: files in a folder, a Lowered each.

What a runtime or a cut refuses is left out, with the reason. Needs TensorFlow for what was loaded in it. Called by
choice.py.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError, StreamerError
from streamer.frame import MAX_DETECTIONS, Detections, Image
from streamer.models.card import DecodedHead
from streamer.models.choosing.agreement import agreement
from streamer.models.feeding import Feeder, Feeding
from streamer.models.formats.tflite_file import read_tflite_file
from streamer.models.heads.raw import BOXES, SCORES, CutHead, RawHeads
from streamer.models.loaded import Loaded
from streamer.models.lowering.flat import FlatGraph, flat_graph, same_tensor
from streamer.models.lowering.identifying import identify
from streamer.models.lowering.network import FRAME_SHAPE, Network, cut_network, network_input
from streamer.models.lowering.raw_heads import Cut, find_cut, suppressions
from streamer.models.options import Device
from streamer.models.plan import Plan
from streamer.models.preprocess import ImageInput, placed
from streamer.models.running import Lowered, RuntimeName
from streamer.models.runtimes import litert, openvino
from streamer.models.runtimes.tensorflow import TensorFlowGraph

logger = logging.getLogger(__name__)

CONF = 0.02
"""From this score on detections of a cut are compared with those of the graph."""

_PICTURES = 3

_FIRST_CLASS_IDS = (1, 0)
"""What a graph may call its first class, the background not counted."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A way that cannot be gone, and why; for people."""

    runtime: RuntimeName
    extent: str
    why: str


Way = Lowered | Refused


@dataclass(frozen=True, slots=True)
class _Cutting:
    """A network in a file, before any runtime."""

    network: Network
    lowered: Lowered
    pb: Path


def lowerings(
    loaded: Loaded,
    plan: Plan,
    *,
    folder: Path,
    scenes: Sequence[Image],
    pictures: Sequence[Image],
    runtimes: Sequence[RuntimeName],
    int8: bool,
    device: Device,
) -> Iterator[Way]:
    """Each way as it is made.

    scenes: to compare cuts on; pictures: to quantise by. int8: also with numbers of 8 bits. device: where.
    """
    if not isinstance(loaded.graph, TensorFlowGraph) or plan.input.batch != 1:
        return
    try:
        cuttings = _cuttings(loaded, plan, folder=folder, pictures=scenes)
    except StreamerError as error:
        for runtime in runtimes:
            yield Refused(runtime, "whole", error.what)
        return
    best, *others = cuttings
    for runtime in runtimes:
        yield from _on_devices(_made(runtime, best, folder), device)
    for cutting in others:  # where cutting did not help, only a runtime with a suppression of its own can gain
        if "openvino" in runtimes:
            yield from _on_devices(_made("openvino", cutting, folder), device)
    if int8:
        yield from _quantised(best, folder, plan, pictures=pictures, runtimes=runtimes)


def _on_devices(way: Way, device: Device) -> Iterator[Way]:
    """The way itself, and the same on a GPU where OpenVINO finds one."""
    if device != "gpu" or way.runtime == "tensorflow" or isinstance(way, Refused):
        yield way
    if device != "cpu" and isinstance(way, Lowered) and way.runtime == "openvino" and "GPU" in openvino.devices():
        yield replace(way, device="GPU")


def _made(runtime: RuntimeName, cutting: _Cutting, folder: Path) -> Way:
    lowered = replace(cutting.lowered, runtime=runtime)
    stem = cutting.pb.stem
    try:
        match runtime:
            case "tensorflow":
                return replace(lowered, file=cutting.pb.name)
            case "openvino":
                target = folder / f"{stem}.xml"
                openvino.convert(cutting.pb, target)
                return replace(lowered, file=target.name)
            case "litert":
                target = folder / f"{stem}.tflite"
                target.write_bytes(litert.converted(_function(cutting.network)))
                return replace(lowered, file=target.name, outputs=_tensors(target, cutting.network))
    except StreamerError as error:
        return Refused(runtime, lowered.extent, error.what)


def _function(network: Network) -> Any:  # noqa: ANN401 - TensorFlow comes without types
    flat = FlatGraph(network.definition, "", network.outputs)
    return flat.pruned(list(network.outputs.values()), feeds=list(network.inputs))


def _quantised(
    cutting: _Cutting, folder: Path, plan: Plan, *, pictures: Sequence[Image], runtimes: Sequence[RuntimeName]
) -> Iterator[Way]:
    lowered = replace(cutting.lowered, int8=True)
    target = folder / f"{cutting.pb.stem}-int8.tflite"
    wanted: list[RuntimeName] = [runtime for runtime in runtimes if runtime != "tensorflow"]
    try:
        if len(cutting.network.inputs) > 1:
            raise ModelLoadError("its boxes depend on the size of the picture, which int8 cannot hold")
        tensors = [_tensor(cutting.lowered.feeding, plan, picture) for picture in pictures]
        target.write_bytes(litert.converted(_function(cutting.network), examples=tensors))
        named = _tensors(target, cutting.network)
    except StreamerError as error:
        for runtime in wanted:
            yield Refused(runtime, lowered.extent, error.what)
        return
    for runtime in wanted:
        try:
            if runtime == "litert":
                yield replace(lowered, runtime=runtime, file=target.name, outputs=named)
            else:
                yield replace(in_openvino(target, named), feeding=lowered.feeding, raw=lowered.raw, int8=True)
        except StreamerError as error:
            yield Refused(runtime, lowered.extent, error.what)


def _tensors(file: Path, network: Network) -> dict[str, str]:
    """Which tensors of a converted file the outputs are; its signature numbers them as they were given."""
    (signature,) = read_tflite_file(file).signatures
    return {name: f"#{signature.outputs[f'output_{n}']}" for n, name in enumerate(network.outputs)}


def in_openvino(file: Path, outputs: Mapping[str, str]) -> Lowered:
    """A .tflite file converted for OpenVINO, beside it. outputs: its tensors, `#12`, by name. Raises ModelLoadError."""
    named = {tensor: name for name, tensor in outputs.items()}
    order = [named[f"#{tensor}"] for tensor in read_tflite_file(file).subgraphs[0].outputs]
    names = {name: f"streamer_output_{n}" for n, name in enumerate(order)}
    target = file.with_suffix(".xml")
    openvino.convert(file, target, outputs=list(names.values()))
    return Lowered(runtime="openvino", file=target.name, outputs=names)


def _tensor(feeding: Feeding | None, plan: Plan, picture: Image) -> NDArray[Any]:
    own = ImageInput(plan.input)
    if feeding is None:
        return own.to_tensor(picture)
    feeder = Feeder(feeding, order_differs=plan.input.channel_order == "rgb", mean=plan.input.mean, std=plan.input.std)
    return feeder.tensor(placed(picture, own.place((picture.shape[1], picture.shape[0])))).copy()


def _cuttings(loaded: Loaded, plan: Plan, *, folder: Path, pictures: Sequence[Image]) -> list[_Cutting]:
    """The graph cut as far as it can be, and less far. Raises ModelError where nothing can be made of it."""
    graph = loaded.graph
    if not isinstance(graph, TensorFlowGraph):
        raise ModelError("it was not loaded in TensorFlow")
    flat = flat_graph(graph)
    begin, shape, dtype, feeding = _beginning(flat, plan)
    reads = {name: flat.outputs[name] for name in dict.fromkeys(plan.head.reads.values())}
    base = Lowered(runtime="tensorflow", file="", outputs={}, feeding=feeding)
    found: list[_Cutting] = []
    cut = _cut(flat, plan, pictures) if suppressions(flat) else None
    if cut is not None:
        network = cut_network(flat, begin, shape, {BOXES: cut.boxes, SCORES: cut.scores}, image_dtype=dtype)
        found.append(_written(network, flat, replace(base, raw=cut.heads), folder / "heads.pb", {}))
    network = cut_network(flat, begin, shape, reads, image_dtype=dtype)
    found.append(_written(network, flat, base, folder / "network.pb", reads))
    return found


def _beginning(flat: FlatGraph, plan: Plan) -> tuple[str, tuple[int, ...], str, Feeding | None]:
    """Where the network begins, what it takes there, and how that is made of a picture."""
    spec, (width, height) = plan.input.spec, plan.input.size_px
    own = (flat.image, (1, *((3, height, width) if plan.input.layout == "nchw" else (height, width, 3))), spec.dtype)
    try:
        begin = network_input(flat)
    except ModelError as error:
        logger.debug("the whole graph is kept: %s", error)
        return *own, None
    if same_tensor(begin, flat.image) or plan.input.layout == "nchw":
        return *own, None
    fetch = flat.caller([begin])
    try:
        feeding = identify(lambda picture: fetch(picture[np.newaxis].astype(spec.dtype))[0])
    except ModelError as error:  # it takes pictures of one size
        logger.debug("the beginning of the graph is kept: %s", error)
        return *own, None
    if feeding is None:
        return *own, None
    return begin, (1, feeding.size_px[1], feeding.size_px[0], 3), "float32", feeding


def _written(network: Network, flat: FlatGraph, lowered: Lowered, pb: Path, reads: Mapping[str, str]) -> _Cutting:
    pb.write_bytes(network.definition.SerializeToString())
    fixed: dict[str, list[Any]] = {}
    if network.fixed:
        size = (1, 64, 64, 3)
        values = flat.caller([reads[name] for name in network.fixed])(np.zeros(size, flat.image_dtype))
        fixed = {name: value.tolist() for name, value in zip(network.fixed, values, strict=True)}
    lowered = replace(lowered, outputs=dict(network.outputs), fixed=fixed, frame_shape=FRAME_SHAPE in network.inputs)
    return _Cutting(network, lowered, pb)


def _cut(flat: FlatGraph, plan: Plan, pictures: Sequence[Image]) -> Cut | None:
    """Where the graph can be cut before its suppression, tried on a few pictures."""
    if not isinstance(plan.head_card, DecodedHead):
        return None
    own, size_px = ImageInput(plan.input), plan.input.size_px
    tensors = [own.to_tensor(picture) for picture in pictures[:_PICTURES]]
    names = list(dict.fromkeys(plan.head.reads.values()))
    fetch = flat.caller([flat.outputs[name] for name in names])

    def seen(outputs: Mapping[str, NDArray[Any]], head: Any) -> Detections:  # noqa: ANN401 - a Head
        raw = head.read(outputs, input_size_px=size_px, conf=CONF, max_det=100)
        return Detections.from_raw(raw.boxes, raw.scores, raw.class_ids, size_px=size_px, conf=CONF, max_det=100)

    wanted = [seen(dict(zip(names, fetch(tensor), strict=True)), plan.head) for tensor in tensors]
    order, level = plan.head_card.order or "yxyx", _level(wanted)

    def judged(heads: RawHeads, values: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> RawHeads | None:
        def found(heads: RawHeads) -> list[Detections]:
            head = CutHead(heads, order=order, unit=_unit(plan))
            return [seen({BOXES: boxes, SCORES: scores}, head) for boxes, scores in values]

        for first in _FIRST_CLASS_IDS:
            named = replace(heads, first_class_id=first)
            if agreement(wanted, found(named), conf=level).is_equal:
                return named
        return None

    return find_cut(flat, tensors, judged, most=_most(flat, plan))


def _most(flat: FlatGraph, plan: Plan) -> int:
    """How many detections the graph gives at most, as far as it says that."""
    shape = flat.shape(flat.outputs[plan.head.reads["boxes"]]) or ()
    rows = [side for side in shape[:-1] if side is not None]
    return math.prod(rows) if rows and None not in shape[1:-1] else MAX_DETECTIONS


def _unit(plan: Plan) -> Any:  # noqa: ANN401 - a Unit, or None
    return plan.head_card.unit if isinstance(plan.head_card, DecodedHead) else None


def _level(detections: Sequence[Detections]) -> float:
    """A score that some detections have."""
    scores = sorted((float(score) for found in detections for score in found.scores), reverse=True)
    return max(CONF + 0.01, min(0.3, scores[min(len(scores) - 1, 20)] if scores else CONF))
