"""A model as a Detector: frame -> tensor -> graph -> boxes. It knows no form of model and no runtime."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.frame import Detections, Image
from streamer.labels import Labels
from streamer.models.naming import Naming
from streamer.models.options import ModelOptions
from streamer.models.postprocess import read_detections
from streamer.models.preprocess import ImageInput
from streamer.models.signature import Roles, Signature, assign_roles

logger = logging.getLogger(__name__)

WARM_UP_FRAMES = 2
"""The first call traces and allocates; the second shows that the first one was all of it."""


class Graph(Protocol):
    """What a runtime gives: a loaded graph."""

    @property
    def runtime(self) -> str:
        """What runs it, for people."""

    def run(self, images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """Outputs by name. Raises ModelError."""

    def close(self) -> None:
        """Let go. Idempotent."""


class ModelDetector:
    """A detector made of a loaded graph and what its signature says. Used by one thread at a time.

    Images go in one by one, so that all are of one shape and each gives the same alone and among others.

    conf: the lowest score that is reported; may be changed while it runs.
    rejected: rows of the model's output that were no detections; the first are warned about, all are counted.
    """

    def __init__(
        self,
        graph: Graph,
        signature: Signature,
        *,
        options: ModelOptions,
        naming: Naming,
        form: str,
        input_size_px: tuple[int, int] | None = None,
    ) -> None:
        """Raises SignatureError for a model that is no detector, ConfigError for options that do not fit it."""
        self.conf = options.conf
        self.batch = 1
        self.rejected = 0
        self._graph = graph
        self._signature = signature
        self._naming = naming
        self._form = form
        self._roles: Roles = assign_roles(signature)
        self._input = ImageInput(self._roles.image, input_size_px=input_size_px, scale=options.scale)
        self._max_det = options.max_det
        self._classes = naming.labels.ids(options.classes) if options.classes else None
        self._runtime = graph.runtime
        self._warned = False

    @property
    def labels(self) -> Labels:
        return self._naming.labels

    @property
    def runtime(self) -> str:
        return self._runtime

    @property
    def input_size_px(self) -> tuple[int, int]:
        """(width, height) of what the model is given in this run."""
        return self._input.size_px

    def describe(self) -> str:
        """One line: form, signature, input, scale, size, outputs, labels."""
        width, height = self._input.size_px
        fit = "stretched" if self._input.stretches else "letterboxed"
        parts = {
            "boxes": self._roles.boxes,
            "scores": self._roles.scores,
            "classes": self._roles.classes,
            "count": self._roles.count,
        }
        outputs = ", ".join(f"{part} {spec.name}" if spec else f"no {part}" for part, spec in parts.items())
        size = f"{width}x{height} {fit}"
        return (
            f"{self._form} {self._signature.name}: {self._roles.image} as {self._input.scale} at {size}; "
            f"{outputs}; {self._naming.origin}; {self._runtime}"
        )

    def warm_up(self) -> None:
        """Run black frames, so that what is slow or wrong shows before a camera is opened. Raises ModelError."""
        width, height = self._input.size_px
        for _ in range(WARM_UP_FRAMES):
            self.detect([np.zeros((height, width, 3), np.uint8)])
        self.rejected = 0

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        return [self._read(self._graph.run(self._input.to_tensor(image)), image) for image in images]

    def close(self) -> None:
        self._graph.close()

    def _read(self, outputs: Mapping[str, NDArray[Any]], image: Image) -> Detections:
        found = read_detections(
            outputs,
            self._roles,
            placement=self._input.place((image.shape[1], image.shape[0])),
            conf=self.conf,
            max_det=self._max_det,
            classes=self._classes,
        )
        if found.rejected and not self._warned:
            self._warned = True
            logger.warning(
                "rows of the model's output that are no detections were left out: %d on this frame, more are only "
                "counted (not finite, outside the frame, without area, or with a score outside 0 to 1)",
                found.rejected,
            )
        self.rejected += found.rejected
        return found
