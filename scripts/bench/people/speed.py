"""One frame through each model in each runtime, on two cores, in turns in one run.

    PYTHONPATH=OPENVINO_SITE_PACKAGES python -m bench.people.speed --shared ../../shared [--model DIR] \
        [--size 1280x720 320x240] [--rounds 30]

TensorFlow runs a SavedModel's signature; OpenVINO (where it can be imported) the whole graph at the frame's size where
it converts, else the raw heads; LiteRT what its converter makes of the SavedModel. Wall time depends on what else the
machine does: the minimum and the CPU time are the figures to trust, and the ratios of one run. CPU time is that of all
threads together.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from bench.people.detect import size_from
from bench.people.figures import table

from streamer.frame import Image
from streamer.models import MODEL_INSIDE
from streamer.models.runtimes.tensorflow import import_tensorflow, short_reason

THREADS = 2
WARM_UPS = 3
RAW_HEADS = ("raw_detection_boxes", "raw_detection_scores")
Call = Callable[[], object]


@dataclass(frozen=True)
class Candidate:
    """A model: its SavedModel, and its frozen graph where OpenVINO cannot convert the SavedModel."""

    name: str
    saved_model: Path
    frozen: Path | None = None


@dataclass
class Runner:
    """One model in one runtime at one size, and what was measured of it."""

    candidate: str
    runtime: str
    size: str
    call: Call
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def time_once(self) -> None:
        """One call."""
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        self.call()
        self.wall_ms.append((time.perf_counter() - wall_s) * 1e3)
        self.cpu_ms.append((time.process_time() - cpu_s) * 1e3)


def candidates(models: Path, inside: Path) -> list[Candidate]:
    """The model inside and those that it is compared with."""
    converted = models / "converted"
    handtrack = "handtrack_ssd_mnv2_fpnlite_320"
    return [
        Candidate("inside", inside),
        Candidate("handtrack", converted / f"{handtrack}_savedmodel", converted / f"{handtrack}_frozen.pb"),
        Candidate("CenterNet", converted / "centernet_mnv3_coco_savedmodel"),
    ]


def frame_of(photograph: Path, size_px: tuple[int, int]) -> Image:
    """A photograph of many people as a batch of one RGB frame: suppression has something to do."""
    picture = cv2.imread(str(photograph))
    if picture is None:
        raise ValueError(f"{photograph}: not a picture")
    resized = cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)[np.newaxis], np.uint8)


def tensorflow_call(model: Path, frame: Image) -> Call:
    """The signature of a SavedModel."""
    tf = import_tensorflow()
    serve = tf.saved_model.load(str(model)).signatures["serving_default"]
    tensor = tf.constant(frame)

    def call() -> object:
        return serve(input_tensor=tensor)["detection_scores"].numpy()

    return call


def openvino_call(ov: ModuleType, model: Any, frame: Image, outputs: Sequence[str] = ()) -> Call:  # noqa: ANN401
    """A converted model at the size of the frame; only `outputs` where they are named.

    Raises ValueError where the model has none of them.
    """
    model.reshape({model.inputs[0]: list(frame.shape)})
    hints = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}
    if outputs:
        results = [one.get_node() for one in model.outputs if {n.split(":")[0] for n in one.get_names()} & set(outputs)]
        if not results:
            raise ValueError("it has no such outputs")
        model = ov.Model([node.input_value(0) for node in results], model.get_parameters())
    request = ov.compile_model(model, "CPU", hints).create_infer_request()
    return lambda: request.infer([frame], share_inputs=True)


def openvino_runners(ov: ModuleType, candidate: Candidate, size: str, frame: Image) -> Iterator[Runner]:
    """The whole graph and the raw heads, as far as they convert."""
    graph = candidate.frozen or candidate.saved_model
    for what, outputs in (("whole", ()), ("raw heads", RAW_HEADS)):
        try:
            call = openvino_call(ov, ov.convert_model(str(graph)), frame, outputs)
            yield Runner(candidate.name, f"OpenVINO, {what}", size, call)
        except Exception as error:  # noqa: BLE001 (converters raise whatever they like, and that is the finding)
            print(f"{candidate.name} {size}: OpenVINO, {what}: {short_reason(error)}")


def lite_model(model: Path) -> bytes:
    """A SavedModel converted whole, with built-in operations alone."""
    converter = import_tensorflow().lite.TFLiteConverter.from_saved_model(str(model))
    return bytes(converter.convert())


def lite_call(content: bytes, frame: Image) -> Call:
    """A LiteRT model at the size of the frame."""
    interpreter = import_tensorflow().lite.Interpreter(model_content=content, num_threads=THREADS)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, frame.shape)
    interpreter.allocate_tensors()

    def call() -> None:
        interpreter.set_tensor(index, frame)
        interpreter.invoke()

    return call


def runners(
    all_candidates: Sequence[Candidate], sizes: Sequence[tuple[int, int]], photograph: Path
) -> Iterator[Runner]:
    """Everything that can be run, warmed up."""
    ov = importlib.import_module("openvino") if importlib.util.find_spec("openvino") else None
    for candidate in all_candidates:
        try:
            lite = lite_model(candidate.saved_model)
            print(f"{candidate.name}: LiteRT converts it whole, {len(lite) / 1e6:.2f} MB")
        except Exception as error:  # noqa: BLE001 (see above)
            lite = b""
            print(f"{candidate.name}: LiteRT does not convert it: {short_reason(error)}")
        for size_px in sizes:
            size, frame = f"{size_px[0]}x{size_px[1]}", frame_of(photograph, size_px)
            yield Runner(candidate.name, "TensorFlow", size, tensorflow_call(candidate.saved_model, frame))
            if ov:
                yield from openvino_runners(ov, candidate, size, frame)
            if lite:
                yield Runner(candidate.name, "LiteRT, whole", size, lite_call(lite, frame))


def measure(all_runners: Sequence[Runner], rounds: int) -> None:
    """All in turns, so that what else the machine does hits each alike."""
    for runner in all_runners:
        for _ in range(WARM_UPS):
            runner.call()
    for number in range(rounds):
        for runner in all_runners[:: 1 if number % 2 else -1]:
            runner.time_once()


def report(all_runners: Sequence[Runner]) -> str:
    """Milliseconds, and how many times the model inside's."""
    rows = []
    for runner in sorted(all_runners, key=lambda one: (one.size, one.runtime)):
        base = next(
            (r for r in all_runners if (r.candidate, r.runtime, r.size) == ("inside", runner.runtime, runner.size)),
            runner,
        )
        wall_ms, cpu_ms = min(runner.wall_ms), float(np.median(runner.cpu_ms))
        figures = (wall_ms, float(np.median(runner.wall_ms)), min(runner.cpu_ms), cpu_ms)
        ratio = f"{wall_ms / min(base.wall_ms):.1f} / {cpu_ms / float(np.median(base.cpu_ms)):.1f}"
        rows.append([runner.size, runner.runtime, runner.candidate, *(f"{value:.1f}" for value in figures), ratio])
    head = ["frame", "runtime", "model", "least ms", "median ms", "least CPU ms", "median CPU ms", "times inside's"]
    return table(head, rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True, help="the folder with images/ and models/")
    parser.add_argument("--model", type=Path, default=MODEL_INSIDE, help="default: the model inside")
    parser.add_argument("--size", type=size_from, nargs="+", default=[(1280, 720), (320, 240)])
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    threading = import_tensorflow().config.threading
    threading.set_intra_op_parallelism_threads(THREADS)
    all_candidates = candidates(arguments.shared / "models", arguments.model)
    photograph = arguments.shared / "images" / "human_group-1.jpg"
    all_runners = list(runners(all_candidates, arguments.size, photograph))
    measure(all_runners, arguments.rounds)
    print(report(all_runners))


if __name__ == "__main__":
    main()
