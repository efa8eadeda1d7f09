"""`streamer.stream`: the whole pipeline as one loop. For the parts, see `pipeline.Pipeline`."""

from collections.abc import Iterator, Sequence
from functools import partial
from os import PathLike
from types import TracebackType
from typing import Self

from streamer.flow.report import Report
from streamer.frame import Ledger, Result
from streamer.models import load_detector
from streamer.models.options import ModelOptions
from streamer.pipeline import Pipeline, PolicyName
from streamer.sources import is_camera, open_source
from streamer.sources.options import SourceOptions


class Stream(Iterator[Result]):
    """The results of a run, one by one. Leaving the loop, `close`, or forgetting it closes everything."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._results = pipeline.results()

    @property
    def ledger(self) -> Ledger:
        """Where every frame went, as it stands."""
        return self._pipeline.ledger

    @property
    def report(self) -> Report | None:
        """How the run went, once it is over."""
        return self._pipeline.report

    def close(self) -> None:
        """End the run, if it goes on. Idempotent."""
        self._results.close()
        self._pipeline.close()

    def __next__(self) -> Result:
        return next(self._results)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def stream(
    source: str | int | PathLike[str],
    *,
    model: str | PathLike[str],
    conf: float = 0.5,
    classes: str | Sequence[str] = (),
    policy: PolicyName = "auto",
    source_options: SourceOptions | None = None,
    model_options: ModelOptions | None = None,
) -> Stream:
    """Every frame of `source` with what `model` sees on it, as long as the caller asks for more.

    source: as on the command line: a camera's index, a file, a folder, `test:`.
    conf, classes: the lowest score and the names of the classes reported; left to `model_options` where it is given.
    policy: `all` loses no frame, `latest` gives the newest one; `auto` is the first for files, the second for cameras.

    Each result's `image` is the frame with boxes and labels drawn. Raises SourceError, ModelError or ConfigError;
    opening happens at once, not at the first frame.
    """
    from streamer.overlay import Style, draw  # noqa: PLC0415 - OpenCV is loaded when it is first needed

    source_options = source_options or SourceOptions()
    options = model_options or ModelOptions(
        conf=conf, classes=(classes,) if isinstance(classes, str) else tuple(classes)
    )
    uri = str(source)
    if is_camera(uri):
        # The model first: its lamp is not on, and no frame is late, while the model loads.
        asked_px = source_options.width or 640, source_options.height or 480
        detector = load_detector(model, options, input_size_px=asked_px)
        opened = open_source(uri, source_options)
    else:
        opened = open_source(uri, source_options)
        try:
            detector = load_detector(model, options, input_size_px=opened.info.size_px)
        except BaseException:
            opened.close()
            raise
    annotate = partial(draw, labels=detector.labels, style=Style())
    return Stream(Pipeline(opened, detector, policy=policy, draw=annotate))
