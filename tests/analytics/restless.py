"""A detector that sees much, and another thing on each frame."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.frame import Detections, Image
from streamer.labels import Labels
from tests.e2e.child import DescribedDetector

LABELS = Labels({0: "person", 3: 'a "b", c', 12: "Gänse"})
SIZE_PX = (160, 120)


class RestlessDetector(DescribedDetector):
    """Sees boxes of every size and place, others on each image, which its grey tells apart; fails on some."""

    def __init__(self, *, conf: float = 0.0, fails: bool = False) -> None:
        super().__init__(labels=LABELS, conf=conf)
        self._fails = fails

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        return [self._seen(image) for image in images]

    def _seen(self, image: Image) -> Detections:
        grey = int(image[60, 80, 0])
        if self._fails and grey // 6 % 5 == 3:
            raise ModelError("it fails on this one")
        random = np.random.default_rng(grey)
        count = grey // 6 % 7
        corners: NDArray[np.float64] = random.uniform(-20, 180, (count, 4))
        boxes = np.hstack((np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:])))
        ids = random.choice((0, 3, 12, 17), count)
        return Detections.from_raw(boxes, random.uniform(0, 1, count), ids, size_px=SIZE_PX, conf=self.conf)
