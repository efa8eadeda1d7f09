"""The chapters of a part of a file."""

from collections.abc import Iterable
from fractions import Fraction

from streamer.pyav import av

_UNIT = Fraction(1, 1000)
"""mp4 and Matroska players count chapters in thousandths of a second."""


def chapters_within(
    chapters: "Iterable[av.container.Chapter]", *, begin: Fraction, end: Fraction | None
) -> "list[av.container.Chapter]":
    """The chapters between `begin` and `end`, cut there, and counted from `begin`; all in seconds."""
    kept: list[av.container.Chapter] = []
    for chapter in chapters:
        unit = chapter["time_base"] or _UNIT
        first, last = max(chapter["start"] * unit, begin), chapter["end"] * unit
        last = last if end is None else min(last, end)
        if last > first:
            kept.append(
                {
                    "id": len(kept) + 1,
                    "start": round((first - begin) / _UNIT),
                    "end": round((last - begin) / _UNIT),
                    "time_base": _UNIT,
                    "metadata": chapter["metadata"],
                }
            )
    return kept
