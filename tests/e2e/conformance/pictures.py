"""A frame as a viewer sees it, small: upright, and in the colours that its tags say. No matrix of swscale is used."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.pyav import VideoFrame, VideoReformatter

SIDE_PX = 32
"""Thumbnails are so wide and high, whatever the picture: what a codec adds averages out, a wrong matrix does not."""

Thumb = NDArray[np.uint8]
"""(SIDE_PX, SIDE_PX, 3) uint8, red-green-blue."""

UNSPECIFIED = 2
HD_LINES = 720
"""Players that find no tags take BT.709 from here up, and BT.601 below."""

_FULL = 2
_RGB = 0
_LEVELS = {False: (16, 219, 224), True: (0, 255, 255)}
"""Black, the span of luma and that of chroma, by whether the range is full."""
_LUMA_SHARES = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""What red and blue give to luma, by matrix_coefficients of ISO/IEC 23091-2; the others are those of BT.601."""
_SD_SHARES = (0.299, 0.114)
_SWS_ANY = 5
"""Source and destination have the same matrix, so swscale uses none."""


class Tags(NamedTuple):
    """The colour tags of a stream, as numbers of ISO/IEC 23091-2; 2 is unspecified.

    range: 1 limited, 2 full, 0 unsaid.
    """

    matrix: int
    range: int
    primaries: int
    transfer: int

    @classmethod
    def of(cls, frame: VideoFrame) -> "Tags":
        """What a decoded frame says."""
        is_rgb = frame.format.is_rgb or frame.format.has_palette
        return cls(_RGB if is_rgb else frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)

    def __str__(self) -> str:
        return f"{self.matrix}/{('-', 'tv', 'pc')[self.range]}/{self.primaries}/{self.transfer}"


class Eye:
    """Sees the frames of one stream."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def see(self, frame: VideoFrame) -> Thumb:
        """The frame, small, upright and in RGB."""
        if frame.format.is_rgb or frame.format.has_palette:
            rgb = self._small(frame, "rgb24")
        else:
            planes = self._small(frame, "yuv444p").transpose(1, 2, 0)
            rgb = to_rgb(planes, matrix=frame.colorspace, full=frame.color_range == _FULL, lines=frame.height)
        upright: Thumb = np.rot90(rgb, round(frame.rotation / 90) % 4)
        return upright

    def _small(self, frame: VideoFrame, format_name: str) -> Thumb:
        """Scaled and nothing else: the range and the matrix stay what they are."""
        colour_range = "JPEG" if frame.color_range == _FULL else "MPEG"
        small = self._reformatter.reformat(
            frame,
            width=SIDE_PX,
            height=SIDE_PX,
            format=format_name,
            interpolation="AREA",
            src_colorspace=_SWS_ANY,
            dst_colorspace=_SWS_ANY,
            src_color_range=colour_range,
            dst_color_range=colour_range,
            threads=1,
        )
        return np.asarray(small.to_ndarray(), np.uint8)


def to_rgb(yuv: NDArray[Any], *, matrix: int, full: bool, lines: int) -> Thumb:
    """(H, W, 3) uint8 luma, blue and red difference, as the picture that they stand for.

    lines: the height of the stored picture, which decides where there is no tag.
    """
    black, span, chroma_span = _LEVELS[full]
    parts = (yuv - np.array([black, 128, 128])) / np.array([span, chroma_span, chroma_span])
    rgb = parts @ np.linalg.inv(_to_yuv(matrix, lines=lines)).T
    seen: Thumb = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    return seen


def misread(thumbs: Thumb, tags: Tags, *, lines: int) -> dict[str, Thumb]:
    """(..., 3) uint8 RGB of a stream with such tags, as seen by who takes its matrix or its range for another.

    Empty for pictures that are RGB in their file.
    """
    if tags.matrix == _RGB:
        return {}
    full = tags.range == _FULL
    black, span, chroma_span = _LEVELS[full]
    parts = (thumbs / 255) @ _to_yuv(tags.matrix, lines=lines).T
    yuv = parts * np.array([span, chroma_span, chroma_span]) + np.array([black, 128, 128])
    others = {"as BT.601": (6, full), "as BT.709": (1, full), "as BT.2020": (9, full)}
    others[f"as of {'limited' if full else 'full'} range"] = tags.matrix, not full
    return {how: to_rgb(yuv, matrix=matrix, full=wide, lines=lines) for how, (matrix, wide) in others.items()}


def _to_yuv(matrix: int, *, lines: int) -> NDArray[np.float64]:
    """RGB in [0, 1] to luma in [0, 1] and chroma in [-0.5, 0.5]."""
    if matrix == UNSPECIFIED and lines >= HD_LINES:
        matrix = 1
    red, blue = _LUMA_SHARES.get(matrix, _SD_SHARES)
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack([luma, (np.array([0, 0, 1]) - luma) / (2 - 2 * blue), (np.array([1, 0, 0]) - luma) / (2 - 2 * red)])


def luma_of(thumbs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(..., 3) uint8 RGB as brightness, 0 to 255."""
    luma: NDArray[np.float64] = thumbs @ np.array([0.299, 0.587, 0.114])
    return luma


def turned(thumb: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The seven ways in which a picture can be wrong way round, by name."""
    mirrored = np.fliplr(thumb)
    turns = {f"turned by {90 * quarter} degrees": np.rot90(thumb, quarter) for quarter in (1, 2, 3)}
    flips = {f"mirrored, turned by {90 * quarter} degrees": np.rot90(mirrored, quarter) for quarter in range(4)}
    return turns | flips
