"""The timeline of some frames as a drawing: one lane a thread, one colour a stage. svg.py and png.py put it on paper.

All lengths are in units of one pixel of the SVG; the origin is the upper left corner.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from streamer.benchmark.stages import AROUND, STAGES
from streamer.clock import NS_PER_MS
from streamer.trace import Span

FRAMES = 50
"""How many frames are shown."""

WIDTH = 1800.0
_MARGIN = 36.0
_LABELS = 162.0
_TOP = 96.0
_LANE, _GAP, _INSET = 40.0, 14.0, 5.0
_AXIS = 58.0
_PAD = 12.0
_CAP, _SMALL_CAP = 8.0, 6.5
_MOST_TICKS = 14

INK, PALE, GRID, BAND = "#1f2933", "#616e7c", "#e4e7eb", "#f7f8fa"
COLORS = {
    "capture": "#4e79a7",
    "preprocess": "#76b7b2",
    "infer": "#f28e2b",
    "postprocess": "#d4a52a",
    "analyse": "#b07aa1",
    "draw": "#59a14f",
    "encode": "#e15759",
    "report": "#9c755f",
    "view": "#ff9da7",
    AROUND: "#fbe3cc",
}
_OTHER = "#8a94a0"


@dataclass(frozen=True, slots=True)
class Box:
    """A filled rectangle. told: what a pointer over it is told."""

    x: float
    y: float
    width: float
    height: float
    color: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Text. y: of its baseline. cap: height of a capital letter. x: of its left end, its middle or its right end."""

    x: float
    y: float
    text: str
    cap: float
    color: str
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn, on white, in this order."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    words: tuple[Words, ...]


def chosen(spans: Sequence[Span], *, frames: int = FRAMES) -> list[Span]:
    """The spans of `frames` frames from the middle of a run, where nothing begins or ends."""
    indexes = sorted({span.index for span in spans if span.index >= 0})
    first = max(0, (len(indexes) - frames) // 2)
    kept = set(indexes[first : first + frames])
    return [span for span in spans if span.index in kept]


def timeline(spans: Sequence[Span], *, title: str) -> Drawing:
    """The drawing of at least one span; the time counts from the beginning of the first."""
    began_ns = min(span.began_ns for span in spans)
    ended_ms = max(span.ended_ns - began_ns for span in spans) / NS_PER_MS
    lanes = _lanes(spans)
    scale = _Scale(ended_ms, began_ns)
    bottom = _TOP + len(lanes) * (_LANE + _GAP)
    boxes = [*_bands(len(lanes)), *_grid(scale, bottom=bottom)]
    words = [*_head(spans, title=title), *_axis(scale, bottom=bottom)]
    boxes += [box for box, _ in _legend(spans)]
    words += [word for _, word in _legend(spans)]
    for row, (thread, its) in enumerate(lanes.items()):
        y = _TOP + row * (_LANE + _GAP)
        words.append(Words(_MARGIN + _PAD, y + (_LANE + _CAP) / 2, _shown(thread), _CAP, INK))
        for span in sorted(its, key=lambda span: span.stage != AROUND):
            box = _box(span, scale, y=y)
            boxes.append(box)
            words += _number(span, box)
    return Drawing(WIDTH, bottom + _AXIS, tuple(boxes), tuple(words))


def written_px(text: str, cap: float) -> float:
    """About how wide `text` is: its digits and letters are as wide as four fifths of a capital is high."""
    return len(text) * cap * 0.82


@dataclass(frozen=True, slots=True)
class _Scale:
    ended_ms: float
    began_ns: int

    def x(self, at_ms: float) -> float:
        room = WIDTH - 2 * _MARGIN - _LABELS
        return _MARGIN + _LABELS + room * at_ms / max(self.ended_ms, 1e-6)

    def x_of(self, at_ns: int) -> float:
        return self.x((at_ns - self.began_ns) / NS_PER_MS)

    def ticks_ms(self) -> Iterator[float]:
        step_ms = _round_step(self.ended_ms / _MOST_TICKS)
        for number in range(math.floor(self.ended_ms / step_ms) + 1):
            yield number * step_ms


def _round_step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, 50 and so on."""
    power = 10.0 ** math.floor(math.log10(max(least, 1e-6)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


def _lanes(spans: Sequence[Span]) -> dict[str, list[Span]]:
    """The spans of each thread, the threads in the order in which frames come through them."""
    order = [*STAGES, AROUND]
    by_thread: dict[str, list[Span]] = {}
    for span in spans:
        by_thread.setdefault(span.thread, []).append(span)
    return dict(
        sorted(
            by_thread.items(),
            key=lambda lane: (min(order.index(s.stage) if s.stage in order else 99 for s in lane[1]), lane[0]),
        )
    )


def _shown(thread: str) -> str:
    """A thread's name without what all have, and without the path that a sink writes to."""
    text = thread.removeprefix("streamer-").removeprefix("sink ").partition("/")[0].strip() or thread
    return text if len(text) <= 18 else text[:17] + "."


def _bands(lanes: int) -> Iterator[Box]:
    for row in range(lanes):
        top = _TOP + row * (_LANE + _GAP) - _GAP / 4
        yield Box(_MARGIN, top, WIDTH - 2 * _MARGIN + _PAD, _LANE + _GAP / 2, BAND)


def _grid(scale: _Scale, *, bottom: float) -> Iterator[Box]:
    for at_ms in scale.ticks_ms():
        yield Box(scale.x(at_ms) - 0.5, _TOP - _GAP / 2, 1.0, bottom - _TOP + _GAP / 2, GRID)


def _axis(scale: _Scale, *, bottom: float) -> Iterator[Words]:
    for at_ms in scale.ticks_ms():
        yield Words(scale.x(at_ms), bottom + 2.2 * _CAP, f"{at_ms:g}", _CAP, PALE, "middle")
    yield Words(_MARGIN + _PAD, bottom + 2.2 * _CAP, "time, ms", _CAP, PALE)


def _head(spans: Sequence[Span], *, title: str) -> Iterator[Words]:
    indexes = [span.index for span in spans]
    yield Words(_MARGIN, 36.0, title, 12.0, INK, bold=True)
    text = f"frames {min(indexes)} to {max(indexes)}; one lane a thread, the number is the frame's"
    yield Words(WIDTH - _MARGIN + _PAD, 36.0, text, _CAP, PALE, "end")


def _legend(spans: Sequence[Span]) -> Iterator[tuple[Box, Words]]:
    x = _MARGIN
    present = {span.stage for span in spans}
    known = [stage for stage in (*STAGES, AROUND) if stage in present]
    for stage in [*known, *sorted(present - set(known))]:
        yield Box(x, 54.0, 13.0, 13.0, COLORS.get(stage, _OTHER)), Words(x + 20, 54.0 + 10.5, stage, _CAP, INK)
        x += 20 + written_px(stage, _CAP) + 28


def _box(span: Span, scale: _Scale, *, y: float) -> Box:
    x = scale.x_of(span.began_ns)
    inset = 0.0 if span.stage == AROUND else _INSET
    told = f"{span.stage}, frame {span.index}: {(span.ended_ns - span.began_ns) / NS_PER_MS:.2f} ms"
    width = max(0.8, scale.x_of(span.ended_ns) - x - 0.6)
    return Box(x, y + inset, width, _LANE - 2 * inset, COLORS.get(span.stage, _OTHER), told)


def _number(span: Span, box: Box) -> Iterator[Words]:
    text = str(span.index)
    cap = next((cap for cap in (_CAP, _SMALL_CAP) if written_px(text, cap) + 2 <= box.width), None)
    if span.stage != AROUND and cap is not None:
        yield Words(box.x + box.width / 2, box.y + (box.height + cap) / 2, text, cap, _on(box.color), "middle")


def _on(color: str) -> str:
    """White or ink, whichever is easier to read on `color`; the shares are those of Rec. 709."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 140 else "#ffffff"
