"""What stands over the last picture while a source gives none: nobody shall take an old picture for the present one."""

import cv2

from streamer.frame import Image, Status
from streamer.overlay.lettering import MIN_CAP_PX, WHITE, cap_px, drawable, fitted, line_px, text_px, write
from streamer.overlay.plate import draw_plate
from streamer.text import printable

_DIMMED = 0.35
_MUTED = (196, 188, 182)


def put_no_signal(canvas: Image, status: Status) -> None:
    """Darken `canvas` itself and write on it that nothing comes, since when and why, as `status` says."""
    cv2.convertScaleAbs(canvas, canvas, alpha=_DIMMED, beta=0)
    height, width = canvas.shape[:2]
    cap = cap_px((width, height))
    large = max(MIN_CAP_PX, round(1.6 * cap))
    lines = [("NO SIGNAL", large, WHITE)]
    told = drawable(printable(status.no_signal.removeprefix("no signal "), limit=200))
    lines += [(part, cap, _MUTED) for part in told.split(", ")]
    fit = [(fitted(text, size, width - 4 * cap), size, ink) for text, size, ink in lines]
    wide = min(width, 4 * cap + max(text_px(text, size) for text, size, _ in fit))
    high = 2 * cap + sum(line_px(size) for _, size, _ in fit)
    left, top = (width - wide) // 2, max(0, (height - high) // 2)
    draw_plate(canvas, (left, top, left + wide, min(height, top + high)), radius=cap)
    y = top + cap
    for text, size, ink in fit:
        if y + line_px(size) <= height:
            write(canvas, text, ((width - text_px(text, size)) // 2, y), size, ink)
        y += line_px(size)
