"""The list of keys over the view."""

from streamer.frame import Image
from streamer.overlay.lettering import MIN_CAP_PX, WHITE, cap_px, line_px, text_px, write
from streamer.overlay.plate import draw_plate

KEYS = (
    ("q  Esc", "quit"),
    ("space", "pause"),
    (".", "step"),
    ("s", "snapshot"),
    ("r", "record"),
    ("+  -", "threshold"),
    ("l", "labels"),
    ("b", "boxes"),
    ("t", "tracks"),
    ("p", "panel"),
    ("f", "full screen"),
    ("h", "help"),
)
"""The keys of the window, and what each is for."""

_KEY_INK = (110, 205, 255)
_OPACITY = 0.88


def put_keys(canvas: Image) -> None:
    """Draw the list of keys into the middle of `canvas` itself; what does not fit is left out."""
    height, width = canvas.shape[:2]
    cap = cap_px((width, height))
    tall = line_px(cap)
    if tall * (len(KEYS) + 2) > height:
        cap, tall = MIN_CAP_PX - 1, max(MIN_CAP_PX + 3, min(tall, height // (len(KEYS) + 1)))
    keys_px = max(text_px(key, cap) for key, _ in KEYS)
    wide = keys_px + 6 * cap + max(text_px(what, cap) for _, what in KEYS)
    high = tall * len(KEYS) + min(2 * cap, max(0, height - 4 - tall * len(KEYS)))
    left, top = max(0, (width - wide) // 2), max(0, (height - high) // 2)
    draw_plate(canvas, (left, top, left + wide, top + high), radius=cap, opacity=_OPACITY)
    y = top + (high - tall * len(KEYS) + tall - line_px(cap)) // 2
    for key, what in KEYS:
        write(canvas, key, (left + 2 * cap, max(0, y)), cap, _KEY_INK)
        write(canvas, what, (left + 4 * cap + keys_px, max(0, y)), cap, WHITE)
        y += tall
