"""A frame as it is seen and kept: its picture with the boxes, the labels, and the caption that was asked for."""

from streamer.frame import Detections, Frame, Image
from streamer.labels import Labels
from streamer.overlay.boxes import draw
from streamer.overlay.caption import WallClock, caption_of
from streamer.style import Style


def annotate(
    frame: Frame, detections: Detections, *, labels: Labels, style: Style, wall_clock: WallClock | None = None
) -> Image:
    """The frame's picture with all of `style` on it, as a new image; what the pipeline is given to draw with.

    wall_clock: for a live stream, whose timestamp is the time of day; without one it is the time in the media.
    """
    caption = caption_of(frame, style, wall_clock=wall_clock)
    return draw(frame.image, detections, labels, style, caption=caption)
