"""Small files that decode to very much: pictures and videos of 16000x16000 and more, made byte by byte."""

import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path

from streamer.pyav import av

SIDE_PX = 16000
"""A little more, and FFmpeg refuses it itself."""


@cache
def png(width: int = 12028, height: int = 12028, *, level: int = 9) -> bytes:
    """A black PNG, which zlib makes a thousandth of: 422 KB and 434 MB at its usual size."""
    packer = zlib.compressobj(level)
    row = bytes(1 + 3 * width)
    data = b"".join([packer.compress(row) for _ in range(height)]) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def headers(side_px: int = SIDE_PX) -> Mapping[str, bytes]:
    """Pictures of which not much more than the header is there, by their endings."""
    sof = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, side_px, side_px, 3) + bytes((1, 17, 0, 2, 17, 0, 3, 17, 0))
    exif = b"\xff\xe1" + struct.pack(">H", 30000) + bytes(29998)
    bmp = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54, 0, 0, 54, 40, side_px, -side_px, 1, 24, 0, 0, 0, 0, 0, 0)
    vp8x = b"VP8X" + struct.pack("<I", 10) + bytes(4) + 2 * struct.pack("<I", side_px - 1)[:3]
    vp8l_bits = (side_px - 1) | (side_px - 1) << 14
    vp8l = b"VP8L" + struct.pack("<IBI", 5, 0x2F, vp8l_bits) + b"\0"
    vp8 = b"VP8 " + struct.pack("<I", 10) + b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", side_px - 1, side_px - 1)
    entries = struct.pack("<HHII", 256, 4, 1, side_px) + struct.pack("<HHII", 257, 4, 1, side_px)
    more = {258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: side_px, 279: 64}
    entries += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in more.items())
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 9) + entries + bytes(4)
    return {
        "a.jpg": b"\xff\xd8" + exif + sof + bytes(200),
        "a.bmp": bmp + bytes(200),
        "x.webp": _riff(vp8x),
        "l.webp": _riff(vp8l),
        "v.webp": _riff(vp8),
        "a.tif": tiff + bytes(200),
        "a.pgm": b"P5\n# a comment\n%d %d\n255\n" % (side_px, side_px) + bytes(200),
        "a.ppm": b"P6 %d\t%d 255\n" % (side_px, side_px) + bytes(200),
        "a.jp2": _jp2(side_px),
        "a.png": png()[:16] + struct.pack(">II", side_px, side_px) + png()[24:400],
    }


def _riff(content: bytes) -> bytes:
    content = b"WEBP" + content + bytes(64)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _jp2(side_px: int) -> bytes:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + kind + content

    head = struct.pack(">IIHBBBB", side_px, side_px, 3, 7, 7, 0, 0)
    siz = struct.pack(">HHIIIIIIIIH", 47, 0, side_px, side_px, 0, 0, side_px, side_px, 0, 0, 3) + bytes((7, 1, 1) * 3)
    stream = b"\xff\x4f\xff\x51" + siz + bytes(100)
    signature = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return signature + box(b"jp2h", box(b"ihdr", head)) + box(b"jp2c", stream)


def write_png_video(path: Path, *, side_px: int = SIDE_PX, begins_px: int = SIDE_PX) -> Path:
    """A video whose pictures are PNGs of that size, three at most; begins_px: that of the first, and of the header."""
    return _write(path, png(side_px, side_px, level=1), side_px, begins_px)


def write_vp8_video(path: Path, *, side_px: int = SIDE_PX) -> Path:
    """An .ivf with a VP8 key frame that says that it is of that size, and holds nothing."""
    frame = b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", side_px, side_px) + bytes(5000)
    head = struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"VP80", side_px, side_px, 25, 1, 1, 0)
    path.write_bytes(head + struct.pack("<IQ", len(frame), 0) + frame)
    return path


def _write(path: Path, picture: bytes, side_px: int, begins_px: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = begins_px
        stream.pix_fmt = "rgb24"
        for number in range(3):
            if begins_px != side_px and number == 0:
                black = av.VideoFrame(begins_px, begins_px, stream.pix_fmt)
                container.mux(stream.encode(black))
                container.mux(stream.encode(None))
                continue
            packet = av.Packet(picture)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
            packet.is_keyframe = True
            container.mux(packet)
    return path
