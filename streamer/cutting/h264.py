"""What a decoder of H.264 has to know at a keyframe that is not the first of its file, and what stands only there.

The units of a packet are those of ISO/IEC 14496-15: a length, a byte whose low five bits are the kind, and the rest.
"""

from collections.abc import Iterator

_IDR, _SEI = 5, 6

_X264 = bytes.fromhex("dc45e9bde6d948b7962cd820d923eeef")
"""With this x264 begins the note of its version. FFmpeg's decoder looks there for how 4:4:4 is to be read: versions
before 151 wrote it differently."""


def prologue(head: bytes, *, first: bytes, packet: bytes, in_band: bool) -> bytes:
    """Units to put before `packet`, the first of a copy, so that it is decoded as in the whole file; mostly none.

    head: the extradata of the stream, as in an mp4; empty or of another form, nothing is known. first: the first packet
    of the file. in_band: the container keeps no head, and FFmpeg puts it before instantaneous refreshes only.
    """
    if len(head) < 7 or head[0] != 1:
        return b""
    width = (head[4] & 3) + 1
    sets = list(_sets(head)) if in_band and not _holds(packet, width, _IDR) else []
    notes = [unit for unit in _units(first, width) if unit[0] & 31 == _SEI and _X264 in unit] if first != packet else []
    return b"".join(len(unit).to_bytes(width, "big") + unit for unit in (*sets, *notes))


def _holds(packet: bytes, width: int, kind: int) -> bool:
    return any(unit[0] & 31 == kind for unit in _units(packet, width))


def _units(packet: bytes, width: int) -> Iterator[bytes]:
    place = 0
    while place + width < len(packet):
        length = int.from_bytes(packet[place : place + width], "big")
        unit = packet[place + width : place + width + length]
        if unit:
            yield unit
        place += width + length


def _sets(head: bytes) -> Iterator[bytes]:
    """The sequence and the picture parameter sets in an avcC box."""
    place = 5
    for mask in (0x1F, 0xFF):
        count = head[place] & mask
        place += 1
        for _ in range(count):
            length = int.from_bytes(head[place : place + 2], "big")
            yield head[place + 2 : place + 2 + length]
            place += 2 + length
