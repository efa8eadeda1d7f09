"""How large a picture is, read from its header; nothing is decoded. images.py asks before OpenCV may."""

import re
import struct
from collections.abc import Callable, Mapping

Size = tuple[int, int]
"""(width, height), pixels."""

_WITHOUT_SIZE = frozenset({0x01, *range(0xD0, 0xDA)})
"""Markers of JPEG that stand alone."""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that begin a frame: SOF0 to SOF15 without DHT, JPG and DAC."""

_WIDTH_TAG, _HEIGHT_TAG, _MOST_TAGS = 256, 257, 4096


def size_of_picture(data: bytes | memoryview) -> Size | None:
    """The size that the file says; None where this is no header that is known, or it is cut off.

    Knows what OpenCV reads: PNG, JPEG, BMP, WebP, TIFF, JPEG 2000, PNM, GIF, Radiance, Sun raster, AVIF.
    """
    head = bytes(data[:32])
    for signature, read in _READERS.items():
        if signature.match(head):
            try:
                return read(memoryview(data))
            except (struct.error, IndexError, ValueError):
                return None
    return None


def _png(data: memoryview) -> Size:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: memoryview) -> Size | None:
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            place += 1
            continue
        marker = data[place + 1]
        if marker in _WITHOUT_SIZE or marker == 0xFF:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        (length,) = struct.unpack_from(">H", data, place + 2)
        place += 2 + length
    return None


def _bmp(data: memoryview) -> Size:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_bytes == 12 else "<ii", data, 18)
    return abs(width), abs(height)


def _webp(data: memoryview) -> Size | None:
    match bytes(data[12:16]):
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case _:
            return None


def _tiff(data: memoryview) -> Size | None:
    order = "<" if bytes(data[:2]) == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    (place,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, place)
    sides: dict[int, int] = {}
    for number in range(min(count, _MOST_TAGS)):
        entry = place + (8 + 20 * number if big else 2 + 12 * number)
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in {_WIDTH_TAG, _HEIGHT_TAG}:
            letter = {3: "H", 4: "I", 16: "Q"}.get(kind)
            if letter is None:
                return None
            (sides[tag],) = struct.unpack_from(order + letter, data, entry + (12 if big else 8))
    return (sides[_WIDTH_TAG], sides[_HEIGHT_TAG]) if len(sides) == 2 else None


def _jpeg2000(data: memoryview) -> Size | None:
    """The largest of what its box says and of what each code stream does; a decoder goes by either."""
    sizes = []
    whole = bytes(data)
    for found in re.finditer(rb"ihdr", whole):
        height, width = struct.unpack_from(">II", data, found.end())
        sizes.append((width, height))
    for found in re.finditer(rb"\xff\x4f\xff\x51", whole):
        right, bottom, left, top = struct.unpack_from(">IIII", data, found.end() + 4)
        sizes.append((right - left, bottom - top))
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _netpbm(data: memoryview) -> Size:
    fields = re.sub(rb"#[^\n]*\n?", b" ", bytes(data[2:4096])).split(None, 2)
    return int(fields[0]), int(fields[1])


def _pam(data: memoryview) -> Size | None:
    head = bytes(data[:4096])
    width, height = (re.search(rb"^%s\s+(\d+)" % name, head, re.MULTILINE) for name in (b"WIDTH", b"HEIGHT"))
    return None if width is None or height is None else (int(width[1]), int(height[1]))


def _gif(data: memoryview) -> Size:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _radiance(data: memoryview) -> Size | None:
    found = re.search(rb"^[-+]Y (\d+) [-+]X (\d+)", bytes(data[:65536]), re.MULTILINE)
    return None if found is None else (int(found[2]), int(found[1]))


def _sun(data: memoryview) -> Size:
    width, height = struct.unpack_from(">II", data, 4)
    return width, height


def _avif(data: memoryview) -> Size | None:
    """The largest of its images."""
    sizes = [struct.unpack_from(">II", data, found.end() + 4) for found in re.finditer(rb"ispe", bytes(data))]
    return max(((width, height) for width, height in sizes), key=lambda size: size[0] * size[1], default=None)


_READERS: Mapping["re.Pattern[bytes]", Callable[[memoryview], Size | None]] = {
    re.compile(pattern, re.DOTALL): reader
    for pattern, reader in (
        (rb"\x89PNG\r\n\x1a\n", _png),
        (rb"\xff\xd8\xff", _jpeg),
        (rb"BM", _bmp),
        (rb"RIFF....WEBP", _webp),
        (rb"II[*+]\0|MM\0[*+]", _tiff),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _jpeg2000),
        (rb"P[1-6]\s|P[Ff]\s", _netpbm),
        (rb"P7\s", _pam),
        (rb"GIF8", _gif),
        (rb"#\?R", _radiance),
        (rb"\x59\xa6\x6a\x95", _sun),
        (rb"....ftyp(?:avif|avis|mif1|msf1)", _avif),
    )
}
