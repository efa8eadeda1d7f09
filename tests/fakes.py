"""Stand-ins that keep to the contracts: what a test needs to say exactly, without a model."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from streamer.errors import ModelError
from streamer.frame import MAX_DETECTIONS, Detections, Image
from streamer.labels import Labels


class FakeDetector:
    """Sees the same boxes on every image, and fails where it is told to.

    boxes, scores, class_ids: as `Detections.from_raw` takes them, in pixels of whatever image comes.
    raise_at: which images, counted from 0, raise ModelError.
    on_detect: called with the number of each image before it is looked at: wait on an event in it, move a clock, count.
    """

    def __init__(
        self,
        *,
        boxes: ArrayLike = ((10, 10, 50, 40),),
        scores: ArrayLike = (0.9,),
        class_ids: ArrayLike = (1,),
        labels: Labels | None = None,
        raise_at: frozenset[int] = frozenset(),
        on_detect: Callable[[int], None] | None = None,
        batch: int = 1,
        concurrency: int = 1,
        conf: float = 0.5,
    ) -> None:
        self.conf = conf
        self.seen = 0
        self.closed = False
        self._rows = (boxes, scores, class_ids)
        self._labels = labels if labels is not None else Labels({1: "thing"})
        self._raise_at = raise_at
        self._on_detect = on_detect
        self._batch = batch
        self._concurrency = concurrency
        self._counting = threading.Lock()

    @property
    def labels(self) -> Labels:
        return self._labels

    @property
    def batch(self) -> int:
        return self._batch

    @property
    def concurrency(self) -> int:
        return self._concurrency

    @property
    def runtime(self) -> str:
        return "fake"

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        return [self._one(image) for image in images]

    def close(self) -> None:
        self.closed = True

    def _one(self, image: Image) -> Detections:
        with self._counting:
            number = self.seen
            self.seen += 1
        if self._on_detect is not None:
            self._on_detect(number)
        if number in self._raise_at:
            raise ModelError(f"the fake detector fails on image {number}")
        boxes, scores, class_ids = self._rows
        height, width = image.shape[:2]
        return Detections.from_raw(
            boxes, scores, class_ids, size_px=(width, height), conf=self.conf, max_det=MAX_DETECTIONS
        )


class NoGraph:
    """A graph that nobody runs."""

    @property
    def runtime(self) -> str:
        return "nothing"

    def run(self, images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        raise ModelError(f"nobody runs {images.shape}")

    def close(self) -> None:
        """There is nothing to let go."""


class Gate:
    """Something that a thread can be held at, and a test can let go."""

    def __init__(self, *, at: int) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self._at = at

    def __call__(self, number: int) -> None:
        if number == self._at:
            self.reached.set()
            assert self.opened.wait(30)
