"""Whether all of a file is there: a second opinion, asked when fewer frames came than its header promised.

Headers promise too much of sound files as well: a count that was made from a rate, an edit list that hides frames,
sound that goes on when the pictures have ended. So the packets are counted, which decodes nothing.
"""

from typing import Any

from streamer.pyav import av
from streamer.text import local_name

_TOLERATED_FRAMES = 2
_TOLERATED_S = 0.5
_TOLERATED_SHARE = 0.05
"""Sound files may miss so many frames or so much time, or so large a part of all: what is never shown, rounding."""


def is_short(frames_read: int, promised: int) -> bool:
    """Whether clearly fewer frames came than were promised."""
    return _missing(frames_read, promised, tolerated=_TOLERATED_FRAMES)


def is_damaged(path: str, *, frames_read: int) -> bool:
    """Whether the file ends before its own duration, or holds more pictures than the `frames_read` that came of it."""
    packets = 0
    reached_s = 0.0
    try:
        with av.open(local_name(path), metadata_errors="ignore") as container:
            promised_s = (container.duration or 0) / av.time_base
            began_s = (container.start_time or 0) / av.time_base
            video = container.streams.video[0]
            for packet in container.demux():
                if packet.size and not packet.is_discard:
                    packets += packet.stream is video
                    reached_s = max(reached_s, _end_s(packet) - began_s)
    except (av.FFmpegError, IndexError):
        return True
    return _missing(reached_s, promised_s, tolerated=_TOLERATED_S) or is_short(frames_read, packets)


def _missing(found: float, promised: float, *, tolerated: float) -> bool:
    return promised - found > max(tolerated, _TOLERATED_SHARE * promised)


def _end_s(packet: "av.Packet[Any]") -> float:
    if packet.pts is None or packet.time_base is None:
        return 0.0
    return float((packet.pts + (packet.duration or 0)) * packet.time_base)
