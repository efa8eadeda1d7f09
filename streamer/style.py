"""How detections are drawn, as a person asks for it. It draws nothing: overlay/ does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ThemeName = Literal["default", "minimal", "high-contrast"]
"""`minimal`: thin lines, letters without a plate. `high-contrast`: thick lines with black and white beside them, larger
letters, white on black."""

BoxStyle = Literal["full", "corners"]


@dataclass(frozen=True, slots=True)
class Style:
    """What is drawn on a frame, and how.

    boxes, labels: whether they are shown; conf, tracks: whether labels hold the score, and the number of the track.
    line_px: width of the lines, without the rims beside them; None has it grow with the image.
    font: a font file whose letters come first; None is OpenCV's font, and for what it lacks those of this machine.
    timestamp, source_name: whether they are burnt into a corner.
    """

    boxes: bool = True
    labels: bool = True
    conf: bool = True
    tracks: bool = True
    theme: ThemeName = "default"
    box_style: BoxStyle = "full"
    line_px: int | None = None
    font: Path | None = None
    timestamp: bool = False
    source_name: bool = False
