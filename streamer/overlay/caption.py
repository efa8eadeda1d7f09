"""What is burnt into a corner if asked for: the source's name and the time, readable on any background."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np

from streamer.frame import Frame, Image
from streamer.overlay.lettering import (
    BLACK,
    MIN_CAP_PX,
    WHITE,
    cap_px,
    drawable,
    fitted,
    inked,
    lay,
    line_px,
    text_mask,
    text_px,
)
from streamer.overlay.placement import Box
from streamer.overlay.plate import GLASS, draw_plate
from streamer.overlay.themes import THEMES
from streamer.overlay.typefaces import Mask
from streamer.style import Style
from streamer.text import printable, redacted

_OPACITY = 0.85
_LEAST_NAME = 8
"""Characters, with the ellipsis, that are left of a name where it is cut; fewer are not worth a line."""

WallClock = Callable[[int], datetime]
"""Monotonic nanoseconds as the time of day."""


@dataclass(frozen=True, slots=True)
class Caption:
    """source: the name, safe to print. times: the same time in ever shorter words: the first one that fits is shown.

    Either may be empty.
    """

    source: str = ""
    times: tuple[str, ...] = ()


NOTHING = Caption()


def caption_of(frame: Frame, style: Style, *, wall_clock: WallClock | None) -> Caption:
    """What the style asks for. wall_clock: for a live stream; None gives the time in the media.

    Of a path only the last part is the name; of an address the user, the password and secrets are masked.
    """
    source = ""
    if style.source_name:
        source = printable(redacted(frame.source if "://" in frame.source else Path(frame.source).name))
    return Caption(source, _times(frame, wall_clock) if style.timestamp else ())


def _times(frame: Frame, wall_clock: WallClock | None) -> tuple[str, ...]:
    if wall_clock is not None:
        when = wall_clock(frame.captured_ns)
        day, clock, part = f"{when:%Y-%m-%d}", f"{when:%H:%M:%S}", f".{when.microsecond // 1000:03d}"
        return f"{day} {clock}{part}", f"{day} {clock}", clock + part, clock, clock[:5]
    if frame.pts_s is None:
        return (f"#{frame.index}",)
    whole_s, ms = divmod(max(0, round(1000 * frame.pts_s)), 1000)
    played = str(timedelta(seconds=whole_s))
    return f"{played}.{ms:03d}", played


def time_of_day(captured_ns: int) -> datetime:
    """When that was, by the clock on the wall here."""
    return datetime.now().astimezone() - timedelta(microseconds=(time.monotonic_ns() - captured_ns) / 1000)


@dataclass(frozen=True, slots=True, eq=False)
class LaidOut:
    """A caption on an image of one size. lines: their letters, from above. box: where all of it stands."""

    lines: tuple[Mask, ...]
    cap: int
    pad_px: int
    box: Box


def lay_out(caption: Caption, style: Style, *, size_px: tuple[int, int]) -> LaidOut | None:
    """Where a caption stands in the lower left corner; None where there is nothing, or no room.

    On a small image the time is shortened, a long name is cut, and the name goes before the time does.
    """
    width, height = size_px
    cap = max(MIN_CAP_PX, round(THEMES[style.theme].cap * cap_px(size_px)))
    pad, tall = (cap + 1) // 2, line_px(cap)
    margin = min(cap, width // 32, height // 32)
    lines = _lines(caption, cap, style.font, width_px=width - 2 * margin - 2 * pad)
    lines = lines[max(0, len(lines) - (height - margin) // tall) :]
    if not lines:
        return None
    wide, bottom = max(line.shape[1] for line in lines) + 2 * pad, height - margin
    return LaidOut(tuple(lines), cap, pad, (margin, bottom - tall * len(lines), margin + wide, bottom))


def put_caption(canvas: Image, caption: LaidOut, style: Style) -> None:
    """Draw it on `canvas` itself."""
    left, top, _, _ = caption.box
    glass = THEMES[style.theme].caption == "glass"
    color, opacity = (GLASS, _OPACITY) if glass else (BLACK, 1.0)
    draw_plate(canvas, caption.box, radius=caption.cap // 2, color=color, opacity=opacity)
    for row, line in enumerate(caption.lines):
        lay(canvas, (left + caption.pad_px, top + line_px(caption.cap) * row), inked(line, WHITE))


def _lines(caption: Caption, cap: int, font: Path | None, *, width_px: int) -> list[Mask]:
    lines = []
    name = drawable(caption.source, font)
    shown = fitted(name, cap, width_px, font)
    if shown and (shown == name or len(shown) >= _LEAST_NAME):
        lines.append(text_mask(shown, cap, font))
    fitting = (mask for mask in (_figures(text, cap, font) for text in caption.times) if mask.shape[1] <= width_px)
    if (mask := next(fitting, None)) is not None:
        lines.append(mask)
    return lines


def _figures(text: str, cap: int, font: Path | None) -> Mask:
    """Text with all digits equally wide, so that a running time does not twitch; made of letters that are kept."""
    return np.hstack([_cell(character, cap, font) for character in text])


@lru_cache(maxsize=256)
def _cell(character: str, cap: int, font: Path | None) -> Mask:
    letter = text_mask(character, cap, font)
    wide = max(text_px(digit, cap, font) for digit in "0123456789") if character.isdigit() else letter.shape[1]
    room = wide - letter.shape[1] + max(1, round(0.14 * cap))
    return np.pad(letter, ((0, 0), (room // 2, room - room // 2)))
