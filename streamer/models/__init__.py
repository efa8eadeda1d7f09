"""Models: where frames are understood. `load_detector` is the one way in; nothing heavy is imported before it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.errors import ModelLoadError
from streamer.models.options import ChannelOrder, Fit, ModelOptions, Scale

if TYPE_CHECKING:
    from streamer.models.detector import ModelDetector
    from streamer.models.opening import OpenedModel, Pictures

__all__ = ["MODEL_INSIDE", "ChannelOrder", "Fit", "ModelOptions", "Scale", "load_detector"]

MODEL_INSIDE = Path(__file__).parent / "face"
"""The model inside the package, of faces and people: a SavedModel like any other. docs/model.md is its card."""


def load_detector(
    path: str | os.PathLike[str] | None = None,
    options: ModelOptions | None = None,
    *,
    input_size_px: tuple[int, int] | None = None,
    pictures: "Pictures | None" = None,
) -> "ModelDetector":
    """A Detector for the model at `path`, warmed up: its first frame takes no longer than the others.

    path: a SavedModel's folder, a frozen graph (.pb), a .keras, .h5 or .tflite file, an archive of one, or the name of
    a model, which is fetched if it is not in the cache; None is the model inside.
    input_size_px: (width, height) that the frames will have, where it is known. A model that takes any size is given
    this one for the whole run, shrunk to 1280 px on its longer side, or 640x480 where it is None; frames of just this
    size go in untouched, others are letterboxed. A model of one size ignores it.
    pictures: gives photographs, (H, W, 3) uint8 BGR, to look at where the model does not say how it is to be fed.

    Raises ModelLoadError for what is no model, is damaged, or does more than detectors need, SignatureError for a
    model that is no detector, ConfigError for a card, labels, classes or a scale that do not fit, ModelError when the
    model fails on a black frame.
    """
    from streamer.models.opening import open_to_run  # noqa: PLC0415 - see above
    from streamer.models.zoo.finding import find_model  # noqa: PLC0415 - see above

    options = options if options is not None else ModelOptions()
    found = MODEL_INSIDE if path is None else find_model(path)
    try:
        return _warmed_up(open_to_run(found, options, input_size_px=input_size_px, pictures=pictures))
    except MemoryError as error:
        raise ModelLoadError("there is not enough memory for it", where=str(found)) from error


def _warmed_up(opened: "OpenedModel") -> "ModelDetector":
    try:
        detector = opened.detector()
        detector.warm_up()
    except BaseException:
        opened.close()
        raise
    return detector
