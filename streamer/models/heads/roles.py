"""Which outputs of a signature are boxes, scores, classes and count, where they are finished: by name, else by shape.

Called by building.py. What is no detector's is refused with what it probably is.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from streamer.models.heads.refusing import no_detector, resembles
from streamer.models.loaded import Role
from streamer.models.signature import Signature, TensorSpec
from streamer.text import printable

_NAMES: Mapping[Role, tuple[str, ...]] = {
    "boxes": ("detection_boxes", "nmsed_boxes", "detected_boxes", "boxes", "bboxes", "bbox"),
    "scores": ("detection_scores", "nmsed_scores", "detected_scores", "scores", "confidences", "confidence", "score"),
    "classes": (
        "detection_classes",
        "nmsed_classes",
        "detected_classes",
        "classes",
        "class_ids",
        "labels",
        "class_labels",
        "class_id",
    ),
    "count": ("num_detections", "num_boxes", "valid_detections", "num_valid", "count", "num"),
}
"""What exports call their outputs, the usual name first."""

_ORDERED = {"": "boxes", ":1": "classes", ":2": "scores", ":3": "count"}
"""What follows the name of a TFLite_Detection_PostProcess, in the order in which the operation gives its outputs."""

_POST_PROCESS = "tflite_detection_postprocess"

_EXTRAS = ("raw_", "detection_anchor_", "detection_multiclass_", "detection_keypoint", "detection_masks", "proposal_")
"""How the names of outputs begin that the Object Detection API gives besides; they are never taken by their shape."""

_OFFSETS = ("loc", "encod", "regress", "delta", "offset")
"""How words in the names of boxes begin that are offsets from anchors."""

_RAW_ROWS = 200
"""Nobody's finished boxes are so many that have such a name."""

NUMBERS = ("float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64")

_FLOATS = ("float", "bfloat")


@dataclass(frozen=True, slots=True)
class Roles:
    """Which outputs are what.

    boxes: [1,M,4] or [M,4]. scores: [1,M] or [M], or with a number for each class behind. classes: None where all is of
    one class, or the scores tell. count: None where the scores alone say what is there.
    either: two outputs of which one is the scores and one the classes, where only their numbers can tell; then `scores`
    and `classes` are the first and the second.
    """

    boxes: TensorSpec
    scores: TensorSpec
    classes: TensorSpec | None = None
    count: TensorSpec | None = None
    either: tuple[TensorSpec, TensorSpec] | None = None

    @property
    def by_class(self) -> bool:
        """Whether the scores are known to have a number for each class."""
        return None not in {self.boxes.rank, self.scores.rank} and self.scores.rank == self.boxes.rank


def plain(name: str) -> str:
    """A name as exports mean it: without scopes, `:0` and capitals. `tower0/Detected_Boxes:0` -> `detected_boxes`."""
    return name.casefold().removesuffix(":0").rsplit("/", 1)[-1]


def find_output(signature: Signature, name: str, part: str) -> TensorSpec:
    """The output that a card or a file calls `name`; `:0`, scopes and capitals may differ where that is not ambiguous.

    Raises SignatureError that lists those there are.
    """
    exact = [spec for spec in signature.outputs if spec.name == name]
    alike = exact or [spec for spec in signature.outputs if plain(spec.name) == plain(name)]
    if len(alike) == 1:
        return alike[0]
    raise no_detector(signature, f"it has no output {printable(name)!r}, which is given as its {part}")


def find_roles(signature: Signature, given: Mapping[Role, str]) -> Roles:
    """Read the parts of finished outputs: those given by name, then known names, then shapes, in whatever order.

    Raises SignatureError that says what is missing, what the model looks like instead, and what there is.
    """
    roles = {role: find_output(signature, name, role) for role, name in given.items()}
    for role in get_args(Role):
        if role not in roles and (spec := _named(signature, role, set(roles.values()))) is not None:
            roles[role] = spec
    boxes = roles.get("boxes") or _boxes_by_shape(signature, set(roles.values()))
    if boxes is None:
        raise no_detector(signature, f"it gives no boxes, [1,N,4]{resembles(signature)}")
    if "boxes" not in given:
        _check_are_boxes(boxes, signature)
    roles["boxes"] = boxes
    return _with_scores(signature, roles)


def _check_are_boxes(spec: TensorSpec, signature: Signature) -> None:
    """Raises SignatureError for one box for the whole picture, and for offsets from anchors, by their name."""
    if spec.rank == 2 and spec.shape is not None:
        batched = bool(signature.inputs) and (signature.inputs[0].shape or (1,))[0] is None
        in_rows = any(other.rank == 1 and not _is_count(other) for other in signature.outputs)
        if spec.shape[0] == 1 or (spec.shape[0] is None and batched and not in_rows):
            raise no_detector(signature, f"its output {spec} is one box for the whole picture, as a localiser gives")
    rows = None if spec.shape is None or len(spec.shape) < 2 else spec.shape[-2]
    if rows is not None and rows >= _RAW_ROWS and any(word.startswith(_OFFSETS) for word in _words(spec.name)):
        raise no_detector(
            signature, f"its output {spec} looks like offsets from anchors; a card has to say which anchors"
        )


def _with_scores(signature: Signature, roles: dict[Role, TensorSpec]) -> Roles:
    boxes, rest = roles["boxes"], list(_unnamed(signature, set(roles.values())))
    counts = [spec for spec in rest if _is_count(spec) and not _is_vector(spec, boxes)]
    if "count" not in roles and len(counts) == 1:
        roles["count"] = counts[0]
        rest.remove(counts[0])
    vectors = [spec for spec in rest if _is_vector(spec, boxes)]
    either = None
    if "scores" not in roles and "classes" not in roles and len(vectors) == 2:
        scores = [spec for spec in vectors if spec.dtype.startswith(_FLOATS)]
        if len(scores) == 2:
            either = (vectors[0], vectors[1])
            roles["scores"], roles["classes"] = either
    if "scores" not in roles:
        floats = [spec for spec in vectors if spec.dtype.startswith(_FLOATS)]
        roles["scores"] = _only(signature, floats or _matrices(rest, boxes), "scores")
    vectors = [spec for spec in vectors if spec not in roles.values()]
    if "classes" not in roles and vectors:
        roles["classes"] = _only(signature, vectors, "classes")
    return Roles(boxes, roles["scores"], roles.get("classes"), roles.get("count"), either)


def _named(signature: Signature, role: Role, taken: set[TensorSpec]) -> TensorSpec | None:
    """The output with the best known name; then one with such a word in its name that has the shape for it."""
    outputs = {plain(spec.name): spec for spec in signature.outputs if spec not in taken}
    for spec in outputs.values():
        suffix = plain(spec.name).removeprefix(_POST_PROCESS)
        if plain(spec.name).startswith(_POST_PROCESS) and _ORDERED.get(suffix) == role:
            return spec
    found = next((outputs[name] for name in _NAMES[role] if name in outputs), None)
    if found is None:
        words = set(_NAMES[role])
        alike = [s for s in _unnamed(signature, taken) if words & set(_words(s.name)) and _fits(s, role)]
        return alike[0] if len(alike) == 1 else None
    if _fits(found, role):
        return found
    raise no_detector(signature, f"its output {found} cannot be {role}")


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z]+", plain(name))


def _fits(spec: TensorSpec, role: Role) -> bool:
    if spec.dtype not in NUMBERS:
        return False
    if spec.shape is None or role == "count":
        return True
    if role == "boxes":
        return len(spec.shape) in {2, 3, 4} and spec.shape[-1] in {4, None}
    return len(spec.shape) in ({1, 2, 3} if role == "scores" else {1, 2})


def _boxes_by_shape(signature: Signature, taken: set[TensorSpec]) -> TensorSpec | None:
    """[1,N,4], or [N,4] beside an [N]: alone, that is four numbers for the whole picture."""
    specs = list(_unnamed(signature, taken))
    found = [spec for spec in specs if spec.rank == 3 and spec.shape and spec.shape[-1] == 4]
    if not found and any(spec.rank == 1 and not _is_count(spec) for spec in signature.outputs):
        found = [spec for spec in specs if spec.rank == 2 and spec.shape and spec.shape[-1] == 4]
    return found[0] if len(found) == 1 else None


def _unnamed(signature: Signature, taken: set[TensorSpec]) -> Iterator[TensorSpec]:
    """The outputs of numbers that are still to be had."""
    for spec in signature.outputs:
        if spec.dtype in NUMBERS and spec not in taken and not plain(spec.name).startswith(_EXTRAS):
            yield spec


def _is_count(spec: TensorSpec) -> bool:
    return spec.shape is not None and all(side == 1 for side in spec.shape)


def _is_vector(spec: TensorSpec, boxes: TensorSpec) -> bool:
    """Whether it may have one number a box."""
    if spec.shape is None:
        return False
    rank = 2 if boxes.shape is None else len(boxes.shape) - 1
    return len(spec.shape) == rank and (boxes.shape is None or _alike(spec.shape[-1], boxes.shape[rank - 1]))


def _matrices(specs: list[TensorSpec], boxes: TensorSpec) -> list[TensorSpec]:
    """Those that may have a number for each class of each box."""
    if boxes.shape is None:
        return []
    return [
        spec
        for spec in specs
        if spec.shape is not None
        and len(spec.shape) == len(boxes.shape)
        and _alike(spec.shape[-2], boxes.shape[-2])
        and spec.dtype.startswith(_FLOATS)
    ]


def _alike(side: int | None, other: int | None) -> bool:
    return side is None or other is None or side == other


def _only(signature: Signature, specs: list[TensorSpec], role: Role) -> TensorSpec:
    if len(specs) == 1:
        return specs[0]
    wanted = f"{_NAMES[role][0]}, [1,N]"
    if not specs:
        raise no_detector(signature, f"it gives no {role}, {wanted}{resembles(signature)}")
    several = " and ".join(printable(spec.name) for spec in specs)
    raise no_detector(signature, f"{several} could each be the {role}; one must be called {wanted}")
