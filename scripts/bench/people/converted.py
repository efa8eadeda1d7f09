"""Whether a SavedModel says the same once converted: OpenVINO and LiteRT against TensorFlow, on a split's pictures.

    PYTHONPATH=OPENVINO_SITE_PACKAGES python -m bench.people.converted --data ../../shared/datasets/people/val \
        [--model DIR] [--pictures 40]

Rows of detections with a score of LOWEST_SCORE and more, in the order in which they come.
"""

import argparse
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bench.people.figures import table
from bench.people.speed import lite_model
from bench.people.split import Floats, read_split

from streamer.frame import Image
from streamer.models import MODEL_INSIDE
from streamer.models.runtimes.tensorflow import import_tensorflow

LOWEST_SCORE = 0.3
SIDE_PX = 320
OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes")

Run = Callable[[Image], Mapping[str, Floats]]


def by_tensorflow(model: Path) -> Run:
    """The signature."""
    tf = import_tensorflow()
    serve = tf.saved_model.load(str(model)).signatures["serving_default"]

    def run(image: Image) -> Mapping[str, Floats]:
        return {name: value.numpy()[0] for name, value in serve(input_tensor=tf.constant(image)).items()}

    return run


def by_openvino(model: Path) -> Run:
    """Converted whole, at one size."""
    ov = importlib.import_module("openvino")
    converted = ov.convert_model(str(model))
    converted.reshape({converted.inputs[0]: [1, SIDE_PX, SIDE_PX, 3]})
    compiled = ov.compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(image: Image) -> Mapping[str, Floats]:
        results = compiled(image)
        return {name: results[name][0] for name in OUTPUTS}

    return run


def by_litert(model: Path) -> Run:
    """Converted whole, with built-in operations alone."""
    interpreter = import_tensorflow().lite.Interpreter(model_content=lite_model(model))
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, (1, SIDE_PX, SIDE_PX, 3))
    runner: Any = interpreter.get_signature_runner("serving_default")

    def run(image: Image) -> Mapping[str, Floats]:
        return {name: value[0] for name, value in runner(input_tensor=image).items()}

    return run


def difference(wanted: Mapping[str, Floats], given: Mapping[str, Floats]) -> tuple[float, float, int]:
    """The largest of a coordinate in px of SIDE_PX and of a score; and how many rows are of another class."""
    rows = int((wanted["detection_scores"] >= LOWEST_SCORE).sum())
    boxes = np.abs(wanted["detection_boxes"][:rows] - given["detection_boxes"][:rows]).max(initial=0) * SIDE_PX
    scores = np.abs(wanted["detection_scores"][:rows] - given["detection_scores"][:rows]).max(initial=0)
    others = (np.rint(wanted["detection_classes"][:rows]) != np.rint(given["detection_classes"][:rows])).sum()
    return float(boxes), float(scores), int(others)


def _canvas(image: Image) -> Image:
    """(1, SIDE_PX, SIDE_PX, 3) RGB."""
    resized = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)[np.newaxis], np.uint8)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=MODEL_INSIDE)
    parser.add_argument("--pictures", type=int, default=40)
    arguments = parser.parse_args()
    pictures = read_split(arguments.data)
    chosen = pictures[:: max(1, len(pictures) // arguments.pictures)]
    images = [_canvas(picture.read()) for picture in chosen]
    runs = {"LiteRT": by_litert(arguments.model)}
    if importlib.util.find_spec("openvino"):
        runs["OpenVINO"] = by_openvino(arguments.model)
    truth = by_tensorflow(arguments.model)
    rows = []
    for name, run in runs.items():
        found = np.array([difference(truth(image), run(image)) for image in images])
        rows.append([name, f"{found[:, 0].max():.4f}", f"{found[:, 1].max():.6f}", f"{found[:, 2].sum():.0f}"])
    print(table([f"on {len(images)} pictures", "largest px", "largest score", "rows of another class"], rows))


if __name__ == "__main__":
    main()
