"""What can be told of a model without understanding it: its size, and the parts that its tensors play."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from streamer.inspection.findings import TensorFact
from streamer.models.heads.roles import plain
from streamer.models.opening import OpenedModel
from streamer.models.signature import TensorSpec

FORMS = {
    "savedmodel": "SavedModel",
    "frozen_graph": "frozen graph",
    "opencv_dnn": "frozen graph for OpenCV's dnn",
    "keras": "Keras file",
    "tflite": "TFLite",
}
"""What people call the forms, where the model itself was not loaded."""


_WORDS: Mapping[str, tuple[str, ...]] = {
    "boxes": ("box",),
    "scores": ("score", "conf"),
    "classes": ("class", "label"),
    "count": ("num", "count", "valid"),
    "heatmap": ("heat", "hm", "center"),
    "sizes": ("size", "wh"),
    "offsets": ("offset", "reg"),
}
"""What in the name of an output tells its part."""


def size_bytes_of(path: Path, *others: Path | None) -> int:
    """Of a file, or of all files in a folder; what cannot be looked at counts for nothing."""
    files = [path, *filter(None, others)]
    if path.is_dir():
        files = [file for file in path.rglob("*") if not file.is_symlink()]
    return sum(file.stat().st_size for file in files if file.is_file())


def parts_played(opened: OpenedModel) -> tuple[tuple[TensorFact, ...], tuple[TensorFact, ...]]:
    """The inputs and outputs with the part that each plays, and why; outputs in the order in which they are read."""
    plan, signature = opened.plan, opened.loaded.signature
    image = plan.input.spec.name
    inputs = tuple(
        TensorFact(plan.input.spec, "image", _why_image(signature.inputs)) if spec.name == image else TensorFact(spec)
        for spec in signature.inputs
    )
    played = {name: part for part, name in plan.head.reads.items()}
    whys = {name: _why_output(name, part, opened) for name, part in played.items()}
    facts = [TensorFact(spec, played.get(spec.name, ""), whys.get(spec.name, "")) for spec in signature.outputs]
    order = [*plan.head.reads, ""]
    return inputs, tuple(sorted(facts, key=lambda fact: order.index(fact.role)))


def _why_image(inputs: Sequence[TensorSpec]) -> str:
    return "its only input" if len(inputs) == 1 else "its only input with the shape of a picture"


def _why_output(name: str, part: str, opened: OpenedModel) -> str:
    own, outputs = opened.card.card.head, opened.loaded.signature.outputs
    if own is not None and name in own.model_dump().values():
        return opened.card.origin
    if name in opened.loaded.hints.roles.values():
        return "its file says so"
    if len(outputs) == 1:
        return "its only output"
    return "its name" if any(word in plain(name) for word in _WORDS.get(part, ())) else "its shape"
