"""The script of a test pattern: what `test:SCRIPT` says, as data. It draws nothing and waits for nothing."""

import re
from dataclasses import dataclass, field

from streamer.errors import SourceOpenError

MIN_SIDE_PX = 48
"""Below this, the blocks that carry the frame number are too small to be read."""

MAX_SIDE_PX = 8192

FPS_RANGE = (1.0, 1000.0)

_SIZE = re.compile(r"(\d{2,5})x(\d{2,5})")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(s|ms|)")

ALLOWED = (
    "size=640x480, fps=30, frames=N, live=yes|no, seed=N, stall@N=2s, end@N, raise@N, none@N, resize@N=320x240, "
    "black@N=K, freeze@N=K, burst@N=K"
)


@dataclass(slots=True)
class Script:
    """What a test pattern does, and at which frame (all the mappings are by frame).

    size_px: (width, height). fps: frames a second. frames: how many there are; None for ever.
    live: whether they come at their own time. seed: where the moving shapes begin.
    stalls_s: seconds without a frame before this one. raises: here the source is lost. nones: frames without a picture.
    resizes_px: the size from here on. blacks, freezes, bursts: how many frames, from here, are black, repeat the
    picture of this one, or come at once.
    """

    size_px: tuple[int, int] = (640, 480)
    fps: float = 30.0
    frames: int | None = None
    live: bool = True
    seed: int = 0
    stalls_s: dict[int, float] = field(default_factory=dict)
    raises: set[int] = field(default_factory=set)
    nones: set[int] = field(default_factory=set)
    resizes_px: dict[int, tuple[int, int]] = field(default_factory=dict)
    blacks: dict[int, int] = field(default_factory=dict)
    freezes: dict[int, int] = field(default_factory=dict)
    bursts: dict[int, int] = field(default_factory=dict)


def parse_script(text: str) -> Script:
    """The script that `text` says: `key=value` and `fault@frame[=argument]`, with commas between.

    Raises SourceOpenError, which names the part that is wrong and all that is allowed.
    """
    script = Script()
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = part.partition("=")
        name, at, frame = key.partition("@")
        try:
            if at:
                _take_fault(script, name, _count(frame), value)
            else:
                _take_setting(script, name, value)
        except ValueError as error:
            raise SourceOpenError("not understood", where=f"test:{part}", hint=f"allowed: {ALLOWED}") from error
    return script


def _take_setting(script: Script, name: str, value: str) -> None:
    match name:
        case "size":
            script.size_px = _size_px(value)
        case "fps":
            script.fps = _fps(value)
        case "frames":
            _end(script, _count(value))
        case "live" if value in {"yes", "no"}:
            script.live = value == "yes"
        case "seed":
            script.seed = _count(value)
        case _:
            raise ValueError(name)


def _take_fault(script: Script, name: str, frame: int, value: str) -> None:
    match name:
        case "end" if not value:
            _end(script, frame)
        case "raise" if not value:
            script.raises.add(frame)
        case "none" if not value:
            script.nones.add(frame)
        case "stall":
            script.stalls_s[frame] = _seconds(value)
        case "resize":
            script.resizes_px[frame] = _size_px(value)
        case "black":
            script.blacks[frame] = _count(value)
        case "freeze":
            script.freezes[frame] = _count(value)
        case "burst":
            script.bursts[frame] = _count(value)
        case _:
            raise ValueError(name)


def _end(script: Script, frame: int) -> None:
    """The first of several ends holds."""
    script.frames = frame if script.frames is None else min(script.frames, frame)


def _size_px(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if match is None or not all(MIN_SIDE_PX <= int(side) <= MAX_SIDE_PX for side in match.groups()):
        raise ValueError(text)
    return int(match[1]), int(match[2])


def _fps(text: str) -> float:
    low, high = FPS_RANGE
    fps = float(text)
    if not low <= fps <= high:
        raise ValueError(text)
    return fps


def _seconds(text: str) -> float:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)
