"""`gst:PIPELINE`: what GStreamer can make, where this OpenCV was built with it; the wheels of opencv-python are not."""

import cv2

from streamer.clock import Clock
from streamer.errors import SourceOpenError
from streamer.interfaces import Source
from streamer.sources.camera import CameraSource, OpenCapture, open_capture
from streamer.sources.options import SourceOptions

NAME = "gst"
"""Not the pipeline: it may hold a password."""


def has_gstreamer() -> bool:
    """Whether this OpenCV can run pipelines."""
    return bool(cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER))


def open_pipeline(
    pipeline: str, *, clock: Clock | None = None, open_capture: OpenCapture = open_capture, here: bool | None = None
) -> Source:
    """The source at the end of `pipeline`, which is live and ends in an appsink; one is put there if it does not.

    here: whether there is a GStreamer; None asks OpenCV.

    Raises SourceOpenError: this OpenCV has no GStreamer, or the pipeline gives no picture.
    """
    if not pipeline.strip():
        raise SourceOpenError("a pipeline goes here", where="gst:", hint="gst:videotestsrc ! videoconvert")
    if not (has_gstreamer() if here is None else here):
        hint = "it has to be built with -D WITH_GSTREAMER=ON; ffmpeg ... -f mpegts - | streamer - needs none"
        raise SourceOpenError("this OpenCV has no GStreamer", where="gst:", hint=hint)
    whole = pipeline if "appsink" in pipeline else f"{pipeline} ! videoconvert ! video/x-raw,format=BGR ! appsink"
    options = SourceOptions(camera_backend="gstreamer")
    try:
        return CameraSource(whole, name=NAME, options=options, clock=clock, open_capture=open_capture)
    except SourceOpenError as error:
        hint = "gst-launch-1.0 with the same pipeline and fakesink says more"
        raise SourceOpenError("the pipeline gives no picture", where="gst:", hint=hint) from error
