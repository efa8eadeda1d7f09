"""From drawn BGR pictures to the frames that encoders take, in the colours that the file says they have."""

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import cv2
import numpy as np

from streamer.frame import Image
from streamer.pyav import Interpolation, Matrix, VideoFrame, VideoReformatter

UNSPECIFIED: Final = 2
"""How files say that they do not say, in ISO/IEC 23091-2."""

_LIMITED, _FULL = 1, 2
_PQ, _HLG = 16, 18
_MATRICES = {1: Matrix.ITU709, 4: Matrix.FCC, 7: Matrix.SMPTE240M, 9: Matrix.BT2020, 10: Matrix.BT2020}
"""By their numbers in ISO/IEC 23091-2; the others are, or are taken for, BT.601."""
_RGB = 0
_KNOWN_PRIMARIES = frozenset({1, 2, *range(4, 13)})
_KNOWN_TRANSFERS = frozenset({1, 2, *range(4, 19)})
_KNOWN_MATRICES = frozenset({1, 2, *range(4, 15)})
"""What all encoders take; x265 refuses what is reserved, or new."""
_HD_LINES = 720
"""Players that find no tags take BT.709 from here up, and BT.601 below."""


_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
"""Without these flags swscale rounds down, and a recording is one to three levels of 255 darker than its pictures."""


class Tags(NamedTuple):
    """What a stream says of its colours, in the numbers of ISO/IEC 23091-2; range: 0 not said, 1 limited, 2 full."""

    primaries: int
    transfer: int
    matrix: int
    range: int


@dataclass(frozen=True, slots=True)
class Colours:
    """How BGR becomes luma and chroma, and what the file says about it.

    matrix: as PyAV counts. full: luma takes 0 to 255, else 16 to 235.
    """

    tags: Tags
    matrix: Matrix
    full: bool = False

    @classmethod
    def usual(cls, height: int) -> Self:
        """For a picture so many lines high that comes without any: what players would guess, and said."""
        if height >= _HD_LINES:
            return cls(Tags(1, 1, 1, _LIMITED), Matrix.ITU709)
        return cls(Tags(6, 6, 6, _LIMITED), Matrix.ITU601)

    @classmethod
    def of_source(cls, tags: Tags, *, height: int) -> Self:
        """Those of a file that was decoded by its own tags, so that its numbers come back as they were.

        A file that does not say was decoded as BT.601, and players guess the same of the copy as they did of it. HDR
        was made BT.709 on the way in; RGB has no luma to give back.
        """
        if tags.matrix == _RGB:
            return cls.usual(height)
        if tags.transfer in {_PQ, _HLG}:
            return cls(Tags(1, 1, 1, _LIMITED), Matrix.ITU709)
        known = Tags(
            tags.primaries if tags.primaries in _KNOWN_PRIMARIES else UNSPECIFIED,
            tags.transfer if tags.transfer in _KNOWN_TRANSFERS else UNSPECIFIED,
            tags.matrix if tags.matrix in _KNOWN_MATRICES else UNSPECIFIED,
            tags.range,
        )
        return cls(known, _MATRICES.get(tags.matrix, Matrix.ITU601), full=tags.range == _FULL)


class FrameMaker:
    """Makes the frames of one video.

    size_px: (width, height) of every picture; odd ones are padded to even by repeating the edge, because the chroma of
    a pixel stands for four.
    pixel_format: what the encoder takes.
    """

    def __init__(self, size_px: tuple[int, int], colours: Colours, pixel_format: str) -> None:
        width, height = size_px
        self._pad_px = width % 2, height % 2
        self._colours = colours
        self._format = pixel_format
        self._full = colours.full or pixel_format.startswith("yuvj")
        self._reformatter = VideoReformatter()
        self.size_px = width + width % 2, height + height % 2
        """(width, height) of the frames."""

    def frame(self, image: Image) -> VideoFrame:
        """`image` (height, width, 3) uint8 BGR as a frame, without a time."""
        right, bottom = self._pad_px
        padded: Image = np.ascontiguousarray(image)
        if right or bottom:
            padded = np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
        return self._reformatter.reformat(
            VideoFrame.from_numpy_buffer(padded, format="bgr24"),
            format=self._format,
            src_color_range="JPEG",
            dst_color_range="JPEG" if self._full else "MPEG",
            dst_colorspace=self._colours.matrix,
            interpolation=_EXACT,
        )
