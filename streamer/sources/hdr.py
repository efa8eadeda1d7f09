"""High dynamic range as what everything behind a source takes: 8 bits of BT.709, the standard range.

What a file of PQ or HLG holds is no picture until it is converted: shown as it is, it is flat and its colours are pale,
to people and to models that learnt from ordinary pictures. OpenCV either shows it so, or burns out all that is bright.
PyAvDecoder asks here; nothing here decodes.
"""

from collections.abc import Sequence
from functools import cache
from typing import Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.frame import Image

Transfer = Literal["PQ", "HLG"]

PEAK_NITS = 1000.0
"""What becomes white, cd/m2: the nominal peak of HLG, and what most PQ is graded for."""

DESATURATED_NITS = 200.0
"""Above it colours fade, as they do in a camera: a bright cloud is white, not mint."""

_SDR_NITS = 100.0
_PQ_NITS = 10_000.0
_SYSTEM_GAMMA = 1.2
_DISPLAY_GAMMA = 2.4

BT2020 = 9
"""The number that ITU-T H.273 gives to its primaries, and to its matrix."""

_BT709 = 1
_DAYLIGHT_XY = (0.3127, 0.3290)
_PRIMARIES_XY = {
    _BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # P3
}
"""Red, green and blue, by their number in H.273."""

_TRANSFERS: dict[int, Transfer] = {16: "PQ", 18: "HLG"}

_MOST = 65535
_WHITE_CODE = 255 << 8
"""Where swscale puts white of 16 bits; up to 0.3 % above it where the range is full."""

_ROWS = 16
"""So many at a time stay in the cache; all at once take twice as long."""

_OPENCV_LOOKS_UP_16_BITS = tuple(int(part) for part in cv2.__version__.split(".")[:2]) >= (4, 13)

_Value = TypeVar("_Value", np.uint8, np.float32)
_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]


def transfer_of(number: int) -> Transfer | None:
    """Which of the two the transfer characteristics `number` of H.273 are; None where they are no HDR."""
    return _TRANSFERS.get(number)


class HdrToSdr:
    """Converts the pictures of one kind of stream.

    transfer: PQ (SMPTE ST 2084) or HLG (ARIB STD-B67). primaries: their number in H.273; one that is not said, or not
    known here, is taken as BT.2020, which is what such streams are.

    The light that the stream means (BT.2100: the EOTF of PQ; the inverse OETF and the OOTF of HLG, for a display of
    1000 cd/m2) is expressed in the primaries of BT.709 (BT.2087), bent, and coded by the inverse of the EOTF of
    BT.1886. The curve is Hable's (Filmic Games, 2010, "Filmic Tonemapping Operators", with its own constants), for 100
    cd/m2 as 1 and white at 1000, and it is used as FFmpeg's `tonemap=hable` does: of the largest channel, after colours
    above 200 cd/m2 were drawn towards grey, and all three are scaled alike. Diffuse white, 203 cd/m2, becomes 193 of
    255, and a grey card 97. What lies outside of BT.709 is clipped at its edge.
    """

    def __init__(self, transfer: Transfer, *, primaries: int = BT2020) -> None:
        known = primaries if primaries in _PRIMARIES_XY else BT2020
        self.transfer = transfer
        self._linear = _linear_table(transfer)
        self._red, self._green, self._blue = (row[np.newaxis] for row in _to_bt709(known).astype(np.float32))
        self._luminance = _to_xyz(known)[1:2].astype(np.float32)

    def convert(self, rgb: NDArray[np.uint16]) -> Image:
        """(height, width, 3) uint8 BGR of (height, width, 3) red-green-blue as swscale has it: white is 65280."""
        shown = np.empty(rgb.shape, np.uint8)
        for top in range(0, len(rgb), _ROWS):
            shown[top : top + _ROWS] = self._converted(rgb[top : top + _ROWS])
        return shown

    def _converted(self, rgb: NDArray[np.uint16]) -> Image:
        linear = _look_up(self._linear, rgb)
        channels = [_weighed(linear, row) for row in (self._blue, self._green, self._red)]
        luminance = _weighed(linear, self._luminance)
        if self.transfer == "HLG":
            ootf = np.asarray(cv2.pow(luminance, _SYSTEM_GAMMA - 1), np.float32)
            ootf *= np.float32(PEAK_NITS / _PQ_NITS)
            for light in (*channels, luminance):
                np.multiply(light, ootf, out=light)
        kept = _look_up(_kept_table(), _index(luminance))
        grey = luminance - luminance * kept
        largest = np.maximum(np.maximum(channels[0], channels[1]), channels[2])
        gain = _look_up(_gain_table(), _index(largest * kept + grey))
        grey *= gain
        gain *= kept
        return _look_up(_code_table(), _merged([_sum(channel * gain, grey) for channel in channels]))


def _weighed(channels: _Floats, weights: _Floats) -> _Floats:
    """One channel of three; three of these are faster than all at once and cv2.split."""
    return np.asarray(cv2.transform(channels, weights), np.float32)


def _index(light: _Floats) -> NDArray[np.uint16]:
    """0 to 10000 cd/m2, which is 1, as 0..65535: rounded, and what lies outside is clipped."""
    return np.asarray(cv2.addWeighted(light, _MOST, light, 0, 0, dtype=cv2.CV_16U), np.uint16)


def _sum(first: _Floats, second: _Floats) -> NDArray[np.uint16]:
    """Rounded, and what lies outside of 0..65535 is clipped."""
    return np.asarray(cv2.add(first, second, dtype=cv2.CV_16U), np.uint16)


def _merged(channels: Sequence[NDArray[np.uint16]]) -> NDArray[np.uint16]:
    return np.asarray(cv2.merge(channels), np.uint16)


def _look_up(table: NDArray[_Value], codes: NDArray[np.uint16]) -> NDArray[_Value]:
    return np.asarray(cv2.LUT(codes, table), table.dtype) if _OPENCV_LOOKS_UP_16_BITS else table[codes]


@cache
def _linear_table(transfer: Transfer) -> _Floats:
    signal = np.minimum(np.arange(_MOST + 1) / _WHITE_CODE, 1.0)
    return (_pq_eotf(signal) if transfer == "PQ" else _hlg_inverse_oetf(signal)).astype(np.float32)


@cache
def _kept_table() -> _Floats:
    """How much of its colour each luminance keeps."""
    return np.minimum(DESATURATED_NITS / _nits(), 1.0).astype(np.float32)


@cache
def _gain_table() -> _Floats:
    """What light is to be multiplied by to be SDR's, 0..65535."""
    shown = _filmic(_nits() / _SDR_NITS) / _filmic(np.array(PEAK_NITS / _SDR_NITS))
    return (np.minimum(shown, 1.0) * _MOST * _PQ_NITS / _nits()).astype(np.float32)


@cache
def _code_table() -> NDArray[np.uint8]:
    return np.rint(255 * (np.arange(_MOST + 1) / _MOST) ** (1 / _DISPLAY_GAMMA)).astype(np.uint8)


def _nits() -> _Doubles:
    """The light of each index; 0 is taken as 1, to be divided by."""
    return np.maximum(np.arange(_MOST + 1), 1) * (_PQ_NITS / _MOST)


def _filmic(light: _Doubles) -> _Doubles:
    """Hable's curve, with the names of its author."""
    a, b, c, d, e, f = 0.15, 0.50, 0.10, 0.20, 0.02, 0.30
    return np.asarray((light * (a * light + c * b) + d * e) / (light * (a * light + b) + d * f) - e / f)


def _pq_eotf(signal: _Doubles) -> _Doubles:
    """BT.2100, table 4: light in 10000 cd/m2."""
    m1, m2 = 2610 / 16384, 2523 / 32
    c1, c2, c3 = 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    return np.asarray((np.maximum(root - c1, 0.0) / (c2 - c3 * root)) ** (1 / m1))


def _hlg_inverse_oetf(signal: _Doubles) -> _Doubles:
    """BT.2100, table 5: scene light, 0..1."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def _to_xyz(primaries: int) -> _Doubles:
    """(3, 3): linear red-green-blue as CIE XYZ; its second row is luminance."""
    points = (*_PRIMARIES_XY[primaries], _DAYLIGHT_XY)
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in points]).T
    return np.asarray(columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3]))


def _to_bt709(primaries: int) -> _Doubles:
    """(3, 3): linear red-green-blue as that of BT.709; of BT.2020 the matrix of BT.2087."""
    return np.asarray(np.linalg.solve(_to_xyz(_BT709), _to_xyz(primaries)))
