"""Turn trained weights into the SavedModel that ships: checked against PyTorch layer by layer, then wrapped.

    python -m train_detector.export weights.npz model_folder --thresholds 0.5 0.45

Trained scores say how good a box is and crowd between .3 and .7. The exported ones are spread: what scored the class's
threshold (person, face) scores .5, where precision is high and pictures of nothing are left alone, and the rest moves
away from it. The order of the scores stays, and with it every average precision.

The signature is that of the Object Detection API: serving_default takes input_tensor, uint8 [1, ?, ?, 3] RGB, and gives
detection_boxes [1, 100, 4] (ymin, xmin, ymax, xmax in 0..1), detection_scores [1, 100], detection_classes [1, 100] (1
person, 2 face), num_detections [1], and the raw heads: raw_detection_boxes [1, 4200, 4], raw_detection_scores
[1, 4200, 3] with the background first. Needs TensorFlow, not PyTorch; dump.py wrote the weights.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from train_detector.twin import CLASSES, STRIDES_PX, Twin

SIDE_PX = 320
PAD_VALUE = 114.0
BASE_SIZE_STRIDES = 4.0
LOG_SIZE_LIMIT = 4.0
LOWEST_SCORE = 0.05
"""As trained; below it nothing is given."""

STRETCH = 2.0
"""How many times further from .5 a score's logit lies than it was trained to lie from its threshold's."""

OVERLAP_LIMIT = 0.5
DETECTIONS = 100
TOLERANCE = 1e-4
CLASS_NAMES = ("person", "face")

Arrays = dict[str, npt.NDArray[Any]]


class Exported(tf.Module):  # type: ignore[misc]
    """The network between a resize and non-maximum suppression."""

    def __init__(self, network: Any, thresholds: Sequence[float]) -> None:  # noqa: ANN401 (a Keras model)
        super().__init__(name="faces_and_people")
        self._origins = tf.constant([math.log(value / (1 - value)) for value in thresholds])
        self._network = freeze(network)
        centres, strides = locations(SIDE_PX)
        self._centres = tf.constant(centres)
        self._strides = tf.constant(strides)

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, name="input_tensor")])  # type: ignore[untyped-decorator]
    def serve(self, input_tensor: Any) -> dict[str, Any]:  # noqa: ANN401 (tensors)
        """One image in, its detections out."""
        canvas, content_px = fit(input_tensor)
        logits, encoded = self._network(canvas)
        boxes = self._decode(encoded, content_px)
        inside = tf.reduce_all(self._centres < content_px[::-1], axis=-1)  # not in the padding
        scores = tf.sigmoid(STRETCH * (logits - self._origins)) * tf.cast(inside, tf.float32)[None, :, None]
        lowest = tf.sigmoid(STRETCH * (math.log(LOWEST_SCORE / (1 - LOWEST_SCORE)) - tf.reduce_max(self._origins)))
        found = suppress(boxes, scores, lowest)
        raw_scores = tf.reshape(scores[..., None] * tf.constant(np.eye(CLASSES, dtype=np.float32)), [1, -1, CLASSES])
        background = 1.0 - tf.reshape(scores, [1, -1, 1])
        return {
            **found,
            "raw_detection_boxes": tf.reshape(boxes, [1, -1, 4]),
            "raw_detection_scores": tf.concat([background, raw_scores], axis=-1),
        }

    def _decode(self, encoded: Any, content_px: Any) -> Any:  # noqa: ANN401
        """ymin, xmin, ymax, xmax as parts of the picture, (1, L, classes, 4). See points.py."""
        centres = self._centres[None, :, None, :] + encoded[..., :2] * self._strides
        logs = tf.clip_by_value(encoded[..., 2:], -LOG_SIZE_LIMIT, LOG_SIZE_LIMIT)
        halves = tf.exp(logs) * (self._strides * (BASE_SIZE_STRIDES / 2))
        corners = tf.concat([(centres - halves)[..., ::-1], (centres + halves)[..., ::-1]], axis=-1)
        return tf.clip_by_value(corners / tf.concat([content_px, content_px], axis=0), 0.0, 1.0)


def freeze(network: Any) -> Any:  # noqa: ANN401
    """A Keras model as a function without variables: TFLite's converter would leave them empty."""
    image = tf.TensorSpec([1, SIDE_PX, SIDE_PX, 3], tf.float32)
    return convert_variables_to_constants_v2(
        tf.function(lambda canvas: network(canvas, training=False)).get_concrete_function(image)
    )


def fit(image: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Scale so that the longer side is SIDE_PX, pad below and at the right; also the scaled height and width.

    Large pictures shrink in two steps, the second one an exact halving: in one step, bilinear resizing skips pixels.
    """
    size = tf.shape(image)[1:3]
    size_px = tf.cast(size, tf.float32)
    target = tf.maximum(tf.round(size_px * (SIDE_PX / tf.reduce_max(size_px))), 1.0)
    target_px = tf.cast(target, tf.int32)
    image = tf.cast(image, tf.float32)  # TFLite resizes no uint8 to float32
    image = tf.image.resize(image, tf.minimum(size, target_px * 2))
    image = tf.image.resize(image, target_px)
    missing = SIDE_PX - target_px
    padding = tf.stack([[0, 0], tf.stack([0, missing[0]]), tf.stack([0, missing[1]]), [0, 0]])
    canvas = tf.pad(image, padding, constant_values=PAD_VALUE)
    return tf.ensure_shape(tf.reshape(canvas, [1, SIDE_PX, SIDE_PX, 3]), [1, SIDE_PX, SIDE_PX, 3]), target


def suppress(boxes: Any, scores: Any, lowest_score: Any) -> dict[str, Any]:  # noqa: ANN401
    """Non-maximum suppression of all classes in one operation: each class is moved to a place of its own."""
    flat_boxes, flat_scores = tf.reshape(boxes, [-1, 4]), tf.reshape(scores, [-1])
    classes = tf.cast(tf.range(tf.shape(flat_scores)[0]) % CLASSES, tf.float32)
    rows, _, count = tf.raw_ops.NonMaxSuppressionV5(
        boxes=flat_boxes + 2.0 * classes[:, None],
        scores=flat_scores,
        max_output_size=DETECTIONS,
        iou_threshold=OVERLAP_LIMIT,
        score_threshold=lowest_score,
        soft_nms_sigma=0.0,
        pad_to_max_output_size=True,
    )
    real = tf.cast(tf.range(DETECTIONS) < count, tf.float32)
    return {
        "detection_boxes": (tf.gather(flat_boxes, rows) * real[:, None])[None],
        "detection_scores": (tf.gather(flat_scores, rows) * real)[None],
        "detection_classes": (tf.gather(classes, rows) * real + 1.0)[None],
        "num_detections": tf.cast(count, tf.float32)[None],
    }


def locations(side_px: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Centres (L, 2) x, y and strides (L, 1, 1) of a square input; points.py's, without PyTorch."""
    centres, strides = [], []
    for stride in STRIDES_PX:
        line = (np.arange(side_px // stride) + 0.5) * stride
        x, y = np.meshgrid(line, line)
        centres.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full((len(line) ** 2, 1, 1), stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(strides).astype(np.float32)


def check(twin: Twin, arrays: Arrays) -> float:
    """The largest difference of any unit's answer from PyTorch's, in parts of the unit's largest answer.

    Raises ValueError if it exceeds TOLERANCE, or if one network has a unit that the other has not.
    """
    probe = twin.build_probe(twin.build(*arrays["probe_input"].shape[1:3]))
    answers = probe([arrays["probe_input"]], training=False)
    wanted = {name.removeprefix("probe/"): value for name, value in arrays.items() if name.startswith("probe/")}
    if missing := set(wanted) ^ set(answers):
        raise ValueError(f"units of one network only: {', '.join(sorted(missing))}")
    worst = 0.0
    for name, value in wanted.items():
        error = float(np.abs(answers[name].numpy() - value).max() / max(np.abs(value).max(), 1.0))
        if not error <= TOLERANCE:
            raise ValueError(f"{name} differs by {error:.2e}")
        worst = max(worst, error)
    return worst


def export(npz_path: Path, folder: Path, thresholds: Sequence[float]) -> Path:
    """Write folder/saved_model and labels.txt in it."""
    arrays: Arrays = dict(np.load(npz_path))
    record = json.loads(str(arrays["record"]))
    weights = {name.removeprefix("weights/"): value for name, value in arrays.items() if name.startswith("weights/")}
    twin = Twin(record["config"], weights)
    print(f"{len([n for n in arrays if n.startswith('probe/')])} units checked, worst {check(twin, arrays):.1e}")
    module = Exported(Twin(record["config"], weights).build(SIDE_PX, SIDE_PX), thresholds)
    tf.saved_model.save(module, str(folder / "saved_model"), signatures={"serving_default": module.serve})
    (folder / "saved_model" / "labels.txt").write_text("\n".join(CLASS_NAMES) + "\n", encoding="utf-8")
    return folder / "saved_model"


def measure(saved_model: Path, *, frames: int = 30) -> float:
    """Milliseconds for a frame of 1280x720, the fastest of some: other work on the machine only adds."""
    serve = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    frame = tf.constant(np.random.default_rng(0).integers(0, 256, (1, 720, 1280, 3)), tf.uint8)
    times_s = []
    for _ in range(frames):
        start_s = time.perf_counter()
        serve(input_tensor=frame)["num_detections"].numpy()
        times_s.append(time.perf_counter() - start_s)
    return min(times_s) * 1e3


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("npz", type=Path, help="from train_detector.dump")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--thresholds", type=float, nargs=CLASSES, default=[0.5] * CLASSES, help="become .5")
    arguments = parser.parse_args()
    saved_model = export(arguments.npz, arguments.folder, arguments.thresholds)
    size_bytes = sum(path.stat().st_size for path in saved_model.rglob("*") if path.is_file())
    print(f"{saved_model}: {size_bytes / 1e6:.2f} MB, {measure(saved_model):.1f} ms for a frame of 1280x720")


if __name__ == "__main__":
    main()
