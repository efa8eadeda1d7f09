"""Boxes and labels of one frame.

It draws what it is told and decides nothing about what was seen. The pipeline calls `draw` once a frame; the window,
the recording and the pictures share what it returns.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from streamer.frame import Detections, Image
from streamer.labels import Color, Labels
from streamer.overlay.caption import NOTHING, Caption, lay_out, put_caption
from streamer.overlay.lettering import BLACK, MIN_CAP_PX, WHITE, cap_px, contrasting, drawable, fitted, line_px, text_px
from streamer.overlay.placement import Box, Rectangles, place
from streamer.overlay.tags import Tag
from streamer.overlay.themes import THEMES
from streamer.style import Style

_NAME_SHARE = 0.35
"""The widest name, as a share of the image's width."""

_SMALL_PX = 240
"""An image narrower than this has room for names only, not for scores."""

_THICKEST = 1 / 16
"""The thickest line, as a share of the image's shorter side."""

_CORNER_SHARE = 0.25
"""How much of a box's shorter side the line follows from each corner, where only corners are drawn."""

SHOW_ALL = Style()


def draw(
    image: Image, detections: Detections, labels: Labels, style: Style = SHOW_ALL, *, caption: Caption = NOTHING
) -> Image:
    """`image` with a rectangle and a label for each detection, as a new image.

    image: (height, width, 3) uint8 BGR of any size; lines and letters grow with it. Boxes that reach over its edge are
    clamped to it, and those outside it are left out. The best scores lie on top and choose their labels' places first.
    caption: what is burnt into the lower left corner, over all else; labels stay clear of it.
    """
    canvas = np.array(image, order="C")
    height, width = canvas.shape[:2]
    line, rim = _line_px((width, height), style)
    rims = 2 * rim if THEMES[style.theme].double_rim else rim
    rows, boxes = _outlines(detections, size_px=(width, height), reach_px=line // 2 + rims)
    ids = detections.class_ids[rows].tolist()
    if style.boxes:
        for box, class_id in zip(reversed(boxes.tolist()), reversed(ids), strict=True):
            _outline(canvas, box, labels.color(class_id), style, line=line, rim=rim)
    burnt_in = lay_out(caption, style, size_px=(width, height))
    if style.labels:
        tags = _tags(detections, rows, labels, style, size_px=(width, height))
        inner = boxes + np.array((rims, rims, -rims, -rims), np.int32)
        _draw_tags(canvas, tags, inner, edge_px=line, taken=None if burnt_in is None else burnt_in.box)
    if burnt_in is not None:
        put_caption(canvas, burnt_in, style)
    return canvas


def _line_px(size_px: tuple[int, int], style: Style) -> tuple[int, int]:
    """Widths of a box's coloured line and of the rim on both sides of it: 2 and 1 on 640x480, 7 and 2 on 4K."""
    side = float(np.sqrt(size_px[0] * size_px[1]))
    usual = round(THEMES[style.theme].line * (0.6 + side / 450))
    line = max(1, min(style.line_px or usual, round(_THICKEST * min(size_px))))
    return line, max(1, round(line / 4))


def _outlines(detections: Detections, *, size_px: tuple[int, int], reach_px: int) -> tuple[list[int], Rectangles]:
    """The rows that can be seen, and the outer edges of their lines, clamped to the image."""
    limit = np.array((*size_px, *size_px), np.float32)
    clamped = np.clip(detections.boxes, 0, limit)
    visible = np.isfinite(clamped).all(axis=1) & (clamped[:, 0] < limit[0]) & (clamped[:, 1] < limit[1])
    visible &= (clamped[:, 2:] > 0).all(axis=1)
    outer = np.rint(clamped[visible]).astype(np.int32) + np.array((-reach_px, -reach_px, reach_px, reach_px), np.int32)
    return np.flatnonzero(visible).tolist(), np.clip(outer, 0, limit.astype(np.int32))


def _outline(canvas: Image, box: Sequence[int], color: Color, style: Style, *, line: int, rim: int) -> None:
    """A coloured line between rims that set it off from any background; thinner on a box that it would fill."""
    x1, y1, x2, y2 = box
    line = min(line, max(1, min(x2 - x1, y2 - y1) // 10))
    inwards = [BLACK, WHITE, color] if THEMES[style.theme].double_rim else [contrasting(color), color]
    rims = len(inwards) - 1
    arm = _arm_px(box, line=line + 2 * rims * rim) if style.box_style == "corners" else None
    for depth, layer in enumerate(inwards):
        inset = depth * rim
        _bars(
            canvas,
            (x1 + inset, y1 + inset, x2 - inset, y2 - inset),
            layer,
            thickness=line + 2 * (rims - depth) * rim,
            arm=None if arm is None else arm - 2 * inset,
        )


def _arm_px(box: Sequence[int], *, line: int) -> int | None:
    """Length of the line from each corner; None where the box is so small that the arms would meet."""
    shorter = min(box[2] - box[0], box[3] - box[1])
    arm = max(round(_CORNER_SHARE * shorter), 3 * line)
    return arm if 2.5 * arm < shorter else None


def _bars(canvas: Image, box: tuple[int, int, int, int], color: Color, *, thickness: int, arm: int | None) -> None:
    """The four sides of a box, inwards from its edges; `arm` pixels of them from each corner if that is given."""
    x1, y1, x2, y2 = box
    if x2 - x1 < 1 or y2 - y1 < 1:
        return
    across, down = min(thickness, x2 - x1), min(thickness, y2 - y1)
    columns = ((x1, x2),) if arm is None else ((x1, x1 + arm), (x2 - arm, x2))
    rows = ((y1, y2),) if arm is None else ((y1, y1 + arm), (y2 - arm, y2))
    for left, right in columns:
        cv2.rectangle(canvas, (left, y1), (right - 1, y1 + down - 1), color, cv2.FILLED)
        cv2.rectangle(canvas, (left, y2 - down), (right - 1, y2 - 1), color, cv2.FILLED)
    for top, bottom in rows:
        cv2.rectangle(canvas, (x1, top), (x1 + across - 1, bottom - 1), color, cv2.FILLED)
        cv2.rectangle(canvas, (x2 - across, top), (x2 - 1, bottom - 1), color, cv2.FILLED)


def _tags(
    detections: Detections, rows: list[int], labels: Labels, style: Style, *, size_px: tuple[int, int]
) -> list[Tag]:
    theme = THEMES[style.theme]
    cap = max(MIN_CAP_PX, round(theme.cap * cap_px(size_px)))
    with_score = style.conf and size_px[0] >= _SMALL_PX
    widest = round(_NAME_SHARE * size_px[0])
    ids, scores = detections.class_ids[rows].tolist(), detections.scores[rows].tolist()
    numbers = detections.track_ids[rows].tolist() if detections.track_ids is not None and style.tracks else None
    tags = []
    for n, (class_id, score) in enumerate(zip(ids, scores, strict=True)):
        track = f"#{numbers[n]}" if numbers is not None else ""
        room = widest - text_px(track, cap, style.font) if track else widest
        name = fitted(drawable(labels.name(class_id), style.font) or f"#{class_id}", cap, room, style.font)
        score_text = f"{score:.0%}" if with_score else ""
        tags.append(Tag(name, track, score_text, labels.color(class_id), cap, theme.label, style.font))
    return tags


def _draw_tags(canvas: Image, tags: list[Tag], boxes: Rectangles, *, edge_px: int, taken: Box | None) -> None:
    height, width = canvas.shape[:2]
    if not tags or line_px(tags[0].cap) > height:
        return
    tall = line_px(tags[0].cap)
    sizes = np.array([[(tag.width_px(short=short), tall) for short in (False, True)] for tag in tags], np.int32)
    places = place(boxes, sizes, size_px=(width, height), edge_px=edge_px, taken=taken)
    for tag, spot in zip(reversed(tags), reversed(places), strict=True):
        if spot is not None:
            tag.draw(canvas, spot.x, spot.y, short=bool(spot.size))
