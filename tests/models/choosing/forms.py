"""Small detectors in every form, for the tests of choosing: untrained, but each sees some things in every picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamer.models.card_files import card_path
from streamer.models.lowering.scenery import texture
from streamer.models.runtimes.tensorflow import import_tensorflow
from tests.frozen_graphs import save_frozen_function
from tests.keras_models import save_keras
from tests.models.lowering.graphs import kernel
from tests.saved_models import build_ssd_mobilenet
from tests.tflite_models import converted

Tensor = Any
"""TensorFlow comes without types."""

SIZE = (48, 64)
"""(height, width) of what the networks take."""

CARD = """\
input: {scale: 0..255, channel_order: rgb}
head: {kind: decoded, boxes: boxes, scores: scores, order: cxcywh, unit: fraction, nms: per_class, iou: 0.5}
first_class_id: 0
labels: [cat, dog, cow]
"""

UNSEEN = [texture(size_px, seed) for size_px, seed in (((320, 240), 71), ((200, 400), 72), ((640, 480), 73))]
"""Pictures that nothing was chosen by."""


def heads(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes, [1,N,4] cxcywh as fractions, and scores, [1,N,3], of a picture of SIZE, 0..255."""
    tf = import_tensorflow()
    x = tf.nn.relu(tf.nn.conv2d(picture / 127.5 - 1.0, kernel(5, 5, 3, 16), 4, "SAME"))
    boxes = tf.sigmoid(tf.nn.conv2d(x, kernel(3, 3, 16, 4, seed=1), 2, "SAME"))
    scores = tf.sigmoid(tf.nn.conv2d(x, kernel(3, 3, 16, 3, seed=2), 2, "SAME"))
    return tf.reshape(boxes * 0.4 + 0.1, [1, -1, 4]), tf.reshape(scores, [1, -1, 3])


def saved_model(folder: Path) -> Path:
    """With its resize, decoding and suppression in the graph, for pictures of any size."""
    return build_ssd_mobilenet(folder / "saved")


def frozen_graph(folder: Path, *, shape: tuple[int | None, ...] = (1, None, None, 3)) -> Path:
    """With its resize in the graph, and what it gives read by a card."""
    tf = import_tensorflow()

    def call(image: Tensor) -> dict[str, Tensor]:
        boxes, scores = heads(tf.image.resize(tf.cast(image, tf.float32), SIZE))
        return {"boxes": tf.identity(boxes, name="boxes"), "scores": tf.identity(scores, name="scores")}

    path = save_frozen_function(folder / "frozen.pb", call, spec=tf.TensorSpec(shape, tf.uint8, name="image"))
    return carded(path)


def keras_file(folder: Path) -> Path:
    """Of one size."""
    keras = import_tensorflow().keras
    keras.utils.set_random_seed(4)
    image = keras.Input((*SIZE, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(16, 5, strides=4, padding="same", activation="relu")(x)
    boxes = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="sigmoid")(x)
    scores = keras.layers.Conv2D(3, 3, strides=2, padding="same", activation="sigmoid")(x)
    outputs = {
        "boxes": keras.layers.Reshape((-1, 4))(keras.layers.Rescaling(0.4, offset=0.1)(boxes)),
        "scores": keras.layers.Reshape((-1, 3))(scores),
    }
    return carded(save_keras(folder / "network.keras", keras.Model(image, outputs)))


def tflite_file(folder: Path) -> Path:
    """Of one size."""

    def call(image: Tensor) -> dict[str, Tensor]:
        boxes, scores = heads(image)
        return {"boxes": boxes, "scores": scores}

    path = folder / "network.tflite"
    path.write_bytes(converted(call, (1, *SIZE, 3), signature="serving_default"))
    return carded(path)


def carded(path: Path) -> Path:
    """The model with a card beside it."""
    card_path(path).write_text(CARD, encoding="utf-8")
    return path


FORMS: dict[str, Callable[[Path], Path]] = {
    "SavedModel": saved_model,
    "frozen graph": frozen_graph,
    "Keras": keras_file,
    "TFLite": tflite_file,
}
