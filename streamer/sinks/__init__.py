"""Where results are kept. `open_sinks` is the only place that looks at endings; the sinks know only their own format.

Importing this imports neither cv2 nor av; opening does.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.errors import ConfigError
from streamer.interfaces import Sink, SourceInfo
from streamer.labels import Labels
from streamer.sinks.conditions import Condition, Happening
from streamer.sinks.options import STDOUT, WRITABLE_PICTURES, WRITABLE_VIDEOS, ClipOptions, SinkOptions
from streamer.sinks.outfile import refuse_input, same_file
from streamer.sinks.tables import Coco, CommaSeparated, JsonLines, Mot, WallClock
from streamer.sound import SoundLine

if TYPE_CHECKING:
    from streamer.sinks.recorder import Recorder

__all__ = ["SinkOptions", "open_sinks"]


Hear = Callable[[], SoundLine | None]
"""Gives the sound that comes now beside the frames."""


def open_sinks(
    options: SinkOptions, *, labels: Labels | None, source: SourceInfo, sound: Hear = lambda: None
) -> list[Sink]:
    """The sinks that `options` ask for, all of them open, or none: what the first ones made is removed again.

    labels: names for tables and conditions; None while no model is known, to see whether all can be written and nothing
    else. source: what is read, whose rate and sound a video takes over. sound: that of a live stream.

    Raises ConfigError for an ending that nothing is written to, or that does not suit the input; SinkOpenError for a
    place that cannot be written, that holds something already, or that is an input.
    """
    with ExitStack() as undo:
        sinks: list[Sink] = []
        for sink in _opened(options, labels=labels, source=source, sound=sound):
            undo.callback(sink.close)
            sinks.append(sink)
        undo.pop_all()
    return sinks


def _opened(options: SinkOptions, *, labels: Labels | None, source: SourceInfo, sound: Hear) -> Iterator[Sink]:
    if options.out is not None:
        yield _open_out(options.out, options, labels, source, sound)
    if options.clips is not None:
        yield _open_clips(options.clips, options, labels, source, sound)
    yield from _open_tables(options, labels)


def _open_out(out: Path, options: SinkOptions, labels: Labels | None, source: SourceInfo, sound: Hear) -> Sink:
    if str(out) != STDOUT and (options.folder or out.is_dir() or not out.suffix):
        return _open_folder(out, options, labels, source, sound)
    _refuse_ending(out, options)
    refuse_input(out, options.inputs)
    if options.pictures:
        from streamer.sinks.pictures import Pictures  # noqa: PLC0415 - see above

        return Pictures(out, force=options.force)
    return _recorder(out, options, labels, source, sound)


def _recorder(out: Path, options: SinkOptions, labels: Labels | None, source: SourceInfo, sound: Hear) -> "Recorder":
    from streamer.sinks.recorder import Recorder  # noqa: PLC0415 - see above

    return Recorder(
        out,
        video=options.video,
        fps=source.fps,
        force=options.force,
        from_files=_from_files(options, source),
        live=options.live,
        segment_s=options.segment_s,
        keep=options.keep,
        sound=sound,
        chapters_when=None
        if options.clips is None
        else Happening(Condition(options.clips.when, labels), gap_s=options.clips.pre_s + options.clips.post_s),
    )


def _open_folder(out: Path, options: SinkOptions, labels: Labels | None, source: SourceInfo, sound: Hear) -> Sink:
    from streamer.sinks.folder import Folder  # noqa: PLC0415 - see above

    return Folder(
        out,
        pictures=options.pictures,
        inputs=options.inputs,
        force=options.force,
        new_recorder=lambda path: _recorder(path, options, labels, source, sound),
    )


def _open_clips(
    clips: ClipOptions, options: SinkOptions, labels: Labels | None, source: SourceInfo, sound: Hear
) -> Sink:
    if options.pictures:
        raise ConfigError("clips are kept of what moves, and these are pictures", where="clip_on")
    from streamer.sinks.clips import Clips  # noqa: PLC0415 - see above

    return Clips(
        clips.folder,
        source=source.name,
        condition=Condition(clips.when, labels),
        labels=labels or Labels(),
        pre_s=clips.pre_s,
        post_s=clips.post_s,
        video=options.video,
        fps=source.fps,
        from_files=_from_files(options, source),
        live=options.live,
        keep=options.keep,
        sound=sound,
    )


def _from_files(options: SinkOptions, source: SourceInfo) -> bool:
    return source.kind in {"video", "sequence"} and not options.looped


def _open_tables(options: SinkOptions, labels: Labels | None) -> Iterator[Sink]:
    places = options.tables
    for (name, path), (other, other_path) in combinations(places.items(), 2):
        if same_file(path, other_path):
            raise ConfigError(f"{name} and {other} cannot be one file", where=str(path))
    if options.out is not None:
        _refuse_video(options.out, places.values())
    wall = WallClock() if options.live and places else None
    make: dict[str, Callable[..., Sink]] = {
        "jsonl": JsonLines,
        "csv": CommaSeparated,
        "coco": partial(Coco, pictures=options.pictures),
        "mot": Mot,
    }
    for name, path in places.items():
        refuse_input(path, options.inputs)
        yield make[name](path, labels=labels or Labels(), wall=wall, force=options.force)


def _refuse_video(out: Path, tables: Iterable[Path]) -> None:
    for path in tables:
        if same_file(path, out):
            raise ConfigError("the video and the report cannot be one file", where=str(path))


def _refuse_ending(out: Path, options: SinkOptions) -> None:
    """Raise ConfigError unless one file of this ending can hold what comes of the input."""
    ending = out.suffix.lower()
    if str(out) == STDOUT:
        if options.many or options.pictures:
            raise ConfigError("one video goes to standard output, and this is more", where="-", hint="try a folder")
        return
    if ending not in WRITABLE_VIDEOS + WRITABLE_PICTURES:
        allowed = f"{', '.join(WRITABLE_VIDEOS)} (video), {', '.join(WRITABLE_PICTURES)} (picture), or a folder: {out}/"
        raise ConfigError(f"nothing is written to {ending}", where=str(out), hint=f"allowed: {allowed}")
    if options.many:
        raise ConfigError("several inputs go to a folder", where=str(out), hint=f"try {out.with_suffix('')}/")
    if options.pictures and ending in WRITABLE_VIDEOS:
        allowed = ", ".join(WRITABLE_PICTURES)
        raise ConfigError("pictures give pictures", where=str(out), hint=f"allowed: {allowed}, or a folder")
    if not options.pictures and ending in WRITABLE_PICTURES:
        raise ConfigError("a video gives a video", where=str(out), hint=f"try {out.with_suffix('.mp4')}")
