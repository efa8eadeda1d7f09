"""Which pixel format is worth asking for, and how the modes of a camera are told in a line."""

from collections.abc import Sequence

from streamer.sources.devices import Mode
from streamer.sources.options import SourceOptions

COMPRESSED = "MJPG"
"""What webcams send where the cable is too slow for raw pictures, and OpenCV decodes."""

MOST_SIZES = 8
"""So many are told in a warning."""

_RATE_GAIN_FPS = 0.5


def better_fourcc(modes: Sequence[Mode], options: SourceOptions) -> str | None:
    """`MJPG` where it is faster than every raw format at the size asked for; None where nothing is gained.

    Nothing is gained either where a raw format reaches the rate that is asked for: it is not decoded, and OpenCV takes
    it by itself.
    """
    if options.fourcc is not None or (options.width is None and options.height is None):
        return None
    fitting = [mode for mode in modes if _fits(mode, options)]
    raw = [mode.best_fps for mode in fitting if mode.fourcc != COMPRESSED]
    compressed = [mode.best_fps for mode in fitting if mode.fourcc == COMPRESSED]
    if not compressed or not raw:
        return COMPRESSED if compressed else None
    if options.fps is not None and max(raw) >= options.fps - _RATE_GAIN_FPS:
        return None
    return COMPRESSED if max(compressed) > max(raw) + _RATE_GAIN_FPS else None


def told(modes: Sequence[Mode]) -> str:
    """`1280x720 (MJPG at 30 fps, YUYV at 10 fps), ...`: the largest first, each format with its highest rate."""
    sizes: dict[str, list[str]] = {}
    for mode in modes:
        rate = f" at {mode.best_fps:g} fps" if mode.best_fps else ""
        sizes.setdefault(mode.size, []).append(f"{mode.fourcc}{rate}")
    shown = [f"{size} ({_cut(formats)})" for size, formats in list(sizes.items())[:MOST_SIZES]]
    return ", ".join([*shown, "..."] if len(sizes) > MOST_SIZES else shown)


def _cut(formats: Sequence[str]) -> str:
    return ", ".join(formats[:4]) + (", ..." if len(formats) > 4 else "")


def _fits(mode: Mode, options: SourceOptions) -> bool:
    return options.width in {None, mode.size_px[0]} and options.height in {None, mode.size_px[1]}
