"""One small detector of each form that streamer loads, made by the tests themselves."""

from pathlib import Path
from typing import Any

from streamer.models.runtimes.tensorflow import import_tensorflow
from tests import tflite_models
from tests.frozen_graphs import api_graph, save_graph
from tests.keras_models import save_keras
from tests.opencv_models import save_red_finder
from tests.saved_models import save_constant

FORMS = ("SavedModel", "frozen graph", ".keras", ".h5", "TFLite", "OpenCV's pair")


def save_form(form: str, folder: Path) -> Path:
    """The detector of a form in `folder`, which it makes: what --model takes."""
    folder.mkdir(parents=True)
    match form:
        case "SavedModel":
            return save_constant(folder / "m")
        case "frozen graph":
            return save_graph(folder / "m.pb", api_graph)
        case ".keras" | ".h5":
            return save_keras(folder / f"m{form}", keras_detector())
        case "TFLite":
            path = folder / "m.tflite"
            path.write_bytes(tflite_models.detector())
            return path
        case _:
            return save_red_finder(folder, name="m")[0]


def parts(model: Path) -> tuple[Path, ...]:
    """Every file without which a model of any form is not whole."""
    if model.is_dir():
        return tuple(sorted((model / "saved_model.pb", *(model / "variables").iterdir())))
    text_graph = model.with_suffix(".pbtxt")
    return (model, text_graph) if text_graph.exists() else (model,)


def keras_detector(before_boxes: Any = None) -> Any:
    """An untrained network of five boxes with scores. before_boxes: a layer that their numbers go through."""
    keras = import_tensorflow().keras
    image = keras.Input((32, 48, 3), name="image")
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3, strides=2)(image))
    numbers = keras.layers.Dense(20, activation="sigmoid")(x)
    numbers = numbers if before_boxes is None else before_boxes(numbers)
    boxes = keras.layers.Reshape((5, 4), name="boxes")(numbers)
    scores = keras.layers.Dense(5, activation="sigmoid", name="scores")(x)
    return keras.Model(image, {"boxes": boxes, "scores": scores})
