"""The contact sheet: what a model sees on the same pictures when it is fed and read in one way or another.

Pure drawing: nothing is run, read or written here. The verb inspect calls `sheet_of`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import cv2
import numpy as np

from streamer.frame import Detections, Image
from streamer.inspection.findings import Looked, Trial
from streamer.inspection.words import share_words, trial_words, verdict_words
from streamer.labels import Color, Labels
from streamer.overlay import draw
from streamer.overlay.lettering import WHITE, drawable, fitted, line_px, text_px, write

MAX_PICTURES = 3
"""The most pictures that are shown of each candidate, side by side."""

MAX_TILES = 24
"""The most candidates that are shown; of more, the likeliest."""

_PICTURE_AREA_PX = 420 * 315
_MAX_SIDE_PX = 640
_MIN_TILE_PX = 300
_MAX_WIDTH_PX = 2600
_WANTED_ASPECT = 1.4

_PAPER: Color = (34, 28, 24)
_CARD: Color = (52, 44, 39)
_MUTED: Color = (190, 180, 172)
_GREEN: Color = (95, 200, 90)
_AMBER: Color = (40, 170, 240)
Mark = Literal["", "BELIEVED", "TAKEN", "LIKELIEST"]

_COLORS: Mapping[Mark, Color] = {"": _CARD, "BELIEVED": _GREEN, "TAKEN": _GREEN, "LIKELIEST": _AMBER}

_CAP, _SMALL_CAP = 12, 10
_GAP, _FRAME = 16, 6


@dataclass(frozen=True)
class Tile:
    """One candidate: its pictures with what was seen on each, in words, with its figure; framed where it has a mark.

    pictures: (height, width, 3) uint8 BGR, the same for every tile of a sheet; detections: one for each, in its pixels.
    """

    title: str
    figure: str
    pictures: Sequence[Image]
    detections: Sequence[Detections]
    mark: Mark = ""

    @cached_property
    def sizes_px(self) -> tuple[tuple[int, int], ...]:
        """(width, height) of each picture as it is shown: all of one height."""
        shown = self.pictures[:MAX_PICTURES]
        aspects = [picture.shape[1] / picture.shape[0] for picture in shown]
        mean_area = _PICTURE_AREA_PX * (1.0 if len(shown) == 1 else 0.75)
        height = min(math.sqrt(mean_area * len(shown) / sum(aspects)), _MAX_SIDE_PX)
        height = min(height, _MAX_SIDE_PX / max(aspects))
        return tuple((max(1, round(height * aspect)), max(1, round(height))) for aspect in aspects)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the tile with its frame and its title."""
        width = sum(width for width, _ in self.sizes_px) + 4 * (len(self.sizes_px) - 1)
        height = max(height for _, height in self.sizes_px)
        return max(width, _MIN_TILE_PX) + 2 * _FRAME, height + line_px(_CAP) + line_px(_SMALL_CAP) + 2 * _FRAME


def sheet_of(looked: Looked, labels: Labels, *, model: str) -> Image:
    """The contact sheet of what looking at pictures said, the likeliest first. model: what it is called."""
    tiles = [
        Tile(
            trial.short or trial.words,
            f"{share_words(trial.share)}: {trial_words(trial, labels)}",
            looked.pictures,
            trial.detections,
            mark=_mark(trial, looked),
        )
        for trial in looked.trials[:MAX_TILES]
    ]
    count = len(looked.trials)
    ways = "one way" if count == 1 else f"{count} ways" if count <= MAX_TILES else f"{MAX_TILES} of {count} ways"
    pictures = f"{len(looked.pictures)} pictures" if len(looked.pictures) > 1 else looked.names[0]
    verdict = ": ".join(verdict_words(looked))
    return contact_sheet(tiles, labels, heading=f"{model}: {ways}, {pictures}", verdict=verdict)


def _mark(trial: Trial, looked: Looked) -> Mark:
    likeliest = trial is looked.trials[0]
    if trial.taken and likeliest and not looked.checked:
        return "BELIEVED" if looked.is_sure else "LIKELIEST"
    return "TAKEN" if trial.taken else "LIKELIEST" if likeliest and not looked.checked else ""


def contact_sheet(tiles: Sequence[Tile], labels: Labels, *, heading: str, verdict: str) -> Image:
    """All tiles in rows, the one that holds framed, below a heading: (height, width, 3) uint8 BGR.

    tiles: at least one, all of the same pictures. heading, verdict: a line each.
    """
    width, height = tiles[0].size_px
    columns = _columns(len(tiles), (width, height))
    rows = -(-len(tiles) // columns)
    top = _GAP + line_px(_CAP + 4) + line_px(_CAP) + _GAP // 2
    total_width, total_height = _GAP + columns * (width + _GAP), top + rows * (height + _GAP)
    sheet = np.full((total_height, total_width, 3), _PAPER, np.uint8)
    room_px = total_width - 2 * _GAP
    write(sheet, fitted(drawable(heading), _CAP + 4, room_px), (_GAP, _GAP), _CAP + 4, WHITE)
    write(sheet, fitted(drawable(verdict), _CAP, room_px), (_GAP, _GAP + line_px(_CAP + 4)), _CAP, _MUTED)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        _put(sheet, tile, labels, at_px=(_GAP + column * (width + _GAP), top + row * (height + _GAP)))
    return sheet


def _columns(count: int, size_px: tuple[int, int]) -> int:
    """How many tiles stand side by side, so that the sheet has about the shape of a screen."""
    width, height = size_px
    most = max(1, min(count, _MAX_WIDTH_PX // (width + _GAP)))

    def badness(columns: int) -> tuple[float, int]:
        rows = -(-count // columns)
        empty = rows * columns - count
        aspect = columns * (width + _GAP) / (rows * (height + _GAP))
        return abs(math.log(aspect / _WANTED_ASPECT)) + 0.12 * empty, columns

    return min(range(1, most + 1), key=badness)


def _put(sheet: Image, tile: Tile, labels: Labels, *, at_px: tuple[int, int]) -> None:
    x, y = at_px
    width, height = tile.size_px
    edge = _COLORS[tile.mark]
    cv2.rectangle(sheet, (x, y), (x + width - 1, y + height - 1), edge, cv2.FILLED)
    inner = sheet[y + _FRAME : y + height - _FRAME, x + _FRAME : x + width - _FRAME]
    inner[:] = _CARD
    _title(inner, tile)
    top = line_px(_CAP) + line_px(_SMALL_CAP)
    across = sum(size[0] for size in tile.sizes_px) + 4 * (len(tile.sizes_px) - 1)
    left = (inner.shape[1] - across) // 2
    for picture, detections, size_px in zip(tile.pictures, tile.detections, tile.sizes_px, strict=False):
        drawn = _drawn(picture, detections, labels, size_px)
        inner[top : top + size_px[1], left : left + size_px[0]] = drawn
        left += size_px[0] + 4


def _title(inner: Image, tile: Tile) -> None:
    pad, width = 8, inner.shape[1]
    mark_px = text_px(tile.mark, _SMALL_CAP) + pad if tile.mark else 0
    write(inner, fitted(drawable(tile.title), _CAP, width - 2 * pad - mark_px), (pad, 0), _CAP, WHITE)
    if tile.mark:
        write(inner, tile.mark, (width - mark_px, 2), _SMALL_CAP, _COLORS[tile.mark])
    write(inner, fitted(drawable(tile.figure), _SMALL_CAP, width - 2 * pad), (pad, line_px(_CAP)), _SMALL_CAP, _MUTED)


def _drawn(picture: Image, detections: Detections, labels: Labels, size_px: tuple[int, int]) -> Image:
    """The picture at this size with its boxes: it is shrunk first, so that lines and letters are not."""
    height, width = picture.shape[:2]
    shrinks = size_px[0] < width
    small = cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    ratio = np.array((size_px[0] / width, size_px[1] / height) * 2, np.float32)
    return draw(small.astype(np.uint8, copy=False), replace(detections, boxes=detections.boxes * ratio), labels)
