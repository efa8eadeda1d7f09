"""What bad pictures cost: recall on a split whose pictures are turned, darkened, blurred or made small.

    python -m bench.people.stress --data ../../shared/datasets/people/val [--conf .5] [--model DIR]

Of boxes whose shorter side is LARGE_PX and more before the change. Every picture becomes 320x320, letterboxed.
"""

import argparse
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench.people.figures import number, table
from bench.people.matching import Tally, judge
from bench.people.split import CLASSES, Picture, Truth, read_split
from bench.people.subjects import Subject, open_subject

from streamer.frame import Image

LARGE_PX = 24
SIDE_PX = 320

Change = Callable[[Image, Truth], tuple[Image, Truth]]


def turned(degrees: float) -> Change:
    """About the middle, with room for all of it; boxes are those of the ellipses in them."""

    def change(image: Image, truth: Truth) -> tuple[Image, Truth]:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
        size = round(width * cos + height * sin), round(width * sin + height * cos)
        matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
        seen = np.asarray(cv2.warpAffine(image, matrix, size, borderValue=(114, 114, 114)), np.uint8)
        centres = (truth.boxes[:, :2] + truth.boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
        halves = np.sqrt(((truth.boxes[:, 2:] - truth.boxes[:, :2]) / 2) ** 2 @ (matrix[:, :2] ** 2).T)
        boxes = np.hstack([centres - halves, centres + halves]).astype(np.float32)
        return seen, Truth(boxes, truth.classes, truth.ignored)

    return change


def darkened(share: float) -> Change:
    """So much of the light, and the noise of a sensor in the dark."""

    def change(image: Image, truth: Truth) -> tuple[Image, Truth]:
        noise = np.random.default_rng(0).normal(0, 4, image.shape)
        return np.clip(image * share + noise, 0, 255).astype(np.uint8), truth

    return change


def blurred(sigma_px: float) -> Change:
    """Out of focus."""
    return lambda image, truth: (np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8), truth)


def shrunk(share: float) -> Change:
    """Farther away: the picture is so much of the frame."""

    def change(image: Image, truth: Truth) -> tuple[Image, Truth]:
        height, width = image.shape[:2]
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        frame = np.full_like(image, 114)
        top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
        frame[top : top + small.shape[0], left : left + small.shape[1]] = small
        moved = truth.boxes * np.float32(share) + np.array([left, top, left, top], np.float32)
        return frame, Truth(moved, truth.classes, truth.ignored)

    return change


def grey(image: Image, truth: Truth) -> tuple[Image, Truth]:
    """Without colour."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8), truth


CHANGES: dict[str, Change] = {
    "as it is": lambda image, truth: (image, truth),
    **{f"turned by {degrees} degrees": turned(degrees) for degrees in (15, 30, 45, 90, 180)},
    **{f"{share:g} of the light": darkened(share) for share in (0.5, 0.25, 0.12, 0.06)},
    **{f"blurred, sigma {sigma:g} px": blurred(sigma) for sigma in (1, 2, 4)},
    **{f"{share:g} of its size": shrunk(share) for share in (0.5, 0.25)},
    "grey": grey,
}


@dataclass(frozen=True)
class Score:
    """Recall and precision of one class under one change."""

    recall: float
    precision: float


def fitted(image: Image, truth: Truth) -> tuple[Image, Truth]:
    """Scaled so that the longer side is SIDE_PX."""
    scale = SIDE_PX / max(image.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=way), np.uint8)
    return seen, Truth(truth.boxes * np.float32(scale), truth.classes, truth.ignored)


def measure(subject: Subject, pictures: Iterable[Picture], change: Change, *, conf: float) -> dict[int, Score]:
    """Each class, over all pictures."""
    pairs = []
    for picture in pictures:
        image, truth = fitted(picture.read(), picture.truth)
        small = (truth.boxes[:, 2:] - truth.boxes[:, :2]).min(axis=1, initial=np.inf) < LARGE_PX
        image, truth = change(image, Truth(truth.boxes, truth.classes, truth.ignored | small))
        pairs.append((truth, subject.detect(image)))
    scores = {}
    for class_id in CLASSES:
        own = Tally.of(judge(truth, found, class_id=class_id) for truth, found in pairs)
        scores[class_id] = Score(own.recall(conf), own.precision(conf))
    return scores


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the split, with annotations.json")
    parser.add_argument("--conf", type=float, default=0.5)
    parser.add_argument("--model", type=Path, help="a SavedModel's folder; default: the model inside")
    arguments = parser.parse_args()
    pictures = read_split(arguments.data)
    subject = open_subject(arguments.model, kind="savedmodel", labels=None, input_size_px=(SIDE_PX, SIDE_PX))
    rows = []
    for name, change in CHANGES.items():
        scores = measure(subject, pictures, change, conf=arguments.conf)
        rows.append([name, *(number(value) for score in scores.values() for value in (score.recall, score.precision))])
    print(
        table(["picture", *(f"{name} {what}" for name in CLASSES.values() for what in ("recall", "precision"))], rows)
    )


if __name__ == "__main__":
    main()
