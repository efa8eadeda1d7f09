"""Saying why a model is no detector, and what it looks like instead. Called by roles.py and building.py."""

from streamer.errors import SignatureError
from streamer.models.signature import Signature, TensorSpec
from streamer.text import printable

_LISTED = 12
"""How many outputs an error lists."""

_CLASSIFIER = 16
"""So many numbers for a picture are hardly the coordinates of anything."""

_CHANNELS = 3

_MOST_POINTS = 1000
"""MediaPipe's face mesh has 478."""

_POSE = 56
"""4 + 1 + 17 x 3 numbers: a box, its score, and COCO's 17 points with theirs."""

_SMALLEST_MAP = 16

_MAPS = (
    ", but maps, as segmentation, depth and heat maps are; where they are a detector's raw outputs, "
    "a card has to say how they are read"
)

_FEWEST_LEVELS = 4
"""Boxes and scores of two."""

_LEVELS = ", but raw heads of several levels; export it with their decoding inside, or with the levels in one output"

_GRIDS = ", but grids of anchors, as YOLO has them before their decoding; export it with the decoding inside"

_PICTURE = ", but a picture, as super-resolution, style transfer and autoencoders do"


def no_detector(signature: Signature, what: str) -> SignatureError:
    """The error for a signature that is not a detector's, with a list of what it gives."""
    there = "; ".join(map(str, signature.outputs[:_LISTED])) or "none"
    return SignatureError(
        f"the signature {printable(signature.name)!r} is not a detector's: {what}", hint=f"its outputs: {there}"
    )


def resembles(signature: Signature) -> str:
    """What the outputs look like instead, to be put behind a reason: `, but 1001 numbers ..., as a classifier does`."""
    numbers = [spec for spec in signature.outputs if spec.dtype not in {"string", "bool", "resource", "variant"}]
    if signature.outputs and not numbers:
        return ", and no numbers at all"
    sides = [_sides(spec) for spec in numbers]
    if len(numbers) == 1:
        return _single(numbers[0], signature)
    return _several(sides) if sides and all(spec.shape is not None for spec in numbers) else ""


def _several(sides: list[tuple[int | None, ...]]) -> str:
    ranks = {max(1, len(found)) for found in sides}
    if ranks == {1}:
        return ", but numbers for the whole picture, as classifiers and regressors do"
    if ranks == {3}:
        return _LEVELS if len(sides) >= _FEWEST_LEVELS and len({found[:2] for found in sides}) > 1 else _MAPS
    if ranks == {4}:
        return _GRIDS
    kinds = {2: "rows", 3: "maps", 1: "numbers for the whole picture"}
    named = " and ".join(kind for rank, kind in kinds.items() if rank in ranks)
    masks = ", as models do that find the shapes of things" if {2, 3} <= ranks else ""
    return f", but {named}{masks}" if named else ""


def _sides(spec: TensorSpec) -> tuple[int | None, ...]:
    """The shape without the batch, and without sides of 1 before others; a map keeps its one channel."""
    shape = spec.shape or ()
    sides = shape[1:] if len(shape) > 1 and shape[0] in {1, None} else shape
    while len(sides) > 1 and sides[0] == 1:
        sides = sides[1:]
    return sides


def _single(spec: TensorSpec, signature: Signature) -> str:
    sides = _sides(spec)
    if len(sides) == 3:
        return _PICTURE if sides[-1] == _CHANNELS else _MAPS
    if len(sides) == 2:
        return _table(spec, sides, signature)
    if len(sides) != 1:
        return ""
    name = spec.name.casefold()
    if "embed" in name or "feature" in name:
        return f", but {sides[0] or 'some'} numbers for the whole picture, as an embedding has"
    if sides[0] is None or sides[0] >= _CLASSIFIER:
        return f", but {sides[0] or 'some'} numbers for the whole picture, as a classifier does"
    return f", but {sides[0]} numbers for the whole picture, as a classifier or a regressor does"


def _table(spec: TensorSpec, sides: tuple[int | None, ...], signature: Signature) -> str:
    """Of two sides: a map of one channel, points, or rows."""
    first, last = sides
    if "int" in spec.dtype or _is_map(sides, signature):
        return _MAPS
    if first is not None and first <= _MOST_POINTS and last in {2, 3}:
        return f", but {first} points, as a pose or a face mesh has"
    if _POSE in sides:
        return ", but rows of a box, a score and 17 points, as a pose model has; a card has to say what stands in them"
    return ", but rows of one output; where they are boxes, as YOLO has them, a card has to say what stands in them"


def _is_map(sides: tuple[int | None, ...], signature: Signature) -> bool:
    """Whether the two sides are those of the picture, or in proportion."""
    shape = signature.inputs[0].shape if signature.inputs else None
    if shape is None or len(shape) not in {3, 4}:
        return False
    height, width = shape[-2:] if shape[-3] == _CHANNELS else shape[-3:-1]
    first, last = sides
    if first is None or last is None or height is None or width is None:
        return first is None and last is None
    return min(first, last) >= _SMALLEST_MAP and abs(first * width - last * height) < max(height, width)
