"""From a card and a signature to the head that reads the model's outputs, checked as far as the shapes tell.

Called by understanding.py. What shapes leave open shows at the first read.
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from streamer.models.card import AnchorHead, CenterNetHead, DecodedHead, HeadCard, RowsHead, YoloHead
from streamer.models.heads import Head
from streamer.models.heads.anchored import AnchoredBoxes
from streamer.models.heads.anchors import make_anchors
from streamer.models.heads.centernet import CenterPoints
from streamer.models.heads.decoded import ONLY_CLASS, DecodedBoxes
from streamer.models.heads.refusing import no_detector, resembles
from streamer.models.heads.roles import NUMBERS, Roles, find_output, find_roles, plain
from streamer.models.heads.rows import DetectionRows
from streamer.models.heads.scoring import Scoring
from streamer.models.heads.yolo import YoloRows
from streamer.models.loaded import Role
from streamer.models.signature import Signature, TensorSpec

_YXYX = {"detection_boxes", "nmsed_boxes", "tflite_detection_postprocess"}
"""Names of boxes that are y1 x1 y2 x2, whoever gives them."""

_STRIDES_PX = (8, 16, 32)
"""Of the maps of a YOLO."""


def build_head(
    card: HeadCard,
    signature: Signature,
    *,
    input_size_px: tuple[int, int],
    folder: Path | None = None,
    roles: Mapping[Role, str] | None = None,
) -> Head:
    """The head that a card describes.

    input_size_px: (width, height) of what the model is given. folder: where the files are that the card names. roles:
    what the model's file says of its outputs, by name; the card wins.

    Raises SignatureError for outputs that are not such a head's, and ConfigError for anchors that cannot be had.
    """
    match card:
        case DecodedHead():
            return _decoded(card, find_roles(signature, _given(card, roles or {})))
        case RowsHead():
            return _rows(card, signature)
        case AnchorHead():
            return _anchored(card, signature, input_size_px, folder)
        case YoloHead():
            return _yolo(card, signature, input_size_px)
        case CenterNetHead():
            return _centernet(card, signature)


def decoded_card(signature: Signature, roles: Mapping[Role, str] | None = None) -> DecodedHead:
    """The card of a model of finished outputs, as far as names and shapes tell.

    `order` and `unit` are None where nothing says them, scores and classes where only their numbers can tell which is
    which. Names alone do not say the unit: the `detection_boxes` of TensorFlow's Model Garden are px.

    roles: what the model's file says, by output name, as TFLite_Detection_PostProcess fixes it.

    Raises SignatureError for a model that is no such detector.
    """
    found = find_roles(signature, roles or {})
    certain = bool(roles) or plain(found.boxes.name) in _YXYX
    apart = found.either is None
    return DecodedHead(
        boxes=found.boxes.name,
        scores=found.scores.name if apart else None,
        classes=found.classes.name if apart and found.classes else None,
        count=found.count.name if found.count else None,
        order="yxyx" if certain else None,
        unit="fraction" if roles else None,
        nms="per_class" if found.by_class and found.classes is None else "none",
    )


def _given(card: DecodedHead, roles: Mapping[Role, str]) -> dict[Role, str]:
    own: dict[Role, str | None] = {
        "boxes": card.boxes,
        "scores": card.scores,
        "classes": card.classes,
        "count": card.count,
    }
    return {**roles, **{role: name for role, name in own.items() if name is not None}}


def _decoded(card: DecodedHead, roles: Roles) -> DecodedBoxes:
    scoring = Scoring(card.activation, card.background)
    columns = (roles.scores.shape or (None,))[-1] if roles.by_class else None
    classes = None if columns is None else scoring.classes_of(columns)
    first: int | None = None
    if roles.by_class and roles.classes is None:
        first = scoring.first_class_id
    elif roles.classes is None and roles.scores.shape is not None:
        first, classes = ONLY_CLASS, 1
    return DecodedBoxes(
        card,
        boxes=roles.boxes.name,
        scores=roles.scores.name,
        classes=roles.classes.name if roles.classes else None,
        count=roles.count.name if roles.count else None,
        either=(roles.either[0].name, roles.either[1].name) if roles.either else None,
        by_class=roles.by_class,
        first_class_id=first,
        class_count=classes,
    )


def _rows(card: RowsHead, signature: Signature) -> DetectionRows:
    width = len(card.columns)
    spec = _one(signature, card.rows, "rows", f"rows of {width} numbers", lambda spec: _width(spec) in {None, width})
    if (found := _width(spec)) is not None and found < width:
        raise no_detector(signature, f"its output {spec} has {found} numbers a row, where the card has {width} columns")
    return DetectionRows(card, rows=spec.name, class_count=None if "class" in card.columns else 1)


def _yolo(card: YoloHead, signature: Signature, size_px: tuple[int, int]) -> YoloRows:
    spec = _one(signature, card.rows, "rows", "rows of boxes and scores", lambda spec: spec.rank in {2, 3})
    if spec.shape is None:
        return YoloRows(card, rows=spec.name)
    if len(spec.shape) not in {2, 3}:
        raise no_detector(signature, f"its output {spec} is not [1,4+classes,N] or [1,N,4+classes]")
    numbers, rows = spec.shape[-2:] if card.transposed else spec.shape[:-3:-1]
    cells = sum(math.prod(math.ceil(side / stride) for side in size_px) for stride in _STRIDES_PX)
    other = f"; transposed: {str(not card.transposed).lower()} would fit"
    if numbers in {cells, 3 * cells} and rows not in {cells, 3 * cells}:
        raise no_detector(signature, f"its output {spec} has {numbers} rows where its card has numbers{other}")
    classes = None if numbers is None else numbers - 4 - card.objectness
    if classes is not None and classes < 1:
        raise no_detector(signature, f"its output {spec} has {numbers} numbers a row: no box and scores{other}")
    return YoloRows(card, rows=spec.name, class_count=classes)


def _anchored(card: AnchorHead, signature: Signature, size_px: tuple[int, int], folder: Path | None) -> AnchoredBoxes:
    anchors = make_anchors(card.anchors, input_size_px=size_px, folder=folder)
    boxes, scores = _raw_outputs(card, signature, len(anchors))
    for spec, least in ((boxes, 4), (scores, 1)):
        total = _total(spec)
        if total is not None and (total % len(anchors) or total < least * len(anchors)):
            raise no_detector(signature, _misfit(spec, total, len(anchors), size_px))
    columns = None if (total := _total(scores)) is None else total // len(anchors)
    classes = None if columns is None else Scoring(card.activation, card.background).classes_of(columns)
    if classes is not None and classes < 1:
        raise no_detector(signature, f"its output {scores} has no class beside the background")
    return AnchoredBoxes(card, boxes=boxes.name, scores=scores.name, anchors=anchors, class_count=classes)


def _misfit(spec: TensorSpec, total: int, anchors: int, size_px: tuple[int, int]) -> str:
    rows = next((side for side in (spec.shape or ())[1:-1] if side not in {None, 1}), None)
    there = f"{total} numbers" if rows is None else f"{rows} rows"
    return f"its output {spec} has {there}, where the card makes {anchors} anchors at {size_px[0]}x{size_px[1]}"


def _raw_outputs(card: AnchorHead, signature: Signature, anchors: int) -> tuple[TensorSpec, TensorSpec]:
    """The boxes and the scores: by the names of the card, else the two with a row for each anchor; boxes have four."""
    boxes = None if card.boxes is None else find_output(signature, card.boxes, "boxes")
    scores = None if card.scores is None else find_output(signature, card.scores, "scores")
    if boxes is not None and scores is not None:
        return boxes, scores
    fitting = [spec for spec in _numbers(signature) if spec not in {boxes, scores} and _may_have_rows(spec, anchors)]
    if boxes is None:
        wide = [spec for spec in fitting if (_width(spec) or 0) >= 4]
        boxes = _sole([spec for spec in wide if _width(spec) == 4] or wide)
    if scores is None:
        scores = _sole([spec for spec in fitting if spec != boxes])
    if boxes is None or scores is None:
        what = "boxes" if boxes is None else "scores"
        raise no_detector(
            signature, f"which output has the {what} of {anchors} anchors cannot be told; the card may name it"
        )
    return boxes, scores


def _centernet(card: CenterNetHead, signature: Signature) -> CenterPoints:
    heat = find_output(signature, card.heatmap, "heat map") if card.heatmap else None
    sizes = find_output(signature, card.sizes, "sizes") if card.sizes else None
    offsets = find_output(signature, card.offsets, "offsets") if card.offsets else None
    maps = [spec for spec in _numbers(signature) if spec.rank in {3, 4} and spec not in {heat, sizes, offsets}]
    heat = heat or _sole([spec for spec in maps if _width(spec) != 2]) or _called(maps, ("heat", "hm", "center"))
    pairs = [spec for spec in maps if _width(spec) in {2, None} and spec != heat]
    offsets = offsets or _called(pairs, ("offset", "reg"))
    sizes = sizes or _sole([spec for spec in pairs if spec != offsets])
    if heat is None or sizes is None:
        what = "heat map" if heat is None else "sizes"
        raise no_detector(signature, f"which output is the {what} cannot be told; the card may name it")
    for spec, widths in ((heat, None), (sizes, {2, None}), (offsets, {2, None})):
        if spec is not None and (spec.rank not in {3, 4, None} or (widths and _width(spec) not in widths)):
            raise no_detector(signature, f"its output {spec} is no map of a CenterNet")
    return CenterPoints(
        card,
        heatmap=heat.name,
        sizes=sizes.name,
        offsets=offsets.name if offsets else None,
        class_count=_width(heat),
    )


def _one(
    signature: Signature, name: str | None, part: str, wanted: str, fits: Callable[[TensorSpec], bool]
) -> TensorSpec:
    """The output of a head that reads only one."""
    if name is not None:
        return find_output(signature, name, part)
    numbers = _numbers(signature)
    found = _sole(numbers) or _sole([spec for spec in numbers if spec.rank in {2, 3, 4} and fits(spec)])
    if found is None:
        raise no_detector(signature, f"it gives no single output of {wanted}{resembles(signature)}")
    return found


def _numbers(signature: Signature) -> list[TensorSpec]:
    return [spec for spec in signature.outputs if spec.dtype in NUMBERS]


def _sole(specs: list[TensorSpec]) -> TensorSpec | None:
    return specs[0] if len(specs) == 1 else None


def _called(specs: list[TensorSpec], words: tuple[str, ...]) -> TensorSpec | None:
    return _sole([spec for spec in specs if any(word in plain(spec.name) for word in words)])


def _width(spec: TensorSpec) -> int | None:
    return spec.shape[-1] if spec.shape else None


def _total(spec: TensorSpec) -> int | None:
    """How many numbers it has for one image; None where that is open."""
    if not spec.shape:
        return None
    sides = spec.shape[1:] if spec.shape[0] is None and len(spec.shape) > 1 else spec.shape
    known = [side for side in sides if side is not None]
    return math.prod(known) if len(known) == len(sides) else None


def _may_have_rows(spec: TensorSpec, rows: int) -> bool:
    total = _total(spec)
    return total is None or (total > 0 and total % rows == 0)
