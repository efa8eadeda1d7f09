"""What the window shows besides the drawn picture: the panel, the list of keys, and that there is no signal."""

import numpy as np

from streamer.frame import Image, Status
from streamer.overlay.keys import put_keys
from streamer.overlay.no_signal import put_no_signal
from streamer.overlay.panel import has_news, put_panel


def draw_view(image: Image, status: Status, *, panel: bool = True, keys: bool = False, own: bool = False) -> Image:
    """`image` with the panel and the list of keys, and dark while nothing comes; one new image.

    Where there is nothing to draw it is `image` itself.

    panel: False leaves the figures out, and the state is shown only while recording or not running.
    own: the image is the caller's own and may be drawn on: (H, W, 3) uint8, C-contiguous, writeable.
    """
    shows_panel = panel or has_news(status)
    if not (shows_panel or keys or status.no_signal):
        return image
    canvas = image if own else np.array(image, order="C")
    if status.no_signal:
        put_no_signal(canvas, status)
    if shows_panel:
        put_panel(canvas, status, full=panel)
    if keys:
        put_keys(canvas)
    return canvas
