"""A detector that looks for what shall be hidden at a lower score than it reports: missing a face is worse than hiding
a bush. What it gives is for `privacy.Blur`, which hides it and passes on what is to be reported.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.frame import MAX_DETECTIONS, Detections, Image
from streamer.interfaces import Detector
from streamer.labels import Labels

HIDE_CONF = 0.15
"""The score from which on a thing is hidden, or the reported one where that is lower. Of 339 labelled faces of 24 px
and more, eyes to mouth were hidden in 96 of 100 with it and in 91 with 0.5, the default for reports; 0.1 brings
one more (scripts/bench/people/hidden.py)."""


class Wary:
    """`detector`, asked for all that it sees, and what of that is to be reported.

    detector: gives every class and up to MAX_DETECTIONS boxes, so that nothing else crowds out what shall be hidden.
        It belongs to this one from now on.
    hidden: ids of the classes that are looked for warily, whether they are reported or not.
    classes, max_det: what is reported, as `Detections.from_raw` takes them; `conf` goes on meaning what it did. All
        three may be changed while it runs; whatever they are, what is hidden stays hidden.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        hidden: frozenset[int],
        classes: frozenset[int] | None = None,
        max_det: int = MAX_DETECTIONS,
    ) -> None:
        self._detector = detector
        self._hidden = sorted(hidden)
        self.classes = classes
        self.max_det = max_det
        self.conf = detector.conf

    @property
    def conf(self) -> float:
        """Lowest score that is reported. Raising it uncovers nothing."""
        return self._conf

    @conf.setter
    def conf(self, conf: float) -> None:
        self._conf = conf
        self._detector.conf = min(conf, HIDE_CONF)

    @property
    def labels(self) -> Labels:
        return self._detector.labels

    @property
    def batch(self) -> int:
        return self._detector.batch

    @property
    def concurrency(self) -> int:
        return self._detector.concurrency

    @property
    def runtime(self) -> str:
        return self._detector.runtime

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """What is to be hidden, at its lower score, and what is to be reported."""
        return [
            found[self._reportable(found) | np.isin(found.class_ids, self._hidden)]
            for found in self._detector.detect(images)
        ]

    def reported(self, detections: Detections) -> Detections:
        """Those of `detections` that are to be reported, as the threshold is now."""
        return detections[self._reportable(detections)][: self.max_det]

    def close(self) -> None:
        self._detector.close()

    def _reportable(self, found: Detections) -> NDArray[np.bool_]:
        wanted: NDArray[np.bool_] = found.scores.astype(np.float64) >= self._conf  # as from_raw compares them
        classes = self.classes
        return wanted if classes is None else wanted & np.isin(found.class_ids, sorted(classes))
