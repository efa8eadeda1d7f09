"""Every way in which a .tflite file may be run: LiteRT with an interpreter a core, OpenVINO. Called by choice.py."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamer.errors import StreamerError
from streamer.models.choosing.lowerings import Refused, Way, in_openvino
from streamer.models.loaded import Loaded
from streamer.models.plan import Plan
from streamer.models.running import Lowered, RuntimeName
from streamer.models.runtimes.litert import LiteRTGraph

_FILE = "model.tflite"


def tflite_ways(
    path: Path, loaded: Loaded, plan: Plan, *, folder: Path, runtimes: Sequence[RuntimeName]
) -> Iterator[Way]:
    """Each way as it is made; none for other forms."""
    if not isinstance(loaded.graph, LiteRTGraph) or plan.input.batch != 1:
        return
    sized = loaded.signature.inputs[0].shape
    if sized is None or None in sized[1:]:
        return
    shutil.copyfile(path, folder / _FILE)
    outputs = {name: f"#{tensor}" for name, tensor in loaded.graph.output_tensors.items()}
    whole = Lowered(runtime="litert", file=_FILE, outputs=outputs)
    if "litert" in runtimes:
        yield whole
    if "openvino" in runtimes:
        yield _in_openvino(whole, loaded, folder)


def _in_openvino(whole: Lowered, loaded: Loaded, folder: Path) -> Way:
    floats = [spec.dtype for spec in (*loaded.signature.inputs, *loaded.signature.outputs)]
    if set(floats) != {"float32"} or loaded.signature.inputs[0].quantization is not None:
        return Refused("openvino", "whole", "what it takes or gives is quantised")
    try:
        return in_openvino(folder / _FILE, whole.outputs)
    except StreamerError as error:
        return Refused("openvino", "whole", error.what)
