"""From what PyAV decodes to the one form of image that travels: upright, blue-green-red, of standard dynamic range."""

import cv2
import numpy as np

from streamer.frame import Image
from streamer.pyav import VideoFrame, VideoStream
from streamer.sources.bgr import to_bgr
from streamer.sources.hdr import BT2020, HdrToSdr, transfer_of

_UPRIGHT = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    -90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    -180: cv2.ROTATE_180,
}
"""By the angle of the display matrix, degrees counterclockwise."""

_SDR_BITS = 8
"""With no more than these, tags of HDR are taken as left over from what it was converted from."""

_NOT_SAID = 2
"""Of what H.273 numbers."""


class Converter:
    """For the pictures of one stream. What is tagged as PQ or HLG, and has more than 8 bits, comes as SDR."""

    def __init__(self, stream: VideoStream) -> None:
        self._to_sdr = _to_sdr(stream)

    @property
    def transfer(self) -> str | None:
        """The transfer function of HDR, which is shown as SDR; None where the stream is SDR."""
        return None if self._to_sdr is None else self._to_sdr.transfer

    def image(self, frame: VideoFrame) -> Image | None:
        """(height, width, 3) uint8 BGR, upright; None where there is no picture in `frame`."""
        image = to_bgr(self._picture(frame))
        turn = _UPRIGHT.get(round(frame.rotation))
        return image if image is None or turn is None else to_bgr(cv2.rotate(image, turn))

    def _picture(self, frame: VideoFrame) -> Image:
        if self._to_sdr is None:
            return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        if frame.colorspace == _NOT_SAID:
            frame.colorspace = BT2020
        return self._to_sdr.convert(np.asarray(frame.to_ndarray(format="rgb48le"), np.uint16))


def _to_sdr(stream: VideoStream) -> HdrToSdr | None:
    """What converts the pictures of `stream`; None where they are SDR."""
    context = stream.codec_context
    transfer = transfer_of(context.color_trc)
    if transfer is None or context.format is None or context.format.components[0].bits <= _SDR_BITS:
        return None
    return HdrToSdr(transfer, primaries=context.color_primaries)
