"""What a model takes and gives, read from the model: names, dtypes, shapes, and the part that each one plays.

Pure data: nothing is loaded or run here. The formats fill it; pre- and postprocessing follow it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamer.errors import SignatureError
from streamer.text import printable

DEFAULT_SIGNATURE = "serving_default"

IMAGE_DTYPES = ("uint8", "float32")

_NUMBERS = ("float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64")

_NAMES: Mapping[str, tuple[str, ...]] = {
    "boxes": ("detection_boxes", "boxes", "bboxes", "nmsed_boxes", "detected_boxes"),
    "scores": ("detection_scores", "scores", "confidences", "confidence", "nmsed_scores", "detected_scores"),
    "classes": ("detection_classes", "classes", "class_ids", "labels", "nmsed_classes", "detected_classes"),
    "count": ("num_detections", "num_boxes", "count", "num", "valid_detections"),
}
"""What exports call their outputs, the usual name first."""

_EXTRAS = ("raw_", "detection_anchor_", "detection_multiclass_", "detection_keypoint", "detection_masks", "proposal_")
"""How the names of outputs begin that the Object Detection API gives besides; they are never taken by their shape."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output: `shape` in numpy order, None for a dimension that may change, None for no known rank."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def rank(self) -> int | None:
        """How many dimensions it has."""
        return None if self.shape is None else len(self.shape)

    def __str__(self) -> str:
        shape = (
            "of any rank" if self.shape is None else f"[{','.join('?' if n is None else str(n) for n in self.shape)}]"
        )
        return f"{printable(self.name)} {self.dtype} {shape}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One way of calling a model."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which input is the image, and which outputs are what.

    image: [N,H,W,3] or [H,W,3], uint8 or float32.
    boxes: [N,M,4] or [M,4]; scores and classes: [N,M] or [M]; count: one number an image.
    classes: None where all is of one class; count: None where the scores alone say what is there.
    """

    image: TensorSpec
    boxes: TensorSpec
    scores: TensorSpec
    classes: TensorSpec | None
    count: TensorSpec | None


def choose_signature(names: Sequence[str], wanted: str | None) -> str:
    """The wanted signature, else serving_default, else the only one.

    Raises SignatureError that lists those there are.
    """
    if not names:
        raise SignatureError("the model has no signature", hint="export it with one, called serving_default")
    if wanted is None and len(names) == 1:
        return names[0]
    chosen = DEFAULT_SIGNATURE if wanted is None else wanted
    if chosen in names:
        return chosen
    there = ", ".join(sorted(printable(name) for name in names))
    raise SignatureError(
        f"the model has no signature {printable(chosen)!r}", hint=f"--signature may be one of: {there}"
    )


def assign_roles(signature: Signature) -> Roles:
    """Read a detector's part for every tensor: by name where the name is known, else by shape, in whatever order.

    Raises SignatureError that says what is missing, and lists what there is.
    """
    image = _image(signature)
    roles = {role: _named(signature, role) for role in _NAMES}
    boxes = roles["boxes"] or _boxes_by_shape(signature)
    if boxes is None:
        raise _no_detector(signature, "it gives no boxes, [1,N,4]", "outputs")
    scores, classes = roles["scores"], roles["classes"]
    rows = [spec for spec in _unnamed(signature) if spec is not boxes and spec.rank == _rank_of_rows(boxes)]
    if scores is None:
        scores = _only(signature, [spec for spec in rows if spec.dtype.startswith(("float", "bfloat"))], "scores")
        rows = [spec for spec in rows if spec is not scores]
    if classes is None and rows:
        classes = _only(signature, rows, "classes")
    return Roles(image, boxes, scores, classes, roles["count"])


def _image(signature: Signature) -> TensorSpec:
    if len(signature.inputs) != 1:
        raise _no_detector(signature, f"it takes {len(signature.inputs)} inputs, where one image is wanted", "inputs")
    image = signature.inputs[0]
    if image.dtype not in IMAGE_DTYPES:
        raise _no_detector(signature, f"it takes {image.dtype}, where uint8 or float32 pixels are wanted", "inputs")
    if image.shape is None or len(image.shape) not in {3, 4} or image.shape[-1] not in {3, None}:
        raise _no_detector(signature, "its input is no image, [1,height,width,3]", "inputs")
    if len(image.shape) == 4 and image.shape[0] not in {1, None}:
        raise _no_detector(signature, f"it takes {image.shape[0]} images at once, where one is wanted", "inputs")
    return image


def _named(signature: Signature, role: str) -> TensorSpec | None:
    outputs = {spec.name.casefold(): spec for spec in signature.outputs}
    found = next((outputs[name] for name in _NAMES[role] if name in outputs), None)
    if found is None or _fits(found, role):
        return found
    raise _no_detector(signature, f"its output {found} cannot be {role}", "outputs")


def _fits(spec: TensorSpec, role: str) -> bool:
    if spec.dtype not in _NUMBERS:
        return False
    if spec.shape is None or role == "count":
        return True
    ranks = {2, 3} if role == "boxes" else {1, 2}
    return len(spec.shape) in ranks and (role != "boxes" or spec.shape[-1] in {4, None})


def _boxes_by_shape(signature: Signature) -> TensorSpec | None:
    found = [spec for spec in _unnamed(signature) if spec.rank in {2, 3} and spec.shape and spec.shape[-1] == 4]
    return found[0] if len(found) == 1 else None


def _unnamed(signature: Signature) -> list[TensorSpec]:
    """The outputs of numbers whose names say nothing."""
    known = {name for names in _NAMES.values() for name in names}
    return [
        spec
        for spec in signature.outputs
        if spec.dtype in _NUMBERS and spec.name.casefold() not in known and not spec.name.casefold().startswith(_EXTRAS)
    ]


def _rank_of_rows(boxes: TensorSpec) -> int:
    return 2 if boxes.rank is None else boxes.rank - 1


def _only(signature: Signature, specs: list[TensorSpec], role: str) -> TensorSpec:
    if len(specs) == 1:
        return specs[0]
    wanted = f"{_NAMES[role][0]}, [1,N]"
    if not specs:
        raise _no_detector(signature, f"it gives no {role}, {wanted}", "outputs")
    several = " and ".join(printable(spec.name) for spec in specs)
    raise _no_detector(signature, f"{several} could each be the {role}; one must be called {wanted}", "outputs")


def _no_detector(signature: Signature, what: str, side: str) -> SignatureError:
    specs = signature.inputs if side == "inputs" else signature.outputs
    there = "; ".join(map(str, specs[:12])) or "none"
    return SignatureError(
        f"the signature {printable(signature.name)!r} is not a detector's: {what}", hint=f"its {side}: {there}"
    )
