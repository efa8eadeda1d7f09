"""The panel over the view: how the run is doing.

It is seen in the window only: recordings and pictures are drawn without it. view.py calls it with the Status that the
pipeline gives; nothing is measured here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from streamer.frame import Image, Status
from streamer.labels import Color
from streamer.overlay.lettering import (
    MIN_CAP_PX,
    WHITE,
    cap_px,
    contrasting,
    drawable,
    fitted,
    line_px,
    text_px,
    write,
)
from streamer.overlay.plate import GLASS, draw_plate
from streamer.text import printable

_MUTED: Color = (196, 188, 182)
_GREEN: Color = (110, 210, 90)
_GREY: Color = (170, 165, 160)
_RED: Color = (60, 60, 240)
_ALARM: Color = (50, 50, 205)
_ALARMS: dict[str, Color] = {"paused": (40, 180, 250), **dict.fromkeys(("stalled", "waiting", "failed"), _ALARM)}

_HEIGHT_SHARE = 0.6
"""The most of the image's height that the panel may hide."""

_SMALL_PX = 240
"""An image narrower than this has room for the state and the rate only."""

_NOTE_CAPS = 26
"""The longest line of a note, in heights of a capital letter; what is longer goes on below."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One line: a name with a value and its unit, or a note without them."""

    name: str
    value: str = ""
    unit: str = ""


def has_news(status: Status) -> bool:
    """Whether the state must not be missed, also without the panel: while recording, or not running."""
    return status.recording or status.state != "running"


def put_panel(canvas: Image, status: Status, *, full: bool) -> None:
    """Draw how the run is doing into the upper left corner of `canvas` itself.

    full: False shows the state and no figures. On 176x144 full is the state and the rate; from 640x480 on everything.
    """
    height, width = canvas.shape[:2]
    cap = max(MIN_CAP_PX, round(0.9 * cap_px((width, height))))
    rows = _rows(status, cap)[: _room((width, height), cap)] if full else []
    left = top = min(cap, width // 32, height // 32)
    wide = min(_width_px(status, rows, cap), width - left)
    tall = line_px(cap)
    rows_px = tall * len(rows) + cap // 2 if rows else 0
    draw_plate(canvas, (left, top, left + wide, top + tall + rows_px), radius=cap // 2)
    _draw_state(canvas, status, (left, top, left + wide, top + tall), cap)
    for number, row in enumerate(rows, start=1):
        _draw_row(canvas, row, rows, (left + cap, top + tall * number + cap // 4, left + wide - cap), cap)


def _room(size_px: tuple[int, int], cap: int) -> int:
    """How many rows may stand below the state."""
    width, height = size_px
    return 1 if width < _SMALL_PX else max(1, int(_HEIGHT_SHARE * height / line_px(cap)) - 1)


def _rows(status: Status, cap: int) -> list[_Row]:
    """The lines, the most wanted first."""
    rates = [("view", status.view_fps), ("detection", status.detect_fps), ("capture", status.capture_fps)]
    rows = [_Row(name, f"{rate:.1f}", "fps") for name, rate in rates]
    rows.append(_Row("latency p95", f"{status.latency_p95_ms:.0f}", "ms"))
    rows.append(_Row("dropped", str(status.ledger.dropped)))
    if status.live:
        rows.append(_Row("boxes behind", f"{status.age_ms:.0f}", "ms"))
    rows.append(_Row("threshold", f"{status.conf:.2f}"))
    detail = "" if status.no_signal else status.detail  # that stands in the middle
    return [*_notes(detail, cap), *rows, *_notes(status.runtime, cap), *_notes(status.decoder, cap)]


def _notes(text: str, cap: int) -> list[_Row]:
    lines: list[str] = []
    for word in drawable(printable(text)).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_px(longer, cap) <= _NOTE_CAPS * cap:
            lines[-1] = longer
        else:
            lines.append(word)
    return [_Row(line) for line in lines]


def _width_px(status: Status, rows: Sequence[_Row], cap: int) -> int:
    """Wide enough for any usual value, so that the panel does not twitch."""
    word, _ = _state(status)
    numbers = [row for row in rows if row.value]
    values_px = max((max(text_px(row.value, cap), text_px("000.0", cap)) for row in numbers), default=0)
    names_px = max((text_px(row.name, cap) for row in numbers), default=0)
    table = names_px + 2 * cap + values_px + _units_px(rows, cap) if numbers else 0
    notes = max((text_px(row.name, cap) for row in rows if not row.value), default=0)
    state = cap + cap // 2 + text_px(word, cap) + (3 * cap + text_px("REC", cap) if status.recording else 0)
    return 2 * cap + max(table, min(notes, _NOTE_CAPS * cap), state)


def _units_px(rows: Sequence[_Row], cap: int) -> int:
    return max((cap // 2 + text_px(row.unit, cap) for row in rows if row.unit), default=0)


def _state(status: Status) -> tuple[str, Color]:
    """The word for the state and the colour of its dot."""
    if status.state == "running":
        return ("LIVE" if status.live else "RUNNING"), _GREEN
    return status.state.upper(), _GREY


def _draw_state(canvas: Image, status: Status, box: tuple[int, int, int, int], cap: int) -> None:
    left, top, right, bottom = box
    paper = _ALARMS.get(status.state, GLASS)
    word, dot = _state(status)
    ink = contrasting(paper)
    if status.state in _ALARMS:
        draw_plate(canvas, box, radius=cap // 2, color=paper, opacity=1.0)
        dot = ink
    middle = (top + bottom) // 2
    _draw_dot(canvas, (left + cap + cap // 2, middle), cap, dot)
    write(canvas, word, (left + 2 * cap + cap // 2, top), cap, ink)
    if status.recording:
        at = right - cap - text_px("REC", cap)
        write(canvas, "REC", (at, top), cap, ink)
        _draw_dot(canvas, (at - cap, middle), cap, ink if _ALARMS.get(status.state) == _ALARM else _RED)


def _draw_dot(canvas: Image, center: tuple[int, int], cap: int, color: Color) -> None:
    shift = 4
    x, y = center
    cv2.circle(canvas, (x << shift, y << shift), int(0.42 * cap * (1 << shift)), color, cv2.FILLED, cv2.LINE_AA, shift)


def _draw_row(canvas: Image, row: _Row, rows: Sequence[_Row], line: tuple[int, int, int], cap: int) -> None:
    left, y, right = line
    if not row.value:
        write(canvas, fitted(row.name, cap, right - left), (left, y), cap, _MUTED)
        return
    units_px = _units_px(rows, cap)
    write(canvas, row.name, (left, y), cap, _MUTED)
    write(canvas, row.value, (max(left, right - units_px - text_px(row.value, cap)), y), cap, WHITE)
    if row.unit:
        write(canvas, row.unit, (max(left, right - units_px + cap // 2), y), cap, _MUTED)
