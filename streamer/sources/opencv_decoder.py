"""A file decoded by OpenCV, the usual way."""

import math

import cv2

from streamer.errors import SourceLost
from streamer.frame import Image
from streamer.sources.bgr import to_bgr
from streamer.sources.decoding import believable_count, believable_fps
from streamer.text import local_name


class OpenCvDecoder:
    """`cv2.VideoCapture` through its FFmpeg.

    It never says why a file cannot be read: a file that is missing, damaged or of a codec that it lacks (AV1) just
    gives no first frame. Rotation is applied. A picture of another size in mid-stream is silently rescaled to the size
    of the first one.

    The tags of matrix, range, transfer and primaries are followed from 4.13 on. HDR is wrong before that, pale, and
    after it: burnt out above diffuse white, and seconds pass before the first picture. A wider gamut is made BT.709,
    and a recording would still be tagged as the file is. Of an interlaced frame 5.0 gives memory that was used before,
    and no error.
    """

    name = "OpenCV"

    def __init__(self, path: str) -> None:
        self._path = path
        self._capture = cv2.VideoCapture(local_name(path), cv2.CAP_FFMPEG)
        self.fps = believable_fps(self._capture.get(cv2.CAP_PROP_FPS))
        width, height = (self._capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        self.size_px = max(0, round(width)), max(0, round(height))
        """As the header has it; zeros where it cannot be read."""
        self.frame_count = believable_count(self._capture.get(cv2.CAP_PROP_FRAME_COUNT), fps=self.fps)

    def grab(self) -> float | None:
        try:
            if not self._capture.grab():
                return None
            position_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        except cv2.error as error:
            raise SourceLost("OpenCV failed to read on", where=self._path, hint=error.err) from error
        return position_ms / 1000 if math.isfinite(position_ms) else math.nan

    def retrieve(self) -> Image | None:
        try:
            usable, image = self._capture.retrieve()
        except cv2.error as error:
            raise SourceLost("OpenCV failed to decode a frame", where=self._path, hint=error.err) from error
        return to_bgr(image) if usable else None

    def seek(self, position_s: float) -> None:
        self._capture.set(cv2.CAP_PROP_POS_MSEC, position_s * 1000)

    def close(self) -> None:
        self._capture.release()
