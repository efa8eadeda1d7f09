"""Hiding what must not be seen: the picture itself is blurred before anything behind the detector gets it.

It hides what the detector finds on a frame, and follows nobody from one frame to the next: what a model misses is
seen. The command line and `streamer.stream` call `hide`.
"""

import logging
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.analytics.blurring import blurred
from streamer.analytics.wary import HIDE_CONF, Wary
from streamer.clock import NS_PER_S
from streamer.frame import MAX_DETECTIONS, Detections, Frame, Image
from streamer.interfaces import Analysis, Detector

logger = logging.getLogger(__name__)

MARGIN = 0.25
"""How far a box is grown on each side, as a share of its width and height: over hair, ears and chin, and for boxes that
lie a little beside their face. Without it eyes to mouth were hidden in 86 of 100 labelled faces, with a tenth in 95.6,
with a quarter in 96.5 (scripts/bench/people/hidden.py)."""

GROWTH_PER_S = 3.0
"""How far it is grown besides for each second of its age, in shorter sides: half a metre a second for a face, which is
a head that leans over, and a walker's pace for a person."""

STALE_NS = 2 * NS_PER_S
"""Older boxes say nothing any more. By then they have been grown by six of their sides each way."""


class Blur:
    """An Analyzer that blurs the boxes of some classes, and the whole picture where nobody knows what is on it.

    That is where the detector failed on a frame of a file; where it has seen no frame of an epoch yet, in a live stream
    or when it looks at every Nth frame only; and again where its newest boxes are more than STALE_NS old.

    hidden: ids of the classes.
    report: which of the detections go on to whoever comes next; None for all.
    """

    def __init__(self, hidden: frozenset[int], *, report: Callable[[Detections], Detections] | None = None) -> None:
        self._hidden = sorted(hidden)
        self._report = report

    def update(self, frame: Frame, detections: Detections) -> Analysis:
        boxes = self._boxes(frame, detections)
        image: Image | None = blurred(frame.image, boxes) if len(boxes) else None
        return Analysis(detections if self._report is None else self._report(detections), image=image)

    def _boxes(self, frame: Frame, detections: Detections) -> NDArray[np.float32]:
        """(N, 4) x1 y1 x2 y2 of what is hidden; they may reach over the frame."""
        if not detections.looked or detections.age_ns > STALE_NS:
            return np.array([(0, 0, *frame.size_px)], np.float32)
        boxes = detections.boxes[np.isin(detections.class_ids, self._hidden)]
        sides = boxes[:, 2:] - boxes[:, :2]
        reach = MARGIN * sides + GROWTH_PER_S * detections.age_ns / NS_PER_S * sides.min(axis=1, keepdims=True)
        return np.hstack((boxes[:, :2] - reach, boxes[:, 2:] + reach)).astype(np.float32)


def hide(
    detector: Detector, names: Sequence[str], *, classes: Sequence[str] = (), max_det: int = MAX_DETECTIONS
) -> tuple[Wary, Blur]:
    """The detector and the analyzer of a run that hides the classes called `names`.

    detector: gives every class and up to MAX_DETECTIONS boxes; what is reported is chosen here.
    classes: names of the only classes that are reported; empty for all. max_det: the most boxes reported.

    Raises ConfigError for a name that no class has.
    """
    hidden = detector.labels.ids(names, where="--blur")
    reported = detector.labels.ids(classes) if classes else None
    wary = Wary(detector, hidden=hidden, classes=reported, max_det=max_det)
    called = ", ".join(detector.labels.name(class_id) for class_id in sorted(hidden))
    logger.info(
        "blurred: %s, from a score of %.2g on; where the model misses one on a frame, it is seen on that frame",
        called,
        min(wary.conf, HIDE_CONF),
    )
    return wary, Blur(hidden, report=wary.reported)
