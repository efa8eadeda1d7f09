"""From what PyAV decodes to the one form of image that travels: upright, blue-green-red, of standard dynamic range."""

import cv2
import numpy as np

from streamer.frame import Image
from streamer.pyav import VideoFormat, VideoFrame, VideoStream
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

_IN_PLANES = {"nv12": "yuv420p", "p010le": "yuv420p10le", "p012le": "yuv420p12le", "nv16": "yuv422p"}
"""What hardware gives, and the same samples as software gives them."""

_NOT_SAID = 2
"""Of what H.273 numbers."""


class Converter:
    """For the pictures of one stream. What is tagged as PQ or HLG, and has more than 8 bits, comes as SDR."""

    def __init__(self, stream: VideoStream) -> None:
        kind = stream.codec_context.format
        # Before a decoder in hardware begins, nobody knows how many bits it gives.
        self._unknown = stream if kind is not None and not kind.components else None
        self._to_sdr = _to_sdr(stream, kind)

    @property
    def transfer(self) -> str | None:
        """The transfer function of HDR, which is shown as SDR; None where the stream is SDR."""
        return None if self._to_sdr is None else self._to_sdr.transfer

    def image(self, frame: VideoFrame) -> Image | None:
        """(height, width, 3) uint8 BGR, upright; None where there is no picture in `frame`."""
        if self._unknown is not None:
            self._to_sdr, self._unknown = _to_sdr(self._unknown, frame.format), None
        image = to_bgr(self._picture(_in_planes(frame)))
        turn = _UPRIGHT.get(round(frame.rotation))
        return image if image is None or turn is None else to_bgr(cv2.rotate(image, turn))

    def _picture(self, frame: VideoFrame) -> Image:
        if self._to_sdr is None:
            return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        if frame.colorspace == _NOT_SAID:
            frame.colorspace = BT2020
        return self._to_sdr.convert(np.asarray(frame.to_ndarray(format="rgb48le"), np.uint16))


def _in_planes(frame: VideoFrame) -> VideoFrame:
    """The picture as software would have decoded it: hardware gives blue and red differences in turns, in one plane.

    swscale makes other colours of those, by up to 22 of 255; of the same samples in planes it makes the same ones.
    """
    planes = _IN_PLANES.get(frame.format.name)
    return frame if planes is None else frame.reformat(format=planes)


def _to_sdr(stream: VideoStream, kind: VideoFormat | None) -> HdrToSdr | None:
    """What converts the pictures of `stream`, which are of this kind; None where they are SDR."""
    context = stream.codec_context
    transfer = transfer_of(context.color_trc)
    if transfer is None or kind is None or not kind.components or kind.components[0].bits <= _SDR_BITS:
        return None
    return HdrToSdr(transfer, primaries=context.color_primaries)
