"""Models: where frames are understood. `load_detector` is the one way in; nothing heavy is imported before it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.models.options import ModelOptions, Scale

if TYPE_CHECKING:
    from streamer.models.detector import ModelDetector

__all__ = ["MODEL_INSIDE", "ModelOptions", "Scale", "load_detector"]

MODEL_INSIDE = Path(__file__).parent / "face"
"""The model inside the package, of faces and people: a SavedModel like any other. docs/model.md is its card."""


def load_detector(
    path: str | os.PathLike[str] | None = None,
    options: ModelOptions | None = None,
    *,
    input_size_px: tuple[int, int] | None = None,
) -> "ModelDetector":
    """A Detector for the model at `path`, warmed up: its first frame takes no longer than the others.

    path: a SavedModel's folder, an archive of one, or the name of a model, which is fetched if it is not in the cache;
    None is the model inside.
    input_size_px: (width, height) that the frames will have, where it is known. A model that takes any size is given
    this one for the whole run, shrunk to 1280 px on its longer side, or 640x480 where it is None; frames of just this
    size go in untouched, others are letterboxed. A model of one size ignores it.

    Raises ModelLoadError for what is no SavedModel, is damaged, or does more than detectors need, SignatureError for a
    model that is no detector, ConfigError for labels, classes or a scale that do not fit, ModelError when the model
    fails on a black frame.
    """
    from streamer.models.formats.savedmodel import find_saved_model, load_saved_model  # noqa: PLC0415
    from streamer.models.zoo.finding import find_model  # noqa: PLC0415 - see above

    options = options if options is not None else ModelOptions()
    folder = find_saved_model(MODEL_INSIDE if path is None else find_model(path))

    from streamer.models.detector import ModelDetector  # noqa: PLC0415
    from streamer.models.naming import name_classes  # noqa: PLC0415
    from streamer.models.safety.checks import check_saved_model  # noqa: PLC0415

    check_saved_model(folder, trust=options.trust)
    naming = name_classes(folder, labels=options.labels, offset=options.label_offset)
    graph, signature = load_saved_model(folder, signature=options.signature)
    try:
        detector = ModelDetector(
            graph, signature, options=options, naming=naming, form="SavedModel", input_size_px=input_size_px
        )
        detector.warm_up()
    except BaseException:
        graph.close()
        raise
    return detector
