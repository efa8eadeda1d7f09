"""The plan of a training run: every choice that changes its result, and the schedules that follow from them."""

import math
from dataclasses import dataclass

from train_detector.augment import FINISH, Recipe
from train_detector.data import TIERS


@dataclass(frozen=True)
class Plan:
    """Saved with every checkpoint; a resumed run may change `epochs` alone."""

    epochs: int = 60
    seed: int = 20
    batch_size: int = 16
    """Images of a step, of all processes together."""

    tiers: tuple[str, ...] = TIERS
    learning_rate: float = 2e-3
    """The highest; reached after the warm-up, then a half cosine down to LAST_RATE of it."""

    weight_decay: float = 0.02
    mean_decay: float = 0.998
    """Of the moving average of the weights, per step."""

    bfloat16: bool = True
    begin: float = 0.0
    """Progress at which canvas and recipe begin: 0.85 for a few epochs more on weights that are there."""

    drawn_share: float = 1 / 16
    """Of the samples, that are drawn pictures of nothing, once these have begun."""

    def progress(self, epochs_done: int) -> float:
        """Part of the run that is done, 0 to 1, as canvas and recipe see it."""
        return self.begin + (1 - self.begin) * epochs_done / self.epochs


WARM_UP_STEPS = 400
LAST_RATE = 0.02
FINISH_FROM = 0.85
"""Progress at which the last phase begins: pictures as they will be judged, little mosaic."""

GROW_FROM = 0.45
MINE_FROM = 0.3
"""Progress from which pictures of nothing in which the network sees something come more often."""

MINE_EVERY = 4
"""Epochs between two looks for them."""

DRAWN_FROM = 0.55
"""Progress from which drawn pictures of nothing are among the samples: see drawn.py."""

MISTAKE_SCORE = 0.3
MISTAKE_SHARE = 1 / 16
"""Of the samples, that are such a picture instead of the one whose turn it is."""

GRADIENT_LIMIT = 10.0


def learning_rate(plan: Plan, step: int, steps: int) -> float:
    """At a step of all steps of the run."""
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    cosine = 0.5 * (1 + math.cos(math.pi * step / max(steps, 1)))
    return plan.learning_rate * warm_up * (LAST_RATE + (1 - LAST_RATE) * cosine)


def mean_decay(plan: Plan, step: int) -> float:
    """Shorter memory at first, so that the average forgets the beginning."""
    return min(plan.mean_decay, (1 + step) / (20 + step))


def canvas_sides_px(progress: float) -> tuple[int, ...]:
    """Small canvases first, for speed: a step costs as their area."""
    if progress < GROW_FROM:
        return (192, 224)
    return (224, 256, 288) if progress < FINISH_FROM else (288, 320)


def recipe(progress: float) -> Recipe:
    """How to augment at this part (0..1) of the run."""
    return Recipe() if progress < FINISH_FROM else FINISH
