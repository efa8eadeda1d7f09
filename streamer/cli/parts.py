"""The parts of a run, opened in the order in which they fail cheapest.

First what a look at the disk tells, then a file, the model, a camera (its lamp is not on while the model loads), the
outputs, and the window. Whatever is open is closed again if a later part fails. Called by session.py.
"""

import logging
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import streamer
from streamer.analytics.privacy import hide
from streamer.analytics.recorded import Recorded
from streamer.cli.asked import model_options
from streamer.cli.desk import Desk, Switch, recording_path
from streamer.cli.fetching import fetching_shown
from streamer.config import Settings
from streamer.config.values import kept_of
from streamer.errors import SinkOpenError
from streamer.frame import MAX_DETECTIONS
from streamer.interfaces import Analyzer, Detector, Sink, Source, SourceInfo, View
from streamer.labels import Labels
from streamer.models import load_detector
from streamer.models.zoo.finding import find_model, look_for
from streamer.overlay import time_of_day
from streamer.overlay.typesetting import typesetter
from streamer.sinks import open_sinks
from streamer.sinks.options import STDOUT, ClipOptions, Keep, SinkOptions, VideoOptions
from streamer.sinks.outfile import is_stream
from streamer.sinks.recorder import Recorder
from streamer.sinks.window import Window, display_problem
from streamer.sources import NAMED_CAMERA, comes_by_itself, open_source
from streamer.sources.address import is_address, parse_address
from streamer.sources.devices import find_device, list_devices
from streamer.sources.glances import COUNT, MANY, glances
from streamer.sources.listing import is_list, listed_in, media_matching
from streamer.sources.options import SourceOptions
from streamer.style import Style
from streamer.text import printable, redacted

logger = logging.getLogger(__name__)

CAMERA_SIZE_PX = (640, 480)
"""(width, height) that a camera gives, as a rule, when nothing is asked of it."""


@runtime_checkable
class Keeper(Protocol):
    """A sink that knows the files it made."""

    @property
    def recorded_files(self) -> tuple[Path, ...]:
        """Videos and pictures, in the order of time."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made of; all of it is open."""

    source: Source
    detector: Detector
    analyzers: tuple[Analyzer, ...]
    sinks: tuple[Sink, ...]
    view: View | None
    desk: Desk

    @property
    def hold(self) -> bool:
        """Whether the view shall wait at each picture: they are only looked at, and none is kept."""
        return self.source.info.kind == "pictures" and not any(sink.role == "record" for sink in self.sinks)

    @property
    def recorded_files(self) -> tuple[Path, ...]:
        """What was recorded: videos and pictures."""
        return tuple(path for sink in self.sinks if isinstance(sink, Keeper) for path in sink.recorded_files)


def open_parts(settings: Settings, stack: ExitStack, *, recorded: Recorded | None = None) -> Parts:
    """Open what `settings` ask for; `stack` closes it. recorded: what stands in for the model, if anything does.

    Raises StreamerError for the first part that cannot be had.
    """
    _look_first(settings)
    inputs = inputs_of(settings, recorded)
    early = None if comes_by_itself(settings.source or "") else _source(settings, stack)
    if recorded is not None and early is not None:
        recorded.suit(early.info)
    _try_outputs(settings, early, inputs)
    detector, analyzers = (recorded, (recorded,)) if recorded is not None else _seeing(settings, early, stack)
    source = early or _source(settings, stack)
    view = _window(settings, stack)
    sinks = _sinks(settings, source, detector, inputs, stack)
    if view is not None and settings.record is None and source.info.kind != "pictures":
        sinks += _waiting_recorder(settings, source, stack)
    desk = _desk(settings, source, detector.labels, sinks)
    if view is None and not sinks:
        logger.warning("nothing is shown and nothing is kept: give OUT, --jsonl or --show")
    return Parts(source, detector, analyzers, tuple(sinks), view, desk)


def inputs_of(settings: Settings, recorded: Recorded | None = None) -> tuple[Path, ...]:
    """Files and folders that are read, and that no output may replace."""
    uri = settings.source or ""
    path = Path(uri)
    table = () if recorded is None else (recorded.path,)
    if not os.path.lexists(path):
        return (*table, *map(Path, media_matching(uri)))
    return (*table, path, *map(Path, listed_in(uri) if is_list(uri) else ()))


def _look_first(settings: Settings) -> None:
    """What a look at the address, at the disk, and at the list of cameras, tells."""
    if is_address(settings.source or ""):
        parse_address(settings.source or "")
    if settings.model is not None:
        look_for(settings.model)
    uri = settings.source or ""
    if uri.startswith(NAMED_CAMERA):
        find_device(uri.removeprefix(NAMED_CAMERA), list_devices(settings.camera_backend))
    if settings.font is not None:
        typesetter(settings.font)
    if not settings.snapshot_dir.is_dir():
        raise SinkOpenError("no such folder", where=str(settings.snapshot_dir), hint="--snapshot-dir names one")
    if settings.show and (problem := display_problem()):
        raise SinkOpenError(f"no window can be opened: {problem}", where="--show")


def _try_outputs(settings: Settings, source: Source | None, inputs: tuple[Path, ...]) -> None:
    """Open the outputs and close them again: a place that cannot be written is told before the model is loaded.

    Pipes are left alone: whoever reads one would take that for the end.
    """
    info = SourceInfo(settings.source or "") if source is None else source.info
    options = _sink_options(settings, source, inputs)
    tried = replace(
        options,
        out=_no_stream(options.out),
        jsonl=_no_stream(options.jsonl),
        csv=_no_stream(options.csv),
        coco=_no_stream(options.coco),
        mot=_no_stream(options.mot),
        video=replace(options.video, encoder="software"),  # hardware is looked for once, later
    )
    for sink in open_sinks(tried, labels=None, source=info):
        sink.close()


def _no_stream(path: Path | None) -> Path | None:
    return None if path is None or is_stream(path) else path


def _input_size_px(settings: Settings, source: Source | None) -> tuple[int, int] | None:
    if source is not None:
        return source.info.size_px
    return settings.width or CAMERA_SIZE_PX[0], settings.height or CAMERA_SIZE_PX[1]


def _source(settings: Settings, stack: ExitStack) -> Source:
    options = SourceOptions(
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        fourcc=settings.fourcc,
        camera_backend=settings.camera_backend,
        camera_control=settings.camera_control,
        source_options=settings.source_options,
        start_s=settings.start,
        end_s=settings.end,
        duration_s=settings.duration,
        stride=settings.stride,
        loop=settings.loop,
        realtime=settings.realtime,
        rtsp_transport=settings.rtsp_transport,
        open_timeout_s=settings.open_timeout,
        read_timeout_s=settings.read_timeout,
        reconnect=settings.reconnect,
        reconnect_max=settings.reconnect_max,
        max_pixels=settings.max_pixels,
    )
    source = open_source(settings.source or "", options)
    stack.callback(source.close)
    logger.info("source: %s", _described(source.info))
    return source


def _described(info: SourceInfo) -> str:
    parts = [info.name]
    if info.size_px is not None:
        parts.append(f"{info.size_px[0]}x{info.size_px[1]}")
    if info.fps is not None:
        parts.append(f"{info.fps:.4g} fps")
    if info.frame_count is not None:
        parts.append(f"{info.frame_count} frames")
    if info.decoder:
        parts.append(info.decoder)
    return ", ".join(parts)


def is_live(source: Source, settings: Settings) -> bool:
    """Whether the newest frame will win."""
    return source.live if settings.policy == "auto" else settings.policy == "latest"


def _seeing(settings: Settings, source: Source | None, stack: ExitStack) -> tuple[Detector, tuple[Analyzer, ...]]:
    live = settings.policy != "all" if source is None else is_live(source, settings)
    return _hiding(settings, _detector(settings, _input_size_px(settings, source), stack, live=live))


def _detector(settings: Settings, size_px: tuple[int, int] | None, stack: ExitStack, *, live: bool) -> Detector:
    options = model_options(settings, live=live)
    if settings.blur:
        options = replace(options, classes=(), max_det=MAX_DETECTIONS)
    model: Path | None = None
    if settings.model is None:
        logger.info("no --model: the one inside is used, which finds faces and people")
    else:
        with fetching_shown(quiet=settings.quiet, as_json=settings.log_json) as watch:
            model = find_model(settings.model, watch=watch)
    detector = load_detector(
        model,
        options,
        input_size_px=size_px,
        pictures=partial(glances, settings.source or "", count=MANY if settings.int8 else COUNT),
    )
    stack.callback(detector.close)
    logger.info("model: %s", detector.describe())
    return detector


def _hiding(settings: Settings, detector: Detector) -> tuple[Detector, tuple[Analyzer, ...]]:
    """The detector as it is used, and what comes behind it: with --blur, both see to it that nothing hidden is seen."""
    if not settings.blur:
        return detector, ()
    wary, blur = hide(detector, settings.blur, classes=settings.classes, max_det=settings.max_det)
    return wary, (blur,)


def _sink_options(settings: Settings, source: Source | None, inputs: tuple[Path, ...]) -> SinkOptions:
    record = settings.record
    return SinkOptions(
        out=None if record is None else Path(record),
        folder=record is not None and record.endswith("/"),
        jsonl=settings.jsonl,
        csv=settings.csv,
        coco=settings.coco,
        mot=settings.mot,
        live=source is None or source.live,
        force=settings.force,
        video=video_options(settings),
        segment_s=settings.segment,
        keep=Keep() if settings.keep is None else Keep(*kept_of(settings.keep)),
        clips=_clip_options(settings),
        looped=settings.loop,
        inputs=inputs,
        many=source is not None and source.info.several,
        pictures=source is not None and source.info.kind == "pictures",
    )


def video_options(settings: Settings) -> VideoOptions:
    """How videos are made."""
    return VideoOptions(
        codec=settings.codec,
        encoder=settings.encoder,
        crf=settings.crf,
        preset=settings.preset,
        bitrate=settings.bitrate,
        audio=settings.audio,
        note=f"recorded by streamer {streamer.__version__}; boxes: {settings.box_timing}",
    )


def _clip_options(settings: Settings) -> ClipOptions | None:
    """Clips go into a folder of their own beside OUT, or into `clips` here."""
    if settings.clip_on is None:
        return None
    folder = settings.clip_dir
    if folder is None:
        record = settings.record
        folder = Path("clips") if record in {None, STDOUT} else Path(f"{Path(record or '').with_suffix('')}-clips")
    return ClipOptions(when=settings.clip_on, folder=folder, pre_s=settings.pre, post_s=settings.post)


def _sinks(
    settings: Settings, source: Source, detector: Detector, inputs: tuple[Path, ...], stack: ExitStack
) -> list[Sink]:
    sinks = open_sinks(_sink_options(settings, source, inputs), labels=detector.labels, source=source.info)
    for sink in sinks:
        stack.callback(sink.close)
    return sinks


def _waiting_recorder(settings: Settings, source: Source, stack: ExitStack) -> list[Sink]:
    """A recorder that the key r starts; none, with a warning, where nothing can be written here."""

    def named() -> Path:
        return recording_path(datetime.now())

    try:
        recorder = Recorder(
            named(),
            video=video_options(settings),
            fps=source.info.fps,
            active=False,
            name_next=named,
            from_files=source.info.kind == "video" and not settings.loop,
            live=source.live,
        )
    except SinkOpenError as error:
        logger.warning("the key r can record nothing: %s", error)
        return []
    stack.callback(recorder.close)
    return [recorder]


def _style(settings: Settings) -> Style:
    """How detections are drawn."""
    return Style(
        labels=not settings.hide_labels,
        conf=not settings.hide_conf,
        tracks=not settings.hide_tracks,
        theme=settings.theme,
        box_style=settings.box_style,
        line_px=settings.line_width or None,
        font=settings.font,
        timestamp=settings.timestamp,
        source_name=settings.source_name,
    )


def _desk(settings: Settings, source: Source, labels: Labels, sinks: Sequence[Sink]) -> Desk:
    switch = next((sink for sink in sinks if isinstance(sink, Switch)), None)
    why_none = "nothing can be recorded here" if settings.record is None else "all of it is kept: OUT has no switch"
    return Desk(
        labels,
        style=_style(settings),
        snapshot_dir=settings.snapshot_dir,
        recorder=switch,
        why_none=why_none,
        wall_clock=time_of_day if source.live and not settings.realtime else None,
    )


def _window(settings: Settings, stack: ExitStack) -> View | None:
    """The window, if it is wanted and there is a display; without one an explicit --show is an error."""
    if settings.show is False:
        return None
    if problem := display_problem():
        logger.warning("no window: %s", problem)
        return None
    title = f"streamer {printable(redacted(settings.source or ''))}"
    window = Window(title, view_width_px=settings.view_width, full_screen=settings.full_screen, panel=settings.panel)
    stack.callback(window.close)
    return window
