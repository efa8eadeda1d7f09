"""PyAV, imported after OpenCV: everything of streamer that needs PyAV takes it from here.

The Linux wheels of both carry a library of the same name, libxcb-shm, and the process keeps the one that comes first.
With PyAV's, the Qt of OpenCV waits for ever when it opens a window (opencv-python 5.0, PyAV 18.1); with OpenCV's, both
work.
"""

# isort: off
import cv2  # noqa: F401 - first, see above
import av
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
# isort: on

__all__ = ["PictureType", "VideoFrame", "VideoReformatter", "VideoStream", "av"]
