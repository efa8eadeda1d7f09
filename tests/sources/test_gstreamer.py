import cv2
import pytest

from streamer.errors import SourceOpenError
from streamer.sources import open_source
from streamer.sources.gstreamer import has_gstreamer, open_pipeline
from tests.sources.stubs import StubCapture, pictures


def test_a_pipeline_goes_to_gstreamer_and_gets_its_end() -> None:
    stub = StubCapture(pictures(2))
    source = open_pipeline("videotestsrc", open_capture=stub, here=True)
    source.close()
    assert stub.opened_as[:2] == ("videotestsrc ! videoconvert ! video/x-raw,format=BGR ! appsink", cv2.CAP_GSTREAMER)
    assert source.live
    open_pipeline("a ! appsink drop=1", open_capture=stub, here=True).close()
    assert stub.opened_as[0] == "a ! appsink drop=1"


def test_a_password_in_a_pipeline_is_not_told() -> None:
    stub = StubCapture([], opened=False)
    with pytest.raises(SourceOpenError, match="gives no picture") as caught:
        open_pipeline("rtspsrc location=rtsp://anna:s3cret@h", open_capture=stub, here=True)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in open_pipeline("s3cret", open_capture=StubCapture(pictures(1)), here=True).info.name


def test_an_opencv_without_gstreamer_says_so() -> None:
    if has_gstreamer():
        pytest.skip("this OpenCV has GStreamer")
    with pytest.raises(SourceOpenError, match="has no GStreamer"):
        open_source("gst:videotestsrc")
    with pytest.raises(SourceOpenError, match="a pipeline goes here"):
        open_source("gst:")
