"""What people see over a picture: boxes with their labels, a caption, the panel, the list of keys.

Pure: every function leaves the image alone that it was given, unless the caller gives it away. It is no sink and opens
no window; the pipeline draws boxes with it once a frame, and the window adds the panel.
"""

from streamer.overlay.annotate import annotate
from streamer.overlay.boxes import draw
from streamer.overlay.caption import time_of_day
from streamer.overlay.view import draw_view

__all__ = ["annotate", "draw", "draw_view", "time_of_day"]
