"""What people see over a picture: boxes with their labels, the panel, the list of keys.

Pure: every function leaves the image alone that it was given, unless the caller gives it away. It is no sink and opens
no window; the pipeline draws boxes with it once a frame, and the window adds the panel.
"""

from streamer.overlay.boxes import Style, draw
from streamer.overlay.view import draw_view

__all__ = ["Style", "draw", "draw_view"]
