#!/usr/bin/env python3
"""Puts frames of a video, evenly spaced in time, on one picture, each with its time below it.

python scripts/contact_sheet.py VIDEO... SHEET.png [--columns 4] [--rows 3]

VIDEO is what streamer reads and what ends: a file, a picture, a folder; several come one after another. All frames are
read, twice: once for their times, once for their pictures.
"""

import argparse
import math
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from streamer.errors import SourceError, StreamerError
from streamer.frame import Frame, Image
from streamer.overlay.lettering import drawable, fitted, line_px, text_px, write
from streamer.sinks.pictures import save_picture
from streamer.sources import open_source

SHEET_PX = 900_000
"""Pixels of all pictures together; as PNG they take 1 to 2 bytes each."""
CELL_LIMITS_PX = (140, 900)
"""The shortest and the longest longer side of a picture on the sheet."""

GAP_PX = 10
PAPER = (26, 22, 20)
INK = (226, 224, 222)
FAINT = (150, 146, 142)
CAP_PX = 10
TITLE_CAP_PX = 13


@dataclass(frozen=True)
class Moment:
    """A frame's place among all frames, and its time: seconds from the first; None for a picture, which has none."""

    number: int
    time_s: float | None
    source: str
    size_px: tuple[int, int]


def frames_of(paths: Sequence[str]) -> Generator[Frame]:
    """Every frame of all of them. Raises StreamerError."""
    for path in paths:
        source = open_source(path)
        try:
            yield from source.frames()
        finally:
            source.close()


def moments_of(paths: Sequence[str]) -> list[Moment]:
    """When each frame is shown. Raises SourceError where there is none."""
    moments = [
        Moment(number, frame.pts_s, frame.source, frame.size_px) for number, frame in enumerate(frames_of(paths))
    ]
    if not moments:
        raise SourceError("no frame can be read", where=", ".join(paths))
    return moments


def chosen(moments: Sequence[Moment], count: int) -> list[Moment]:
    """At most `count` of them: those that are shown in the middle of as many equal parts of the time.

    What has no time, or several beginnings, is counted instead.
    """
    if len(moments) <= count:
        return list(moments)
    starts_s = np.array([math.nan if moment.time_s is None else moment.time_s for moment in moments])
    if not (np.diff(starts_s) > 0).all():
        starts_s = np.arange(len(moments), dtype=np.float64)
    middles = (np.arange(count) + 0.5) / count
    wanted_s = starts_s[0] + middles * (2 * starts_s[-1] - starts_s[-2] - starts_s[0])
    shown = np.searchsorted(starts_s, wanted_s, side="right") - 1
    return [moments[index] for index in np.unique(shown)]


def cell_px(size_px: tuple[int, int], count: int) -> tuple[int, int]:
    """(width, height) of one of `count` pictures: of the frame's shape, and small enough for the whole sheet."""
    width, height = size_px
    longer = max(width, height)
    factor = min(1.0, math.sqrt(SHEET_PX / count / (width * height)))
    factor = min(max(factor, CELL_LIMITS_PX[0] / longer), CELL_LIMITS_PX[1] / longer)
    return max(1, round(factor * width)), max(1, round(factor * height))


def contact_sheet(paths: Sequence[str], *, columns: int = 4, rows: int = 3) -> Image:
    """The sheet, (height, width, 3) uint8 BGR. Raises StreamerError for what cannot be read."""
    moments = moments_of(paths)
    picked = chosen(moments, columns * rows)
    cells = [
        cell(image, caption(moment), cell_px(picked[0].size_px, len(picked)))
        for moment, image in zip(picked, images_of(paths, picked), strict=False)
    ]
    return assembled(cells, title(paths, moments), columns=min(columns, len(picked)))


def images_of(paths: Sequence[str], picked: Sequence[Moment]) -> list[Image]:
    """The pictures of those moments; nothing is read that comes after the last one."""
    numbers = {moment.number for moment in picked}
    with closing(frames_of(paths)) as frames:
        first_ones = islice(frames, max(numbers) + 1)
        return [frame.image for number, frame in enumerate(first_ones) if number in numbers]


def cell(image: Image, text: str, size_px: tuple[int, int]) -> Image:
    """`image` fitted into (width, height), with its text below."""
    width, height = size_px
    paper = np.full((height + line_px(CAP_PX), width, 3), PAPER, np.uint8)
    factor = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(factor * image.shape[1])), max(1, round(factor * image.shape[0]))
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    paper[y : y + inner[1], x : x + inner[0]] = cv2.resize(image, inner, interpolation=way)
    text = fitted(text, CAP_PX, width)
    write(paper, text, ((width - text_px(text, CAP_PX)) // 2, height), CAP_PX, FAINT)
    return paper


def assembled(cells: Sequence[Image], text: str, *, columns: int) -> Image:
    """The cells in rows, under a title."""
    height, width = cells[0].shape[:2]
    top, rows = line_px(TITLE_CAP_PX) + GAP_PX, -(-len(cells) // columns)
    sheet = np.full((top + rows * (height + GAP_PX), GAP_PX + columns * (width + GAP_PX), 3), PAPER, np.uint8)
    text = fitted(text, TITLE_CAP_PX, sheet.shape[1] - 2 * GAP_PX)
    write(sheet, text, (GAP_PX, GAP_PX // 2), TITLE_CAP_PX, INK)
    for place, picture in enumerate(cells):
        row, column = divmod(place, columns)
        x, y = GAP_PX + column * (width + GAP_PX), top + row * (height + GAP_PX)
        sheet[y : y + height, x : x + width] = picture
    return sheet


def caption(moment: Moment) -> str:
    """`0:07.50`; the file's name for what has no time."""
    return drawable(Path(moment.source).name) if moment.time_s is None else clock(moment.time_s)


def clock(time_s: float) -> str:
    """`0:07.50`, `1:02:07.50`."""
    minutes, seconds = divmod(round(time_s, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{seconds:05.2f}" if hours else f"{minutes}:{seconds:05.2f}"


def title(paths: Sequence[str], moments: Sequence[Moment]) -> str:
    """What it is, how large if all of it is of one size, up to which time, and how many frames."""
    names = [Path(path).name for path in paths]
    name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    sizes = {moment.size_px for moment in moments}
    size = "   {}x{}".format(*moments[0].size_px) if len(sizes) == 1 else ""
    last_s = moments[-1].time_s
    last = f"   to {clock(last_s)}" if last_s else ""
    return f"{drawable(name)}{size}{last}   {len(moments)} frame{'s' if len(moments) > 1 else ''}"


def main() -> int:
    """Make one; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="VIDEO")
    parser.add_argument("sheet", type=Path, metavar="SHEET.png")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--rows", type=int, default=3)
    given = parser.parse_args()
    if min(given.columns, given.rows) < 1:
        parser.error("--columns and --rows are 1 or more")
    try:
        sheet = contact_sheet(given.videos, columns=given.columns, rows=given.rows)
        save_picture(given.sheet, sheet, force=True)
    except StreamerError as error:
        print(f"contact_sheet: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
