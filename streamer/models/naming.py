"""Which names belong to the classes of a model: where they are from, and by how much their ids are off.

What label files look like is the matter of labels.py, where they lie that of label_files.py.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ConfigError
from streamer.labels import LabelFile, Labels, is_placeholder, load_labels, parse_labels
from streamer.models.beside import beside
from streamer.models.card import CardLabels
from streamer.models.label_files import label_files
from streamer.text import printable

logger = logging.getLogger(__name__)

_COCO_LIST = (
    "person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant|stop sign|parking meter|"
    "bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|backpack|umbrella|handbag|tie|suitcase|frisbee|"
    "skis|snowboard|sports ball|kite|baseball bat|baseball glove|skateboard|surfboard|tennis racket|bottle|"
    "wine glass|cup|fork|knife|spoon|bowl|banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|"
    "chair|couch|potted plant|bed|dining table|toilet|tv|laptop|mouse|remote|keyboard|cell phone|microwave|oven|"
    "toaster|sink|refrigerator|book|clock|vase|scissors|teddy bear|hair drier|toothbrush"
)

COCO_NAMES = tuple(_COCO_LIST.split("|"))
"""The 80 classes of COCO that have boxes, in order (https://cocodataset.org)."""

COCO_GAPS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""The ids from 1 to 90 that COCO never gave to a box."""

COCO_IDS = tuple(n for n in range(1, 91) if n not in COCO_GAPS)
"""The ids that COCO gave to COCO_NAMES."""

_OTHER_SPELLINGS = {
    "motorbike": "motorcycle",
    "aeroplane": "airplane",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "tvmonitor": "tv",
}
"""As darknet's coco.names, after Pascal VOC, has them."""

_PACKED = "the labels in the model"


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of a model's classes, and where they are from, for people.

    offset: what was added to the ids of the labels; None where there are no labels, or each has an id of its own.
    path: the file that they are from, if it is one. misfit: why they cannot be this model's; empty where they can.
    """

    labels: Labels
    origin: str
    offset: int | None = None
    path: Path | None = None
    misfit: str = ""


@dataclass(frozen=True, slots=True)
class _Classes:
    """What is known of a model's classes. count: None where nobody knows."""

    first_id: int
    count: int | None

    def misfit(self, labels: Labels) -> str:
        """Why `labels` cannot be theirs: names for ids that there are not, or for less than half of those there are."""
        ids = labels.known_ids
        if self.count is None or not ids:
            return ""
        outside = sum(not self.first_id <= n < self.first_id + self.count for n in ids)
        if not outside and 2 * len(ids) >= self.count:
            return ""
        if outside and len(ids) <= self.count:
            last = self.first_id + self.count - 1
            return f"{outside} of the {_names(len(ids))} are for ids outside {self.first_id} to {last}"
        known, there = _classes(self.count), _names(len(ids))
        return f"the model knows {known}, the labels have {there}: are they another model's?"


def name_classes(
    model: Path,
    *,
    labels: Path | None,
    offset: int | None,
    first_class_id: int = 1,
    class_count: int | None = None,
    card_labels: CardLabels | None = None,
    card_folder: Path | None = None,
    packed: str | None = None,
    family_labels: CardLabels | None = None,
    family: str = "",
) -> Naming:
    """Names from the file `labels`, else from the card, packed in the model, from a file beside it, or of its family.

    offset: what is added to the ids of the labels; None finds it out. first_class_id: the id that the model gives to
    its first class; class_count: how many it has, if that is known. card_folder: where a file that a card names lies.
    packed: the text of a label file inside the model. family: which one the model is taken for. The 80 names of COCO go
    to 80 ids in a row or to the 90 that COCO gave them, whichever the model has.

    Raises ConfigError when `labels`, or a file that the card names, cannot be read; what only lies there, and cannot,
    is passed over.
    """
    classes = _Classes(first_class_id, class_count)
    if labels is not None:
        return _named(load_labels(labels), offset, classes)
    if card_labels is not None:
        return _of_card(card_labels, card_folder, offset, classes, whose="its card")
    if packed is not None:
        try:
            return _named(parse_labels(packed, path=Path(_PACKED)), offset, classes)
        except ConfigError as error:
            logger.warning("passed over as labels: %s", error)
    for path in label_files(model):
        try:
            return _named(load_labels(path), offset, classes)
        except ConfigError as error:
            logger.warning("passed over as labels: %s", error)
    if family_labels is not None:
        return _of_card(family_labels, None, offset, classes, whose=f"preset {family}")
    return Naming(Labels(), "no labels, classes are shown as #1")


def _of_card(names: CardLabels, folder: Path | None, offset: int | None, classes: _Classes, *, whose: str) -> Naming:
    if isinstance(names, str):
        return _named(load_labels(beside(folder or Path(), names)), offset, classes)
    by_id = names if isinstance(names, dict) else dict(enumerate(names))
    usual = 0 if isinstance(names, dict) else classes.first_id
    chosen = usual if offset is None else offset
    labels = Labels({n + chosen: name for n, name in by_id.items() if not is_placeholder(name)})
    told = "" if offset is None else f", offset {offset:+d} as told"
    origin = f"{_names(len(labels))} of {whose}{_fit(classes)}{told}"
    return Naming(labels, origin, chosen, None, classes.misfit(labels))


def _named(file: LabelFile, offset: int | None, classes: _Classes) -> Naming:
    path = None if file.path == Path(_PACKED) else file.path
    name = printable(file.path.name)
    if offset is None and _is_coco(file) and (ids := _other_coco_ids(file, classes)):
        named = [name for _, name in sorted(file.names.items()) if not is_placeholder(name)]
        labels = Labels(dict(zip(ids, named, strict=True)))
        origin = f"{name}, the 80 names of COCO put to its ids {ids[0]} to {ids[-1]}"
        return Naming(labels, origin, None, path, classes.misfit(labels))
    chosen = file.offset(classes.first_id) if offset is None else offset
    labels = file.labels(chosen)
    told = "" if offset is None else " as told"
    origin = f"{name}, {_names(len(labels))}{_fit(classes)}, offset {chosen:+d}{told}"
    return Naming(labels, origin, chosen, path, classes.misfit(labels))


def _fit(classes: _Classes) -> str:
    return "" if classes.count is None else f" for {_classes(classes.count)}"


def _other_coco_ids(file: LabelFile, classes: _Classes) -> tuple[int, ...]:
    """The ids of a model for COCO_NAMES, where the file has gaps and the model has none or the other way round.

    A model of unknown count has the gaps where it counts from 1, as the Object Detection API does.
    """
    has_gaps = max(file.names) - min(file.names) > len(COCO_NAMES)
    wants_gaps = has_gaps or classes.first_id == 1 if classes.count is None else classes.count > len(COCO_NAMES)
    if has_gaps == wants_gaps:
        return ()
    if wants_gaps:
        return tuple(n - 1 + classes.first_id for n in COCO_IDS)
    return tuple(range(classes.first_id, classes.first_id + len(COCO_NAMES)))


def _is_coco(file: LabelFile) -> bool:
    names = (name.strip().casefold() for _, name in sorted(file.names.items()) if not is_placeholder(name))
    return tuple(_OTHER_SPELLINGS.get(name, name) for name in names) == COCO_NAMES


def _names(count: int) -> str:
    return "1 name" if count == 1 else f"{count} names"


def _classes(count: int) -> str:
    return "1 class" if count == 1 else f"{count} classes"
