"""PyAV, imported after OpenCV: everything of streamer that needs PyAV takes it from here.

The Linux wheels of both carry a library of the same name, libxcb-shm, and the process keeps the one that comes first.
With PyAV's, the Qt of OpenCV waits for ever when it opens a window (opencv-python 5.0, PyAV 18.1); with OpenCV's, both
work.
"""

from typing import TYPE_CHECKING

# isort: off
import cv2  # noqa: F401 - first, see above
import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer, OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.format import VideoFormat
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import Colorspace as Matrix
from av.video.reformatter import Interpolation, VideoReformatter
from av.stream import Discard
from av.video.stream import VideoStream
# isort: on

if TYPE_CHECKING:
    from av.packet import Packet as _Packet
    from av.stream import Stream

    Packet = _Packet[Stream]
else:
    from av.packet import Packet

__all__ = [
    "AudioCodecContext",
    "AudioFrame",
    "AudioResampler",
    "AudioStream",
    "Discard",
    "HWAccel",
    "InputContainer",
    "Interpolation",
    "Matrix",
    "OutputContainer",
    "Packet",
    "PictureType",
    "VideoCodecContext",
    "VideoFormat",
    "VideoFrame",
    "VideoReformatter",
    "VideoStream",
    "av",
    "hwdevices_available",
]
