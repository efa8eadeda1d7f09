"""How good the detector is: COCO's average precision at IoU .5, by class and size, and recall at a wanted precision.

python -m train_detector.evaluate checkpoints/best.pt --data ../shared/datasets/people/val
"""

import argparse
import contextlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from train_detector.augment import MATCH_SIDE_PX
from train_detector.checkpoint import load_network
from train_detector.data import TIERS, Floats, Image, Photographs
from train_detector.network import CLASS_NAMES, Detector
from train_detector.points import decode, locate

LOWEST_SCORE = 0.01
OVERLAP_LIMIT = 0.5
CANDIDATES = 400
DETECTIONS = 100
PAD_VALUE = 114
BATCH_SIZE = 16
FACE_SIDE_PX = 24
WANTED_PRECISION = 0.95
SIDE_BANDS_PX = {"small": (0, 16), "medium": (16, 48), "large": (48, 10_000)}
"""Bands of the shorter side, in pictures of 320."""


@dataclass(frozen=True)
class Found:
    """Detections of one picture, best first."""

    boxes: Floats
    """(N, 4) x1, y1, x2, y2 in pixels of the picture."""

    scores: Floats
    classes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scorecard:
    """What is measured on a split."""

    average_precision: dict[str, float]
    """At IoU .5, by class."""

    by_size: dict[str, dict[str, float]]
    """The same for the bands of SIDE_BANDS_PX."""

    face_recall: float
    """Of faces of FACE_SIDE_PX and more, at WANTED_PRECISION."""

    face_threshold: float
    """The score at which it is reached."""

    @property
    def mean(self) -> float:
        return sum(self.average_precision.values()) / len(self.average_precision)


@torch.inference_mode()
def detect(network: Detector, images: Sequence[Image]) -> list[Found]:
    """Pictures are scaled so that the longer side is MATCH_SIDE_PX, as in the exported model, and padded."""
    device = next(network.parameters()).device
    canvas = np.full((len(images), MATCH_SIDE_PX, MATCH_SIDE_PX, 3), PAD_VALUE, np.uint8)
    scales = [MATCH_SIDE_PX / max(image.shape) for image in images]
    for row, image, scale in zip(canvas, images, scales, strict=True):
        width_px, height_px = round(image.shape[1] * scale), round(image.shape[0] * scale)
        row[:height_px, :width_px] = cv2.resize(image, (width_px, height_px), interpolation=cv2.INTER_LINEAR)
    batch = torch.from_numpy(canvas).to(device).permute(0, 3, 1, 2).float()
    logits, encoded = network(batch)
    boxes = decode(encoded, locate(MATCH_SIDE_PX, MATCH_SIDE_PX).to(device))
    scores = logits.float().sigmoid()
    return [
        _select(scores[row], boxes[row] / scale, image.shape)
        for row, (image, scale) in enumerate(zip(images, scales, strict=True))
    ]


def _select(scores: Tensor, boxes: Tensor, shape: tuple[int, ...]) -> Found:
    limit = torch.tensor([shape[1], shape[0], shape[1], shape[0]], device=boxes.device)
    parts = []
    for index in range(len(CLASS_NAMES)):
        best, rows = scores[:, index].topk(min(CANDIDATES, len(scores)))
        rows = rows[best > LOWEST_SCORE]
        clipped = boxes[rows, index].clamp(min=0).minimum(limit).cpu().numpy()
        own = scores[rows, index].cpu().numpy()
        kept = suppress(clipped, OVERLAP_LIMIT)
        parts.append((clipped[kept], own[kept], np.full(len(kept), index)))
    all_boxes, all_scores, classes = (np.concatenate(values) for values in zip(*parts, strict=True))
    order = np.argsort(-all_scores, kind="stable")[:DETECTIONS]
    return Found(all_boxes[order], all_scores[order], classes[order])


def suppress(boxes: Floats, limit: float) -> list[int]:
    """Greedy non-maximum suppression of boxes that come best first: the rows that stay."""
    if not len(boxes):
        return []
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    overlaps = shared / np.maximum(areas[:, None] + areas[None] - shared, 1e-9)
    alive = np.ones(len(boxes), np.bool_)
    kept = []
    for row in range(len(boxes)):
        if alive[row]:
            kept.append(row)
            alive &= overlaps[row] <= limit
    return kept


def find_all(network: Detector, photographs: Photographs, indices: Iterable[int]) -> list[dict[str, Any]]:
    """Detections in COCO's result format."""
    network.eval()
    results: list[dict[str, Any]] = []
    rows = list(indices)
    for start in range(0, len(rows), BATCH_SIZE):
        chunk = rows[start : start + BATCH_SIZE]
        found = detect(network, [photographs.sample(row).image for row in chunk])
        for row, one in zip(chunk, found, strict=True):
            results.extend(_as_coco(photographs.about(row).image_id, one))
    return results


def _as_coco(image_id: int, found: Found) -> Iterable[dict[str, Any]]:
    for box, score, index in zip(found.boxes, found.scores, found.classes, strict=True):
        x1, y1, x2, y2 = (float(value) for value in box)
        yield {
            "image_id": image_id,
            "category_id": int(index) + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": float(score),
        }


def score(annotations_path: Path, results: list[dict[str, Any]], image_ids: Sequence[int]) -> Scorecard:
    """Judge results against COCO annotations, on the given pictures; areas with iscrowd are ignored."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations_path))
        for annotation in truth.dataset["annotations"]:
            annotation["area"] = min(annotation["bbox"][2:]) ** 2  # bands are bands of the shorter side
        truth.createIndex()
        if not results:
            nothing = dict.fromkeys(CLASS_NAMES, 0.0)
            return Scorecard(nothing, dict.fromkeys(SIDE_BANDS_PX, nothing), 0.0, 1.0)
        found = truth.loadRes(results)
        for annotation in found.dataset["annotations"]:
            annotation["area"] = min(annotation["bbox"][2:]) ** 2
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.params.imgIds = list(image_ids)
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.maxDets = [1, 10, DETECTIONS]
        bands = {"all": (0, 10_000), **SIDE_BANDS_PX, "judged faces": (FACE_SIDE_PX, 10_000)}
        evaluation.params.areaRng = [(low**2, high**2) for low, high in bands.values()]
        evaluation.params.areaRngLbl = list(bands)
        evaluation.evaluate()
        evaluation.accumulate()
    recall, threshold = _recall(evaluation, CLASS_NAMES.index("face"), list(bands).index("judged faces"))
    return Scorecard(
        average_precision=_average_precisions(evaluation, 0),
        by_size={band: _average_precisions(evaluation, 1 + row) for row, band in enumerate(SIDE_BANDS_PX)},
        face_recall=recall,
        face_threshold=threshold,
    )


def _average_precisions(evaluation: Any, band: int) -> dict[str, float]:  # noqa: ANN401 (pycocotools has no types)
    table = evaluation.eval["precision"][0, :, :, band, -1]
    return {name: float(table[:, row].mean()) for row, name in enumerate(CLASS_NAMES)}


def _recall(evaluation: Any, class_index: int, band: int) -> tuple[float, float]:  # noqa: ANN401
    """The highest recall at which precision is still WANTED_PRECISION, in steps of a hundredth, and its score."""
    precision = evaluation.eval["precision"][0, :, class_index, band, -1]
    good = np.flatnonzero(precision >= WANTED_PRECISION)
    if not len(good):
        return 0.0, 1.0
    last = int(good[-1])
    return float(evaluation.params.recThrs[last]), float(evaluation.eval["scores"][0, last, class_index, band, -1])


def report(card: Scorecard) -> str:
    """The scorecard in a few lines."""
    lines = [f"{name:7s} AP50 {value:.3f}" for name, value in card.average_precision.items()]
    for band, values in card.by_size.items():
        lines.append(f"{band:7s} " + "  ".join(f"{name} {value:.3f}" for name, value in values.items()))
    lines.append(
        f"faces of {FACE_SIDE_PX} px and more: recall {card.face_recall:.2f} at precision {WANTED_PRECISION}, "
        f"score {card.face_threshold:.2f}"
    )
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", type=Path, help="a checkpoint (.pt), or detections in COCO's format (.json)")
    parser.add_argument("--data", type=Path, required=True, help="folder of the split, with annotations.json")
    parser.add_argument("--cache", type=Path, default=Path("../out/cache"))
    parser.add_argument("--results", type=Path, help="write the detections there, in COCO's format")
    parser.add_argument("--raw", action="store_true", help="judge the weights as trained instead of their mean (EMA)")
    arguments = parser.parse_args()
    photographs = Photographs(arguments.data, tiers=TIERS, cache_folder=arguments.cache)
    if arguments.subject.suffix == ".json":
        results = json.loads(arguments.subject.read_text(encoding="utf-8"))
    else:
        network = load_network(arguments.subject, mean=not arguments.raw)
        results = find_all(network, photographs, range(len(photographs)))
    if arguments.results:
        arguments.results.write_text(json.dumps(results), encoding="utf-8")
    ids = [photographs.about(row).image_id for row in range(len(photographs))]
    print(report(score(photographs.annotations_path, results, ids)))


if __name__ == "__main__":
    main()
