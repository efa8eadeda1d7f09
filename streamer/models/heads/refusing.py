"""Saying why a model is no detector, and what it looks like instead. Called by roles.py and building.py."""

from streamer.errors import SignatureError
from streamer.models.signature import Signature, TensorSpec
from streamer.text import printable

_LISTED = 12
"""How many outputs an error lists."""

_CLASSIFIER = 16
"""So many numbers for a picture are hardly the coordinates of anything."""


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
    if numbers and all(spec.rank == 4 for spec in numbers):
        return (
            ", but maps, as segmentation, depth and heat maps are; where they are a detector's raw outputs, "
            "a card has to say how they are read"
        )
    if len(numbers) == 1:
        return _single(numbers[0])
    if numbers and all(spec.rank in {1, 2} for spec in numbers):
        return ", but numbers for the whole picture, as classifiers and regressors do"
    return ""


def _single(spec: TensorSpec) -> str:
    shape = spec.shape or ()
    sides = shape[1:] if len(shape) > 1 and shape[0] in {1, None} else shape
    if len(sides) == 2:
        return ", but rows of one output; where they are boxes, as YOLO has them, a card has to say what stands in them"
    if len(sides) != 1:
        return ""
    name = spec.name.casefold()
    if "embed" in name or "feature" in name:
        return f", but {sides[0] or 'some'} numbers for the whole picture, as an embedding has"
    if sides[0] is None or sides[0] >= _CLASSIFIER:
        return f", but {sides[0] or 'some'} numbers for the whole picture, as a classifier does"
    return f", but {sides[0]} numbers for the whole picture, as a classifier or a regressor does"
