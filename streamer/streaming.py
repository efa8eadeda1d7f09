"""`streamer.stream`: the whole pipeline as one loop. For the parts, see `pipeline.Pipeline`."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from types import TracebackType
from typing import Self

from streamer.flow.report import Report
from streamer.frame import MAX_DETECTIONS, Ledger, Result
from streamer.interfaces import Analyzer, Detector, Source
from streamer.models import load_detector
from streamer.models.options import ModelOptions
from streamer.pipeline import Pipeline, PolicyName
from streamer.sources import comes_by_itself, open_source
from streamer.sources.arrays import Arrays, ArraySource
from streamer.sources.glances import glances
from streamer.sources.options import SourceOptions
from streamer.style import Style


class Stream(Iterator[Result]):
    """The results of a run, one by one. Leaving the loop, `close`, or forgetting it closes everything."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._results = pipeline.results()
        self._turn = threading.RLock()

    @property
    def ledger(self) -> Ledger:
        """Where every frame went, as it stands."""
        return self._pipeline.ledger

    @property
    def report(self) -> Report | None:
        """How the run went, once it is over."""
        return self._pipeline.report

    def close(self) -> None:
        """End the run, if it goes on. Idempotent, and from any thread: the loop ends."""
        self._pipeline.stop()  # whoever waits for the next result lets go
        with self._turn:
            try:
                self._results.close()
            except ValueError:  # a handler of signals, on the thread that waits: it gets no more
                return
            self._pipeline.close()

    def __next__(self) -> Result:
        with self._turn:
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
    source: str | int | PathLike[str] | Arrays,
    *,
    model: str | PathLike[str] | None = None,
    conf: float = 0.5,
    classes: str | Sequence[str] = (),
    blur: str | Sequence[str] = (),
    policy: PolicyName = "auto",
    detect_every: int = 1,
    source_options: SourceOptions | None = None,
    model_options: ModelOptions | None = None,
    style: Style | None = None,
) -> Stream:
    """Every frame of `source` with what `model` sees on it, as long as the caller asks for more.

    source: as on the command line: a camera's index, a file, a folder, `test:`; or an iterable of pictures,
        (H, W, 3) uint8 BGR, whose rate is the `fps` of `source_options`.
    model: a SavedModel's folder, a .pb, .keras, .h5 or .tflite file, an archive, or a name of `streamer models list`;
        None is the model inside the package, which finds faces and people.
    conf, classes: the lowest score and the names of the classes reported; left to `model_options` where it is given.
    blur: the names of the classes that are hidden; no result holds the frame as it was captured then. What the model
        misses is seen: docs/manual.md, Hiding faces.
    policy: `all` loses no frame, `latest` gives the newest one; `auto` is the first for files, the second for cameras.
    detect_every: run the model on every Nth frame only; the others have the detections before them, and their age.

    style: how results' images are drawn, `Style(theme="minimal", timestamp=True)`.

    Each result's `image` is the frame with boxes and labels drawn. Raises SourceError, ModelError or ConfigError;
    opening happens at once, not at the first frame.
    """
    from streamer.overlay import annotate, time_of_day  # noqa: PLC0415 - OpenCV is loaded when it is first needed

    source_options = source_options or SourceOptions()
    options = model_options or ModelOptions(
        conf=conf, classes=(classes,) if isinstance(classes, str) else tuple(classes)
    )
    hidden = (blur,) if isinstance(blur, str) else tuple(blur)
    uri = str(source) if isinstance(source, str | int | PathLike) else None
    if uri is not None and comes_by_itself(uri):
        # The model first: its lamp is not on, and no frame is late, while the model loads.
        asked_px = source_options.width or 640, source_options.height or 480
        options = replace(options, live=policy != "all")
        detector, analyzers = _loaded(model, options, hidden=hidden, size_px=asked_px, source=uri)
        try:
            opened = open_source(uri, source_options)
        except BaseException:
            detector.close()
            raise
    else:
        opened = _opened(source, source_options)
        options = replace(options, live=opened.live if policy == "auto" else policy == "latest")
        try:
            detector, analyzers = _loaded(model, options, hidden=hidden, size_px=opened.info.size_px, source=uri)
        except BaseException:
            opened.close()
            raise
    draw = partial(
        annotate,
        labels=detector.labels,
        style=style or Style(),
        wall_clock=time_of_day if opened.live and not source_options.realtime else None,
    )
    return Stream(Pipeline(opened, detector, policy=policy, detect_every=detect_every, draw=draw, analyzers=analyzers))


def _opened(source: str | int | PathLike[str] | Arrays, options: SourceOptions) -> Source:
    if isinstance(source, str | int | PathLike):
        return open_source(str(source), options)
    return ArraySource(source, fps=options.fps)


def _loaded(
    model: str | PathLike[str] | None,
    options: ModelOptions,
    *,
    hidden: tuple[str, ...],
    size_px: tuple[int, int] | None,
    source: str | None,
) -> tuple[Detector, tuple[Analyzer, ...]]:
    pictures = partial(glances, source) if source is not None else None
    if not hidden:
        return load_detector(model, options, input_size_px=size_px, pictures=pictures), ()
    from streamer.analytics.privacy import hide  # noqa: PLC0415 - OpenCV is loaded when it is first needed

    everything = replace(options, classes=(), max_det=MAX_DETECTIONS)
    detector = load_detector(model, everything, input_size_px=size_px, pictures=pictures)
    try:
        wary, analyzer = hide(detector, hidden, classes=options.classes, max_det=options.max_det)
    except BaseException:
        detector.close()
        raise
    return wary, (analyzer,)
