"""The detectors that are judged: each takes a picture and gives boxes of persons and faces."""

import logging
from pathlib import Path
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from bench.people.split import CLASSES, Floats, Found

from streamer.frame import MAX_DETECTIONS, Image
from streamer.models import ModelOptions, load_detector
from streamer.models.runtimes.tensorflow import import_tensorflow

Kind = Literal["savedmodel", "opencv", "faceboxes"]

LOWEST_SCORE = 0.001
FACE = 2


class Subject(Protocol):
    """A detector at work."""

    def detect(self, image: Image) -> Found:
        """Everything above LOWEST_SCORE on a BGR picture."""


class StreamerSubject:
    """A SavedModel as streamer runs it, on frames of one size.

    input_size_px: (width, height) of the frames; None takes every picture as a clip of its own size, for which the
    model is loaded anew whenever the size changes: sort pictures by size.
    """

    def __init__(self, model: Path | None, *, labels: Path | None, input_size_px: tuple[int, int] | None) -> None:
        self._model = model
        self._options = ModelOptions(labels=labels, conf=LOWEST_SCORE, max_det=MAX_DETECTIONS)
        self._fixed_px = input_size_px
        logging.getLogger("streamer.models").setLevel(logging.ERROR)  # at this score, empty rows are to be expected
        self._load(input_size_px)

    def _load(self, size_px: tuple[int, int] | None) -> None:
        self._size_px = size_px
        self._detector = load_detector(self._model, self._options, input_size_px=size_px)
        names = {name: class_id for class_id, name in CLASSES.items()}
        labels = self._detector.labels
        self._classes = np.array([names.get(labels.name(number), 0) for number in range(128)], np.int64)

    def detect(self, image: Image) -> Found:
        size_px = image.shape[1], image.shape[0]
        if self._fixed_px is None and self._size_px != size_px:
            self._detector.close()
            self._load(size_px)
        found = self._detector.detect([image])[0]
        classes = self._classes[np.minimum(found.class_ids, len(self._classes) - 1)]
        known = classes > 0
        return Found(found.boxes[known], found.scores[known], classes[known])


class OpenCvSubject:
    """OpenCV's ResNet10 SSD for faces in cv2.dnn: 300x300, BGR, its means taken off, as OpenCV's samples run it."""

    SIDE_PX = 300
    MEANS = (104.0, 177.0, 123.0)

    def __init__(self, graph: Path) -> None:
        text = graph.with_name(graph.name.replace("_uint8.pb", ".pbtxt"))
        self._net = cv2.dnn.readNetFromTensorflow(str(graph), str(text))

    def detect(self, image: Image) -> Found:
        size_px = (self.SIDE_PX, self.SIDE_PX)
        self._net.setInput(cv2.dnn.blobFromImage(image, 1.0, size_px, self.MEANS, swapRB=False, crop=False))
        rows = np.asarray(self._net.forward(), np.float32).reshape(-1, 7)
        return faces(rows[:, 3:7], rows[:, 2], image)


class FaceBoxesSubject:
    """FaceBoxes, a frozen graph: uint8 RGB, longer side 640 px, padded to the steps of its coarsest grid of anchors."""

    STEP_PX = 128

    def __init__(self, graph: Path, *, longer_side_px: int = 640) -> None:
        self._side_px = longer_side_px
        self._run = frozen_function(graph, "image_tensor:0", ("boxes:0", "scores:0", "num_boxes:0"))

    def detect(self, image: Image) -> Found:
        scale = self._side_px / max(image.shape)
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        sized = cv2.cvtColor(cv2.resize(image, None, fx=scale, fy=scale, interpolation=flags), cv2.COLOR_BGR2RGB)
        height_px, width_px = sized.shape[:2]
        missing = [(0, -height_px % self.STEP_PX), (0, -width_px % self.STEP_PX), (0, 0)]
        canvas = np.pad(sized, missing)
        tensor = import_tensorflow().constant(canvas[None])
        boxes, scores, count = (np.asarray(output)[0] for output in self._run(tensor))
        parts = np.array([canvas.shape[1] / width_px, canvas.shape[0] / height_px] * 2, np.float32)
        return faces(boxes[: int(count), [1, 0, 3, 2]] * parts, scores[: int(count)], image)


def frozen_function(graph: Path, feed: str, fetches: tuple[str, ...]) -> Any:  # noqa: ANN401 (a TensorFlow function)
    """A frozen graph of TensorFlow 1 as a function of one tensor."""
    tf = import_tensorflow()
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(graph.read_bytes())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(definition, name=""), [])
    return wrapped.prune(wrapped.graph.get_tensor_by_name(feed), [wrapped.graph.get_tensor_by_name(n) for n in fetches])


def faces(boxes: Floats, scores: Floats, image: Image) -> Found:
    """Faces from boxes x1, y1, x2, y2 in parts of the picture."""
    height_px, width_px = image.shape[:2]
    corners = np.clip(boxes, 0.0, 1.0) * np.array([width_px, height_px] * 2, np.float32)
    kept = (scores > LOWEST_SCORE) & (corners[:, 2:] > corners[:, :2]).all(axis=1)
    order = np.argsort(-scores[kept], kind="stable")
    return Found(corners[kept][order], scores[kept][order], np.full(len(order), FACE, np.int64))


def open_subject(
    model: Path | None, *, kind: Kind, labels: Path | None = None, input_size_px: tuple[int, int] | None = None
) -> Subject:
    """The detector at `model`; None is streamer's model inside."""
    if kind == "savedmodel" or model is None:
        return StreamerSubject(model, labels=labels, input_size_px=input_size_px)
    if kind == "opencv":
        return OpenCvSubject(model)
    return FaceBoxesSubject(model, longer_side_px=max(input_size_px) if input_size_px else 640)
