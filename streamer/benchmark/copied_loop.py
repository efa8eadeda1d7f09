"""The yardstick: the loop that how-tos have, one frame after another on one thread, in a process of its own.

    python -m streamer.benchmark.copied_loop SOURCE MODEL OUT.mp4 --form savedmodel --figures FILE

It is written as a how-to would and shares nothing with the pipeline: cv2.VideoCapture, cvtColor, the model, a
threshold, rectangles with text, cv2.VideoWriter. Called by measuring.py, which compares streamer with it.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.benchmark.process import peak_bytes

Picture = NDArray[np.uint8]
"""(H, W, 3)."""

Found = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Boxes (N, 4) as ymin xmin ymax xmax of 0 to 1, scores (N,), classes (N,)."""

Detect = Callable[[Picture], Found]
"""From an RGB picture."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
GREEN = (0, 255, 0)
WRITER_FPS = 30.0


class NoLoopError(Exception):
    """A how-to would need more than a loop for this model or this source."""


def saved_model(path: Path, *, signature: str | None = None) -> Detect:
    """A SavedModel's signature."""
    import tensorflow as tf  # noqa: PLC0415 - each form has its own library

    loaded = tf.saved_model.load(str(path))
    names = list(loaded.signatures)
    chosen = signature or ("serving_default" if "serving_default" in names else names[0])
    detect_fn = loaded.signatures[chosen]
    ((name, spec),) = detect_fn.structured_input_signature[1].items()
    if not {"detection_boxes", "detection_scores", "detection_classes"} <= set(detect_fn.structured_outputs):
        raise NoLoopError("the model gives raw heads")

    def detect(rgb: Picture) -> Found:
        tensor = tf.constant(_fed(rgb, spec.shape.as_list(), spec.dtype.as_numpy_dtype))
        given = loaded.signatures[chosen](**{name: tensor})
        return (
            given["detection_boxes"][0].numpy(),
            given["detection_scores"][0].numpy(),
            given["detection_classes"][0].numpy(),
        )

    return detect


def frozen_graph(path: Path) -> Detect:
    """A frozen graph of the Object Detection API, from image_tensor to detection_*."""
    import tensorflow as tf  # noqa: PLC0415 - as above

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    names = {node.name for node in graph.node}
    outputs = ("detection_boxes", "detection_scores", "detection_classes")
    if not {"image_tensor", *outputs} <= names:
        raise NoLoopError("the graph is none of the Object Detection API")
    wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph, name=""), [])
    detect_fn = wrapped.prune("image_tensor:0", [f"{name}:0" for name in outputs])

    def detect(rgb: Picture) -> Found:
        boxes, scores, classes = detect_fn(tf.constant(rgb[np.newaxis]))
        return boxes[0].numpy(), scores[0].numpy(), classes[0].numpy()

    return detect


def tflite(path: Path) -> Detect:
    """A .tflite with TFLite_Detection_PostProcess, in an interpreter as it comes."""
    interpreter = _interpreter(path)
    interpreter.allocate_tensors()
    fed, outputs = interpreter.get_input_details()[0], interpreter.get_output_details()
    boxes_at = [out["index"] for out in outputs if len(out["shape"]) == 3 and out["shape"][-1] == 4]
    rows_at = [out["index"] for out in outputs if len(out["shape"]) == 2]
    if len(outputs) != 4 or len(boxes_at) != 1 or len(rows_at) != 2:
        raise NoLoopError("the model gives raw heads")

    def detect(rgb: Picture) -> Found:
        interpreter.set_tensor(fed["index"], _fed(rgb, fed["shape"].tolist(), fed["dtype"]))
        interpreter.invoke()
        one, other = (interpreter.get_tensor(index)[0] for index in rows_at)
        whole = bool(np.all(one == np.round(one)))
        scores, classes = (other, one) if whole else (one, other)
        return interpreter.get_tensor(boxes_at[0])[0], scores, classes

    return detect


def keras(path: Path) -> Detect:
    """A Keras model that is called as it is, and gives boxes by name."""
    import tensorflow as tf  # noqa: PLC0415 - as above

    model = tf.keras.models.load_model(path, compile=False)

    def detect(rgb: Picture) -> Found:
        given = model(tf.constant(_fed(rgb, list(model.input_shape), np.float32)), training=False)
        found = _by_name(given)
        return found["boxes"], found["scores"], found["classes"]

    return detect


FORMS: dict[str, Callable[[Path], Detect]] = {"frozen_graph": frozen_graph, "tflite": tflite, "keras": keras}


def warm_up(detect: Detect, *, size_px: tuple[int, int]) -> None:
    """Two black frames: no how-to does it, but the first calls trace and allocate, and start-up is counted apart."""
    width, height = size_px
    for _ in range(2):
        detect(np.zeros((height, width, 3), np.uint8))


def annotate(frame: Picture, found: Found, *, conf: float) -> int:
    """Draw what is above the threshold on `frame` itself; how many that were."""
    height, width = frame.shape[:2]
    drawn = 0
    for box, score, class_id in zip(*found, strict=True):
        if score < conf:
            continue
        ymin, xmin, ymax, xmax = box
        left, top = int(xmin * width), int(ymin * height)
        cv2.rectangle(frame, (left, top), (int(xmax * width), int(ymax * height)), GREEN, 2)
        cv2.putText(frame, f"{int(class_id)}: {score:.2f}", (left, max(top - 5, 15)), FONT, 0.5, GREEN, 2)
        drawn += 1
    return drawn


def loop(
    source: str, detect: Detect, out: Path, *, conf: float = 0.5, frames: int | None = None, show: bool = False
) -> dict[str, float]:
    """Every frame, one after another; when the first was read and the first written, when all was closed, and counts.

    Times are seconds of the monotonic clock. Raises NoLoopError for what cv2.VideoCapture cannot open.
    """
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not capture.isOpened():
        raise NoLoopError("cv2.VideoCapture cannot open the source")
    warm_up(detect, size_px=(int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))))
    writer: cv2.VideoWriter | None = None
    count, boxes = 0, 0
    first_s = written_s = time.monotonic()
    first_cpu_s = time.process_time()
    while frames is None or count < frames:
        ok, read = capture.read()
        if not ok:
            break
        frame: Picture = np.asarray(read, np.uint8)
        began_s = time.monotonic()
        if count == 0:
            first_s, first_cpu_s = began_s, time.process_time()
        rgb: Picture = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
        boxes += annotate(frame, detect(rgb), conf=conf)
        fps = 1 / (time.monotonic() - began_s)
        cv2.putText(frame, f"FPS: {fps:.1f}", (10, 30), FONT, 1, (0, 0, 255), 2)
        if writer is None:
            size_px = (frame.shape[1], frame.shape[0])
            rate = capture.get(cv2.CAP_PROP_FPS) or WRITER_FPS
            writer = cv2.VideoWriter(str(out), cv2.VideoWriter.fourcc(*"mp4v"), rate, size_px)
            written_s = time.monotonic()
        writer.write(frame)
        count += 1
        if show:
            cv2.imshow("detections", frame)
            if cv2.waitKey(1) & 0xFF == ord("q"):
                break
    capture.release()
    if writer is not None:
        writer.release()
    closed_s, cpu_s = time.monotonic(), time.process_time() - first_cpu_s
    if show:
        cv2.destroyAllWindows()
    when = {"first_s": first_s, "written_s": written_s, "closed_s": closed_s}
    return {"frames": count, "boxes": boxes, "cpu_s": cpu_s, **when}


def _fed(rgb: Picture, shape: list[int | None], dtype: Any) -> NDArray[Any]:  # noqa: ANN401 - numpy's or a name
    """The picture as a batch of one, resized where the model has a size."""
    height, width = shape[1], shape[2]
    resized = rgb if not height or not width or height < 1 or width < 1 else cv2.resize(rgb, (width, height))
    batch = np.expand_dims(resized, 0)
    return batch if batch.dtype == dtype else batch.astype(dtype)


def _interpreter(path: Path) -> Any:  # noqa: ANN401 - one of two, without types
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - not on every platform
    except ImportError:
        import tensorflow as tf  # noqa: PLC0415 - as above

        return tf.lite.Interpreter(str(path))
    return Interpreter(str(path))


def _by_name(given: Any) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - whatever a model gives
    names = {
        "boxes": ("boxes", "detection_boxes"),
        "scores": ("confidence", "scores", "detection_scores"),
        "classes": ("classes", "detection_classes"),
    }
    found: dict[str, NDArray[Any]] = {}
    for part, called in names.items():
        name = next((name for name in called if isinstance(given, dict) and name in given), None)
        if name is None:
            raise NoLoopError("the model gives raw heads")
        found[part] = np.asarray(given[name][0])
    return found


def _ran(asked: argparse.Namespace) -> dict[str, object]:
    loads = FORMS.get(asked.form)
    detect = saved_model(asked.model, signature=asked.signature) if loads is None else loads(asked.model)
    when = loop(asked.source, detect, asked.out, conf=asked.conf, frames=asked.frames, show=asked.show)
    return {
        "frames": when["frames"],
        "boxes": when["boxes"],
        "took_s": when["closed_s"] - when["first_s"],
        "cpu_s": when["cpu_s"],
        "start_up_s": when["written_s"] - asked.spawned_s,
        "peak_bytes": peak_bytes(),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--form", choices=["savedmodel", *FORMS], default="savedmodel")
    parser.add_argument("--signature")
    parser.add_argument("--conf", type=float, default=0.5)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--spawned-s", type=float, default=time.monotonic(), help="when this process was begun")
    parser.add_argument("--figures", type=Path, help="where the figures go; stdout if not given")
    return parser


def main() -> None:
    """As the command line says."""
    asked = _parser().parse_args()
    try:
        figures = _ran(asked)
    except NoLoopError as reason:
        figures = {"no_loop": str(reason)}
    text = json.dumps(figures)
    if asked.figures is None:
        print(text)  # noqa: T201 - what was asked for
    else:
        asked.figures.write_text(text)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # as streamer does: TensorFlow takes seconds to be taken apart
