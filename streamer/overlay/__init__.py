"""What people see over a picture: boxes with their labels, the panel, the list of keys.

Pure: every function returns a new image and leaves the one it was given alone. It is no sink and opens no window; the
pipeline draws boxes with it once a frame, and the window adds the panel.
"""

from streamer.overlay.boxes import Style, draw
from streamer.overlay.keys import draw_help
from streamer.overlay.panel import draw_panel

__all__ = ["Style", "draw", "draw_help", "draw_panel"]
