"""`streamer.stream`: the whole pipeline as one loop. For the parts, see `pipeline.Pipeline`."""

from collections.abc import Iterator, Sequence
from functools import partial
from os import PathLike

from streamer.frame import Result
from streamer.models import load_detector
from streamer.models.options import ModelOptions
from streamer.pipeline import Pipeline, PolicyName
from streamer.sources import open_source
from streamer.sources.options import SourceOptions


def stream(
    source: str | int | PathLike[str],
    *,
    model: str | PathLike[str],
    conf: float = 0.5,
    classes: Sequence[str] = (),
    policy: PolicyName = "auto",
    source_options: SourceOptions | None = None,
    model_options: ModelOptions | None = None,
) -> Iterator[Result]:
    """Every frame of `source` with what `model` sees on it, as long as the caller asks for more.

    source: as on the command line: a camera's index, a file, a folder, `test:`.
    conf, classes: the lowest score and the names of the classes reported; left to `model_options` where it is given.
    policy: `all` loses no frame, `latest` gives the newest one; `auto` is the first for files, the second for cameras.

    Each result's `image` is the frame with boxes and labels drawn. Leaving the loop closes everything.
    Raises SourceError, ModelError or ConfigError; opening happens at once, not at the first frame.
    """
    from streamer.overlay import Style, draw  # noqa: PLC0415 - OpenCV is loaded when it is first needed

    options = model_options or ModelOptions(conf=conf, classes=tuple(classes))
    opened = open_source(str(source), source_options or SourceOptions())
    try:
        detector = load_detector(model, options, input_size_px=opened.info.size_px)
    except BaseException:
        opened.close()
        raise
    pipeline = Pipeline(opened, detector, policy=policy, draw=partial(draw, labels=detector.labels, style=Style()))
    return pipeline.results()
