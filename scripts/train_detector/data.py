"""The labelled photographs: read once, decoded once, mapped into memory for every process.

Annotations are COCO's (../shared/datasets/people); iscrowd marks areas to ignore. Nothing is augmented here.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

TIERS = ("free", "stated permissive", "research or unknown")


@dataclass(frozen=True)
class Labels:
    """The boxes of a picture."""

    boxes: Floats
    """(N, 4) x1, y1, x2, y2 in pixels of the picture."""

    classes: npt.NDArray[np.int64]
    """(N,) index into network.CLASS_NAMES."""

    ignored: npt.NDArray[np.bool_]
    """(N,) True where the box is an area in which the network is neither rewarded nor punished."""

    def keep(self, rows: npt.NDArray[np.bool_]) -> "Labels":
        return Labels(self.boxes[rows], self.classes[rows], self.ignored[rows])

    @classmethod
    def join(cls, parts: Sequence["Labels"]) -> "Labels":
        """All boxes of several, in one frame of reference."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.classes for part in parts]),
            np.concatenate([part.ignored for part in parts]),
        )


@dataclass(frozen=True)
class Sample:
    """A picture (H, W, 3) RGB with its labels."""

    image: Image
    labels: Labels


@dataclass(frozen=True)
class Photograph:
    """What the annotations say of one picture."""

    image_id: int
    dataset: str
    tier: str
    height_px: int
    width_px: int
    offset_bytes: int
    """Where its pixels begin in the cache."""

    labels: Labels

    @property
    def size_bytes(self) -> int:
        return self.height_px * self.width_px * 3


class Photographs:
    """One split, of the chosen tiers. Pixels come from a memory-mapped file that is made at the first use."""

    def __init__(self, folder: Path, *, tiers: Sequence[str], cache_folder: Path) -> None:
        self.annotations_path = folder / "annotations.json"
        document = json.loads(self.annotations_path.read_text(encoding="utf-8"))
        chosen = [image for image in document["images"] if image["tier"] in tiers]
        if not chosen:
            raise ValueError(f"{folder}: no picture of the tiers {', '.join(tiers)}")
        self._photographs = _read_photographs(chosen, document["annotations"])
        self._pixels = _open_cache(folder / "images", chosen, cache_folder)

    def __len__(self) -> int:
        return len(self._photographs)

    def about(self, index: int) -> Photograph:
        """What is known of a picture without its pixels."""
        return self._photographs[index]

    def empty(self) -> list[int]:
        """The pictures in which nobody is, and nothing that might be somebody."""
        return [index for index, about in enumerate(self._photographs) if not len(about.labels.boxes)]

    def sample(self, index: int) -> Sample:
        """A picture as a read-only view of the cache."""
        about = self._photographs[index]
        pixels = self._pixels[about.offset_bytes : about.offset_bytes + about.size_bytes]
        return Sample(pixels.reshape(about.height_px, about.width_px, 3), about.labels)


def _read_photographs(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> list[Photograph]:
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        by_image[annotation["image_id"]].append(annotation)
    photographs = []
    offset_bytes = 0
    for image in images:
        photograph = Photograph(
            image_id=image["id"],
            dataset=image["dataset"],
            tier=image["tier"],
            height_px=image["height"],
            width_px=image["width"],
            offset_bytes=offset_bytes,
            labels=_read_labels(by_image[image["id"]]),
        )
        photographs.append(photograph)
        offset_bytes += photograph.size_bytes
    return photographs


def _read_labels(annotations: list[dict[str, Any]]) -> Labels:
    boxes = np.array([annotation["bbox"] for annotation in annotations], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Labels(
        boxes,
        np.array([annotation["category_id"] - 1 for annotation in annotations], np.int64),
        np.array([annotation["iscrowd"] for annotation in annotations], np.bool_),
    )


def _open_cache(folder: Path, images: list[dict[str, Any]], cache_folder: Path) -> npt.NDArray[np.uint8]:
    """Decoded pixels of all pictures, one after the other; named after what is in it, so it is never stale."""
    names = "\n".join(f"{image['file_name']} {image['width']}x{image['height']}" for image in images)
    path = cache_folder / f"{folder.parent.name}-{hashlib.sha256(names.encode()).hexdigest()[:12]}.rgb"
    if not path.exists():
        _write_cache(path, folder, images)
    return np.memmap(path, np.uint8, mode="r")


def _write_cache(path: Path, folder: Path, images: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        for image in images:
            file.write(_read_picture(folder / image["file_name"], image).tobytes())
    unfinished.replace(path)


def _read_picture(path: Path, image: dict[str, Any]) -> Image:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None or picture.shape != (image["height"], image["width"], 3):
        raise ValueError(f"{path}: not a picture of {image['width']}x{image['height']}")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
