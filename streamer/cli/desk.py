"""What the keys of the window do that is not the pipeline's: what is drawn, snapshots, and the recording.

`draw` runs on the render thread, `obey` on the main thread, `restyle` on that of a reload; all that they share is one
frozen style and one set of labels, which are replaced and never changed.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from streamer.errors import SinkError
from streamer.frame import Detections, Frame, Image, Result
from streamer.interfaces import Command
from streamer.labels import Labels
from streamer.overlay import annotate
from streamer.overlay.caption import WallClock
from streamer.overlay.lettering import drawable
from streamer.sinks.outfile import next_free
from streamer.style import Style
from streamer.text import safe_file_name

logger = logging.getLogger(__name__)


@runtime_checkable
class Switch(Protocol):
    """A recording that can be switched on and off."""

    @property
    def recording(self) -> bool:
        """Whether the next frame will be kept."""

    def toggle(self) -> None:
        """Switch it."""


class Desk:
    """Draws results as the person wants them, and does what the person asks for.

    recorder: what the key r switches; None where there is nothing to switch, and `why_none` says why.
    wall_clock: for a live stream, whose timestamps are the time of day.

    Fonts for all the labels are looked for here and in `restyle`, so that no frame waits for one.
    """

    def __init__(
        self,
        labels: Labels,
        *,
        style: Style,
        snapshot_dir: Path,
        recorder: Switch | None = None,
        why_none: str = "nothing can be recorded here",
        wall_clock: WallClock | None = None,
    ) -> None:
        _look_for_fonts(labels, style)
        self._labels = labels
        self._style = style
        self._restyling = threading.Lock()
        self._snapshot_dir = snapshot_dir
        self._recorder = recorder
        self._why_none = why_none
        self._wall_clock = wall_clock

    def draw(self, frame: Frame, detections: Detections) -> Image:
        """The frame with the detections on it, as the style is now."""
        return annotate(frame, detections, labels=self._labels, style=self._style, wall_clock=self._wall_clock)

    def obey(self, command: Command, result: Result) -> None:
        """One key; `result` is what is being shown. What fails is logged: a snapshot must not end the run."""
        if command is Command.LABELS:
            self._toggle("labels")
        elif command is Command.BOXES:
            self._toggle("boxes")
        elif command is Command.TRACKS:
            self._toggle("tracks")
        elif command is Command.RECORD:
            self._toggle_recording()
        elif command is Command.SNAPSHOT:
            self._snapshot(result)

    def restyle(self, changes: Mapping[str, Any]) -> None:
        """Draw with these fields of the style from the next frame on; what else keys have changed stays."""
        if "font" in changes:
            _look_for_fonts(self._labels, replace(self._style, **changes))
        with self._restyling:
            self._style = replace(self._style, **changes)

    def _toggle(self, field: str) -> None:
        with self._restyling:
            changes: dict[str, Any] = {field: not getattr(self._style, field)}
            self._style = replace(self._style, **changes)

    def _toggle_recording(self) -> None:
        if self._recorder is None:
            logger.warning("%s", self._why_none)
            return
        self._recorder.toggle()
        logger.info("recording is %s", "on" if self._recorder.recording else "off")

    def _snapshot(self, result: Result) -> None:
        from streamer.sinks.pictures import save_picture  # noqa: PLC0415 - one key, seldom pressed

        if result.image is None:
            return
        try:
            path = next_free(self._snapshot_dir / snapshot_name(result))
            save_picture(path, result.image)
        except (SinkError, OSError) as error:
            logger.warning("no snapshot: %s", error)
        else:
            logger.info("snapshot: %s", path)


def _look_for_fonts(labels: Labels, style: Style) -> None:
    for class_id in labels.known_ids:
        drawable(labels.name(class_id), style.font)


def snapshot_name(result: Result) -> str:
    """`clip-000123-4.920s.png`: the source, the frame's number, and its time in the media where it has one."""
    frame = result.frame
    time_s = "" if frame.pts_s is None else f"-{frame.pts_s:.3f}s"
    return f"{safe_file_name(Path(frame.source).stem)}-{frame.index:06d}{time_s}.png"


def recording_path(when: datetime) -> Path:
    """Where the key r records to when no place was given: `streamer-20250131-235959.mp4`, here."""
    return Path(f"streamer-{when:%Y%m%d-%H%M%S}.mp4")
