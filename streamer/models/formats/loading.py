"""From a file that was recognised to a model that can be run, whatever its form. Called by opening.py, after safety."""

from streamer.errors import ConfigError
from streamer.models.formats.recognise import Found
from streamer.models.loaded import Loaded


def load(found: Found, *, signature: str | None = None, trust: bool = False) -> Loaded:
    """The model at `found`. Its runtime is imported here, and no other.

    signature: the name of the one to run. trust: whether code that a Keras file brings may run.

    Raises ModelLoadError for a damaged model, SignatureError for a signature that is not there, ConfigError for one
    that is asked of a form without any.
    """
    if signature is not None and found.form not in {"savedmodel", "tflite"}:
        raise ConfigError("only SavedModels and TFLite files have signatures", where=f"--signature {signature}")
    match found.form:
        case "savedmodel":
            from streamer.models.formats.savedmodel import load_saved_model  # noqa: PLC0415 - TensorFlow's alone

            return load_saved_model(found.path, signature=signature)
        case "frozen_graph":
            from streamer.models.formats.frozen_graph import load_frozen_graph  # noqa: PLC0415 - as above

            return load_frozen_graph(found.path)
        case "keras":
            from streamer.models.formats.keras import load_keras  # noqa: PLC0415 - as above

            return load_keras(found.path, trust=trust)
        case "tflite":
            from streamer.models.formats.tflite import load_tflite  # noqa: PLC0415 - LiteRT's alone

            return load_tflite(found.path, signature=signature)
        case "opencv_dnn":
            from streamer.models.formats.opencv_dnn import load_opencv_dnn  # noqa: PLC0415 - OpenCV's alone

            if found.text_graph is None:
                raise AssertionError("recognised without its text graph")
            return load_opencv_dnn(found.path, found.text_graph)
