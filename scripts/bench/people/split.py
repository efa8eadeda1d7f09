"""A split of the labelled photographs (COCO's format), and detections on it, as arrays. Judges nothing."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from streamer.frame import Image

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

CLASSES = {1: "person", 2: "face"}


@dataclass(frozen=True)
class Truth:
    """What is on a picture. Boxes are (N, 4) x1, y1, x2, y2 in pixels; classes are keys of CLASSES."""

    boxes: Floats
    classes: Integers
    ignored: npt.NDArray[np.bool_]
    """(N,) True for areas in which a detection is neither right nor false."""


@dataclass(frozen=True)
class Found:
    """Detections on a picture, the highest score first; boxes and classes as Truth has them."""

    boxes: Floats
    scores: Floats
    classes: Integers

    @classmethod
    def nothing(cls) -> "Found":
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))


@dataclass(frozen=True)
class Picture:
    """One picture with its labels."""

    image_id: int
    path: Path
    dataset: str
    size_px: tuple[int, int]
    truth: Truth

    @property
    def empty(self) -> bool:
        """Nobody is on it, and nothing that might be somebody."""
        return not len(self.truth.boxes)

    def read(self) -> Image:
        """Its pixels. Raises ValueError if they are not those that were labelled."""
        image = cv2.imread(str(self.path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image is None or (image.shape[1], image.shape[0]) != self.size_px:
            raise ValueError(f"{self.path}: not a picture of {self.size_px[0]}x{self.size_px[1]}")
        return np.asarray(image, np.uint8)


def read_split(folder: Path) -> list[Picture]:
    """All pictures of a folder with annotations.json and images/."""
    document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    by_image = _by_image(document["annotations"])
    return [
        Picture(
            image_id=image["id"],
            path=folder / "images" / image["file_name"],
            dataset=image["dataset"],
            size_px=(image["width"], image["height"]),
            truth=_truth(by_image[image["id"]]),
        )
        for image in document["images"]
    ]


def read_results(path: Path) -> dict[int, Found]:
    """Detections in COCO's result format, by image id; pictures without any are left out."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {image_id: _found(own) for image_id, own in _by_image(rows).items()}


def as_results(image_id: int, found: Found) -> Iterator[dict[str, Any]]:
    """Rows of COCO's result format."""
    for box, score, class_id in zip(found.boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True):
        x1, y1, x2, y2 = box
        yield {"image_id": image_id, "category_id": class_id, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}


def _by_image(rows: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_image[row["image_id"]].append(row)
    return by_image


def _truth(rows: list[dict[str, Any]]) -> Truth:
    ignored = np.array([row["iscrowd"] for row in rows], np.bool_)
    return Truth(_corners(rows), np.array([row["category_id"] for row in rows], np.int64), ignored)


def _found(rows: list[dict[str, Any]]) -> Found:
    rows = sorted(rows, key=lambda row: -float(row["score"]))
    scores = np.array([row["score"] for row in rows], np.float32)
    return Found(_corners(rows), scores, np.array([row["category_id"] for row in rows], np.int64))


def _corners(rows: list[dict[str, Any]]) -> Floats:
    boxes = np.array([row["bbox"] for row in rows], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
