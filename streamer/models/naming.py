"""Which names belong to the classes of a model: the file, and by how much its ids are off.

What label files look like is the matter of labels.py.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ConfigError
from streamer.labels import LabelFile, Labels, load_labels
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

_PLACES = ("label_map.pbtxt", "labelmap.pbtxt", "labels.pbtxt", "labels.txt", "labelmap.txt", "classes.txt")
_PLACES_JSON = ("labels.json", "classes.json")


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of a model's classes, and where they are from, for people."""

    labels: Labels
    origin: str


def name_classes(model: Path, *, labels: Path | None, offset: int | None) -> Naming:
    """Names from the file `labels`, else from one that lies in the model's folder or its assets.

    offset: what is added to the ids of the file; None finds it out, for models that count from 1 as the exports of
    the Object Detection API do. The 80 names of COCO in a plain list go to the ids 1 to 90 that COCO gave them.

    Raises ConfigError when `labels` cannot be read; a file that only lies there and cannot is passed over.
    """
    if labels is not None:
        return _named(load_labels(labels), offset)
    for path in _beside(model):
        try:
            return _named(load_labels(path), offset)
        except ConfigError as error:
            logger.warning("passed over as labels: %s", error)
    return Naming(Labels(), "no labels, classes are shown as #1")


def _beside(model: Path) -> Iterator[Path]:
    for folder in (model, model / "assets"):
        known = [folder / name for name in (*_PLACES, *_PLACES_JSON)]
        others = sorted(folder.glob("*.pbtxt"))
        for path in dict.fromkeys([*known, *others]):
            if path.is_file() and path.name != "saved_model.pbtxt":
                yield path


def _named(file: LabelFile, offset: int | None) -> Naming:
    name = printable(file.path.name)
    if offset is None and _is_coco(file):
        labels = Labels(dict(zip(COCO_IDS, file.names.values(), strict=True)))
        return Naming(labels, f"{name}, the 80 names of COCO put to its ids 1 to 90")
    chosen = file.offset if offset is None else offset
    found = file.labels(chosen)
    return Naming(found, f"{name}, {len(found)} names, offset {chosen:+d}" + (" as told" if offset is not None else ""))


def _is_coco(file: LabelFile) -> bool:
    if file.numbering == "fixed" or list(file.names) != list(range(len(COCO_NAMES))):
        return False
    names = (name.strip().casefold() for name in file.names.values())
    return tuple(_OTHER_SPELLINGS.get(name, name) for name in names) == COCO_NAMES
