"""What FileSource needs of a decoder, and what of a container's header can be believed."""

import math
from typing import Protocol

from streamer.frame import Image

FPS_RANGE = (1.0, 240.0)
"""Rates outside it are a container's time base (1000), a default (0) or damage, and no rate of pictures."""

MAX_FRAMES = 10**9
"""A year at 30 fps. Some webm files claim -9e15 frames."""


class Decoder(Protocol):
    """One pass over the pictures of one open file; it starts before the first one."""

    @property
    def name(self) -> str:
        """For people: `OpenCV`."""

    @property
    def fps(self) -> float | None:
        """Nominal rate; None where there is none to believe."""

    @property
    def frame_count(self) -> int | None:
        """How many frames the container promises; None where it does not, or cannot be believed."""

    def grab(self) -> float | None:
        """Go to the next frame: its position in seconds (NaN where it has none), or None at the end."""

    def retrieve(self) -> Image | None:
        """The picture of the frame grabbed last, upright; None if it has none. May be asked again."""

    def seek(self, position_s: float) -> None:
        """Let the next grab be of a frame at or, it may be, near `position_s`."""

    def close(self) -> None:
        """Let the file go."""


def believable_fps(fps: float) -> float | None:
    """`fps`, or None where it is no rate of pictures."""
    low, high = FPS_RANGE
    return fps if math.isfinite(fps) and low <= fps <= high else None


def believable_count(frames: float, *, fps: float | None) -> int | None:
    """`frames`, or None; OpenCV makes it from the rate where a container does not say, so it needs a believable one."""
    return round(frames) if fps is not None and math.isfinite(frames) and 0 < frames < MAX_FRAMES else None
