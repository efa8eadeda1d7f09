"""The source as something that streamer and the copied loop can both read: a pattern becomes a file first."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from streamer.errors import ConfigError
from streamer.interfaces import Source, SourceInfo
from streamer.sinks.options import VideoOptions
from streamer.sinks.outfile import OutFile
from streamer.sinks.recorder import recipe_for
from streamer.sinks.video_file import VideoFile
from streamer.sources import STDIN, is_camera, open_source

DEFAULT_SOURCE = "test:size=1280x720,fps=30,frames=200,live=no"

CRF, PRESET = 20, "veryfast"
"""Of the file that a pattern becomes."""

LIVE_FRAMES = 300
"""How many frames of a source that has no end are enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """What is read. source: as `open_source` takes it. frames: how many at most; None for all.

    no_loop: why the copied loop cannot read it; empty where it can.
    """

    source: str
    info: SourceInfo
    frames: int | None
    no_loop: str = ""


def prepare(source: str, folder: Path, *, frames: int | None = None, seconds: float | None = None) -> Clip:
    """Look at `source`; a pattern that is not live is drawn into a file in `folder`. Raises SourceError, ConfigError.

    frames, seconds: how much of it; the seconds are those of its own rate.
    """
    if source == STDIN:
        raise ConfigError("what is measured is read more than once", where=source, hint="put it into a file")
    opened = open_source(source)
    try:
        info, most = opened.info, _limit(opened, frames=frames, seconds=seconds)
        if opened.live:
            reason = "" if is_camera(source) and source.isdigit() else "cv2.VideoCapture does not read this source"
            return Clip(source=source, info=info, frames=LIVE_FRAMES if most is None else most, no_loop=reason)
        if info.kind == "pattern":
            path = folder / "pattern.mp4"
            _record(opened, path, frames=LIVE_FRAMES if most is None and info.frame_count is None else most)
            return Clip(source=str(path), info=info, frames=most)
        reason = "" if info.kind == "video" else "it reads one video, and this is more"
        return Clip(source=source, info=info, frames=most, no_loop=reason)
    finally:
        opened.close()


def _limit(source: Source, *, frames: int | None, seconds: float | None) -> int | None:
    if seconds is None:
        return frames
    if source.info.fps is None:
        raise ConfigError("the source has no rate to count seconds by", where="--seconds", hint="--frames N")
    whole = max(1, round(seconds * source.info.fps))
    return whole if frames is None else min(frames, whole)


def _record(source: Source, path: Path, *, frames: int | None) -> None:
    """As H.264, up to a change of size."""
    size_px, fps = source.info.size_px, source.info.fps
    assert size_px is not None
    assert fps is not None
    recipe = recipe_for(path, VideoOptions(crf=CRF, preset=PRESET, encoder="software"), fps=fps)
    file = VideoFile(OutFile(path), recipe, size_px=size_px)
    try:
        for frame in islice(source.frames(), frames):
            if (frame.image.shape[1], frame.image.shape[0]) != size_px:
                break
            file.write(frame.image, time_s=frame.index / fps)
    finally:
        file.close()
