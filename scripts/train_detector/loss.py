"""What training minimises: which locations answer for which box, and how wrong they are.

Assignment is task-aligned (TOOD, arXiv 2108.07755): of the locations in or beside a labelled box, those answer for it
whose score and box already agree with it best. Scores learn the quality of their box by varifocal loss
(arXiv 2008.13367), boxes by GIoU (arXiv 1902.09630). Locations in ignored areas are left out of the loss of that class.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from train_detector.network import CLASS_NAMES
from train_detector.points import Points

ANSWERS = 10
"""Locations that answer for a box, at most."""

SCORE_POWER = 0.5
OVERLAP_POWER = 6.0
NEAR_STRIDES = 1.0
"""A location may answer for a box whose centre is this near, even from outside: for faces smaller than a stride."""

BOX_WEIGHT = 2.5
NEGATIVE_WEIGHT = 0.75
NEGATIVE_POWER = 2.0
TINY = 1e-9


@dataclass(frozen=True)
class Targets:
    """The boxes of a batch, one after the other."""

    boxes: Tensor
    """(G, 4) x1, y1, x2, y2 in input pixels."""

    classes: Tensor
    """(G,) int64."""

    images: Tensor
    """(G,) int64: which image of the batch."""

    ignored: Tensor
    """(G,) bool."""

    def keep(self, rows: Tensor) -> "Targets":
        return Targets(self.boxes[rows], self.classes[rows], self.images[rows], self.ignored[rows])

    def to(self, device: torch.device) -> "Targets":
        return Targets(self.boxes.to(device), self.classes.to(device), self.images.to(device), self.ignored.to(device))


@dataclass(frozen=True)
class Assignment:
    """What each location and class shall answer."""

    scores: Tensor
    """(N, L, classes) in 0..1."""

    owners: Tensor
    """(N, L, classes) int64: row of the targets, -1 for background."""


@dataclass(frozen=True)
class Losses:
    """Of a batch, per unit of assigned quality."""

    score: Tensor
    box: Tensor

    @property
    def total(self) -> Tensor:
        return self.score + BOX_WEIGHT * self.box


def compute_losses(logits: Tensor, boxes: Tensor, targets: Targets, points: Points) -> Losses:
    """Logits (N, L, classes) and decoded boxes (N, L, classes, 4) against the targets."""
    logits = logits.float()
    labelled = targets.keep(~targets.ignored)
    with torch.no_grad():
        assignment = assign(logits.sigmoid(), boxes, labelled, points)
        counted = ~ignored_locations(logits.shape, targets.keep(targets.ignored), points)
        counted |= assignment.owners >= 0
        quality = assignment.scores.sum().clamp(min=1.0)
    score = (varifocal(logits, assignment.scores) * counted).sum() / quality
    chosen = assignment.owners >= 0
    gap = 1 - generalised_overlap(boxes[chosen], labelled.boxes[assignment.owners[chosen]])
    return Losses(score=score, box=(gap * assignment.scores[chosen]).sum() / quality)


def assign(scores: Tensor, boxes: Tensor, targets: Targets, points: Points) -> Assignment:
    """Choose the locations that answer for each box; a location and class wanted twice goes to the better overlap."""
    owners = torch.full(scores.shape, -1, dtype=torch.int64, device=scores.device)
    wanted = torch.zeros_like(scores)
    if len(targets.boxes) == 0:
        return Assignment(wanted, owners)
    overlaps = overlap(boxes[targets.images, :, targets.classes], targets.boxes[:, None])
    own_scores = scores[targets.images, :, targets.classes]
    alignment = (own_scores.pow(SCORE_POWER) * overlaps.pow(OVERLAP_POWER) + TINY) * _near(targets.boxes, points)
    best, locations = alignment.topk(min(ANSWERS, alignment.shape[1]), dim=1)
    rows = torch.arange(len(targets.boxes), device=scores.device)[:, None].expand_as(locations)
    rows, locations = rows[best > 0], locations[best > 0]
    order = overlaps[rows, locations].argsort(stable=True)
    rows, locations = rows[order], locations[order]
    slots = (targets.images[rows], locations, targets.classes[rows])
    owners[slots] = rows
    kept = owners[slots] == rows
    rows, locations, slots = rows[kept], locations[kept], (slots[0][kept], slots[1][kept], slots[2][kept])
    wanted[slots] = _normalised(alignment, overlaps, rows, locations)
    return Assignment(wanted, owners)


def _normalised(alignment: Tensor, overlaps: Tensor, rows: Tensor, locations: Tensor) -> Tensor:
    """Alignment scaled so that the best location of a box is asked for that box's best overlap."""
    chosen = alignment[rows, locations]
    empty = torch.zeros(len(alignment), device=alignment.device)
    best_alignment = empty.scatter_reduce(0, rows, chosen, "amax")
    best_overlap = empty.scatter_reduce(0, rows, overlaps[rows, locations], "amax")
    return chosen / best_alignment[rows].clamp(min=TINY) * best_overlap[rows]


def _near(boxes: Tensor, points: Points) -> Tensor:
    """(G, L): which locations lie inside a box, or beside the centre of it."""
    x, y = points.centres_px[:, 0], points.centres_px[:, 1]
    inside = (x > boxes[:, 0:1]) & (x < boxes[:, 2:3]) & (y > boxes[:, 1:2]) & (y < boxes[:, 3:4])
    reach_px = NEAR_STRIDES * points.strides_px
    centre_x, centre_y = (boxes[:, 0:1] + boxes[:, 2:3]) / 2, (boxes[:, 1:2] + boxes[:, 3:4]) / 2
    return inside | (((x - centre_x).abs() < reach_px) & ((y - centre_y).abs() < reach_px))


def ignored_locations(shape: torch.Size, ignored: Targets, points: Points) -> Tensor:
    """(N, L, classes) True at locations in an ignored area of that class, or within half a stride of it."""
    mask = torch.zeros(shape, dtype=torch.int32, device=ignored.boxes.device)
    margin = points.strides_px / 2
    x, y = points.centres_px[:, 0], points.centres_px[:, 1]
    boxes = ignored.boxes
    inside = (x > boxes[:, 0:1] - margin) & (x < boxes[:, 2:3] + margin)
    inside &= (y > boxes[:, 1:2] - margin) & (y < boxes[:, 3:4] + margin)
    images_classes = mask.permute(0, 2, 1).reshape(-1, shape[1])
    images_classes = images_classes.index_add(0, ignored.images * len(CLASS_NAMES) + ignored.classes, inside.int())
    return images_classes.reshape(shape[0], shape[2], shape[1]).permute(0, 2, 1) > 0


def varifocal(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy; what should be found weighs as its quality, background as much as it is mistaken."""
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    mistaken = NEGATIVE_WEIGHT * logits.detach().sigmoid().pow(NEGATIVE_POWER)
    return entropy * torch.where(wanted > 0, wanted, mistaken)


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4), broadcast."""
    shared, union = _areas(boxes, others)
    return shared / union


def generalised_overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """GIoU of boxes (..., 4): the overlap less the empty part of the smallest box around both."""
    shared, union = _areas(boxes, others)
    low = torch.minimum(boxes[..., :2], others[..., :2])
    high = torch.maximum(boxes[..., 2:], others[..., 2:])
    around = (high - low).prod(dim=-1).clamp(min=TINY)
    return shared / union - (around - union) / around


def _areas(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(boxes[..., :2], others[..., :2])
    high = torch.minimum(boxes[..., 2:], others[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    union = (boxes[..., 2:] - boxes[..., :2]).prod(dim=-1) + (others[..., 2:] - others[..., :2]).prod(dim=-1) - shared
    return shared, union.clamp(min=TINY)
