"""Boxes and labels of one frame.

It draws what it is told and decides nothing about what was seen. The pipeline calls `draw` once a frame; the window,
the recording and the pictures share what it returns.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from streamer.frame import Detections, Image
from streamer.labels import Color, Labels
from streamer.overlay.lettering import ascii_text, cap_px, contrasting, fitted, line_px, text_px, tile
from streamer.overlay.placement import Rectangles, place

_NAME_SHARE = 0.35
"""The widest name, as a share of the image's width."""

_SMALL_PX = 240
"""An image narrower than this has room for names only, not for scores."""


@dataclass(frozen=True, slots=True)
class Style:
    """What of the detections is shown: their boxes, their labels, and in the labels the scores."""

    boxes: bool = True
    labels: bool = True
    conf: bool = True


SHOW_ALL = Style()


@dataclass(frozen=True, slots=True)
class _Tag:
    """One label in its class colour: a name, and a score that is left out where there is no room."""

    name: str
    score: str
    color: Color
    cap: int

    @property
    def pad_px(self) -> int:
        return max(3, round(0.4 * self.cap))

    @property
    def gap_px(self) -> int:
        return round(0.5 * self.cap)

    def width_px(self, *, short: bool) -> int:
        pieces = [text_px(piece, self.cap) for piece in self._pieces(short=short)]
        return 2 * self.pad_px + sum(pieces) + self.gap_px * (len(pieces) - 1)

    def draw(self, canvas: Image, x: int, y: int, *, short: bool) -> None:
        plate = _plate(self, short=short)
        canvas[y : y + plate.shape[0], x : x + plate.shape[1]] = plate

    def picture(self, *, short: bool) -> Image:
        """The label as it is laid on the image."""
        plate = np.full((line_px(self.cap), self.width_px(short=short), 3), self.color, np.uint8)
        at = self.pad_px
        for piece in self._pieces(short=short):
            lettering = tile(piece, self.cap, contrasting(self.color), self.color)
            plate[:, at : at + lettering.shape[1]] = lettering
            at += lettering.shape[1] + self.gap_px
        plate.setflags(write=False)
        return plate

    def _pieces(self, *, short: bool) -> list[str]:
        return [piece for piece in (self.name, "" if short and self.name else self.score) if piece]


@lru_cache(maxsize=512)
def _plate(tag: _Tag, *, short: bool) -> Image:
    return tag.picture(short=short)


def draw(image: Image, detections: Detections, labels: Labels, style: Style = SHOW_ALL) -> Image:
    """`image` with a rectangle and a label for each detection, as a new image.

    image: (height, width, 3) uint8 BGR of any size; lines and letters grow with it. Boxes that reach over its edge are
    clamped to it, and those outside it are left out. The best scores lie on top and choose their labels' places first.
    """
    canvas = np.array(image, order="C")
    height, width = canvas.shape[:2]
    line, rim = _line_px((width, height))
    rows, boxes = _outlines(detections, size_px=(width, height), reach_px=line // 2 + rim)
    ids = detections.class_ids[rows].tolist()
    if style.boxes:
        for (x1, y1, x2, y2), class_id in zip(reversed(boxes.tolist()), reversed(ids), strict=True):
            _outline(canvas, (x1, y1, x2, y2), labels.color(class_id), line=line, rim=rim)
    if style.labels:
        scores = detections.scores[rows].tolist()
        tags = _tags(ids, scores, labels, size_px=(width, height), with_score=style.conf)
        _draw_tags(canvas, tags, boxes + np.array((rim, rim, -rim, -rim), np.int32), edge_px=line)
    return canvas


def _line_px(size_px: tuple[int, int]) -> tuple[int, int]:
    """Widths of a box's coloured line and of the rim on both sides of it: 2 and 1 on 640x480, 7 and 2 on 4K."""
    side = float(np.sqrt(size_px[0] * size_px[1]))
    line = max(1, round(0.6 + side / 450))
    return line, max(1, round(line / 4))


def _outlines(detections: Detections, *, size_px: tuple[int, int], reach_px: int) -> tuple[list[int], Rectangles]:
    """The rows that can be seen, and the outer edges of their lines, clamped to the image."""
    limit = np.array((*size_px, *size_px), np.float32)
    clamped = np.clip(detections.boxes, 0, limit)
    visible = np.isfinite(clamped).all(axis=1) & (clamped[:, 0] < limit[0]) & (clamped[:, 1] < limit[1])
    visible &= (clamped[:, 2:] > 0).all(axis=1)
    outer = np.rint(clamped[visible]).astype(np.int32) + np.array((-reach_px, -reach_px, reach_px, reach_px), np.int32)
    return np.flatnonzero(visible).tolist(), np.clip(outer, 0, limit.astype(np.int32))


def _outline(canvas: Image, box: tuple[int, int, int, int], color: Color, *, line: int, rim: int) -> None:
    """A coloured line between two rims that set it off from any background; thinner on a box that it would fill."""
    x1, y1, x2, y2 = box
    line = min(line, max(1, min(x2 - x1, y2 - y1) // 10))
    _bars(canvas, box, contrasting(color), thickness=line + 2 * rim)
    _bars(canvas, (x1 + rim, y1 + rim, x2 - rim, y2 - rim), color, thickness=line)


def _bars(canvas: Image, box: tuple[int, int, int, int], color: Color, *, thickness: int) -> None:
    x1, y1, x2, y2 = box
    if x2 - x1 < 1 or y2 - y1 < 1:
        return
    across, down = min(thickness, x2 - x1), min(thickness, y2 - y1)
    for left, top, right, bottom in (
        (x1, y1, x2, y1 + down),
        (x1, y2 - down, x2, y2),
        (x1, y1, x1 + across, y2),
        (x2 - across, y1, x2, y2),
    ):
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), color, cv2.FILLED)


def _tags(
    ids: list[int], scores: list[float], labels: Labels, *, size_px: tuple[int, int], with_score: bool
) -> list[_Tag]:
    cap = cap_px(size_px)
    with_score = with_score and size_px[0] >= _SMALL_PX
    widest = round(_NAME_SHARE * size_px[0])
    tags = []
    for class_id, score in zip(ids, scores, strict=True):
        name = fitted(ascii_text(labels.name(class_id)) or f"#{class_id}", cap, widest)
        tags.append(_Tag(name, f"{score:.0%}" if with_score else "", labels.color(class_id), cap))
    return tags


def _draw_tags(canvas: Image, tags: list[_Tag], boxes: Rectangles, *, edge_px: int) -> None:
    height, width = canvas.shape[:2]
    if not tags or line_px(tags[0].cap) > height:
        return
    tall = line_px(tags[0].cap)
    sizes = np.array([[(tag.width_px(short=short), tall) for short in (False, True)] for tag in tags], np.int32)
    places = place(boxes, sizes, size_px=(width, height), edge_px=edge_px)
    for tag, spot in zip(reversed(tags), reversed(places), strict=True):
        if spot is not None:
            tag.draw(canvas, spot.x, spot.y, short=bool(spot.size))
