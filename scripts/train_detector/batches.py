"""Batches of an epoch: what is in batch 17 of epoch 5 follows from the seed alone, so training resumes exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from train_detector.augment import Recipe, make_sample
from train_detector.data import Photographs, Sample
from train_detector.drawn import draw_nothing
from train_detector.loss import Targets
from train_detector.plan import MISTAKE_SHARE


@dataclass(frozen=True)
class Batch:
    """Images (N, H, W, 3) uint8 RGB and what is in them."""

    images: Tensor
    targets: Targets


@dataclass(frozen=True)
class EpochPlan:
    """What decides an epoch's batches."""

    seed: int
    epoch: int
    batch_size: int
    """Images of a step, of all processes together."""

    canvas_sides_px: tuple[int, ...]
    """One of these is drawn for each step, the same in every process."""

    recipe: Recipe
    drawn_share: float = 0.0
    """Of the samples, that are drawn pictures of nothing."""

    mistakes: tuple[int, ...] = ()
    """Pictures of nothing in which the network last saw something: they come again as MISTAKE_SHARE of the samples."""


class TrainingBatches(Dataset[Batch]):
    """The share of one process (`rank` of `world`) in each step of an epoch; the last incomplete step is left out."""

    def __init__(self, photographs: Photographs, plan: EpochPlan, *, rank: int, world: int) -> None:
        if plan.batch_size % world:
            raise ValueError(f"a batch of {plan.batch_size} does not divide among {world} processes")
        self._photographs = photographs
        self._plan = plan
        self._share = slice(rank, None, world)
        self._order = np.random.default_rng((plan.seed, plan.epoch)).permutation(len(photographs))

    def __len__(self) -> int:
        return len(self._order) // self._plan.batch_size

    def __getitem__(self, step: int) -> Batch:
        if not 0 <= step < len(self):
            raise IndexError(step)
        plan = self._plan
        sides = plan.canvas_sides_px
        side_px = sides[int(np.random.default_rng((plan.seed, plan.epoch, step)).integers(len(sides)))]
        indices = self._order[step * plan.batch_size : (step + 1) * plan.batch_size]
        return collate([self._sample(int(index), side_px) for index in indices[self._share]])

    def _sample(self, index: int, side_px: int) -> Sample:
        rng = np.random.default_rng((self._plan.seed, self._plan.epoch, 1 << 20, index))
        mistakes = self._plan.mistakes
        if mistakes and rng.random() < MISTAKE_SHARE:
            index = mistakes[int(rng.integers(len(mistakes)))]
        drawn = self._plan.drawn_share > 0 and rng.random() < self._plan.drawn_share
        return make_sample(
            rng,
            (lambda _: draw_nothing(rng)) if drawn else self._photographs.sample,
            count=len(self._photographs),
            index=index,
            side_px=side_px,
            recipe=self._plan.recipe,
        )


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples of one size, stacked."""
    counts = [len(sample.labels.boxes) for sample in samples]
    return Batch(
        torch.from_numpy(np.stack([sample.image for sample in samples])),
        Targets(
            boxes=torch.from_numpy(np.concatenate([sample.labels.boxes for sample in samples])),
            classes=torch.from_numpy(np.concatenate([sample.labels.classes for sample in samples])),
            images=torch.repeat_interleave(torch.arange(len(samples)), torch.tensor(counts)),
            ignored=torch.from_numpy(np.concatenate([sample.labels.ignored for sample in samples])),
        ),
    )
