"""A model as a Detector: frames -> outputs -> boxes. It knows no form of model and no runtime."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer import trace
from streamer.errors import ModelError
from streamer.frame import MAX_DETECTIONS, Detections, Image
from streamer.labels import Labels
from streamer.models.heads.scoring import PADDING
from streamer.models.heads.suppression import MAX_CANDIDATES
from streamer.models.loaded import Loaded
from streamer.models.naming import Naming
from streamer.models.options import ModelOptions
from streamer.models.plan import Plan
from streamer.models.running import Run, SignatureRun

logger = logging.getLogger(__name__)

WARM_UP_FRAMES = 2
"""The first call traces and allocates; the second shows that the first one was all of it."""


class ModelDetector:
    """A detector made of an open model and the plan of how it is fed and read. Used by `concurrency` threads at a time.

    A graph that takes one image at a time is given them one by one; one that takes a batch of eight is given eight.

    loaded: the model as its file describes it. run: what runs it; the signature as it was saved, if None.
    warns: whether it says what is odd about the model's output.

    conf: the lowest score that is reported. classes: ids of the only classes that are; None for all. max_det: the most
    boxes of an image. All three may be changed while it runs, and hold from the next image.
    rejected: rows of the model's output that were no detections; the first are warned about, all are counted.
    """

    def __init__(
        self,
        loaded: Loaded,
        plan: Plan,
        *,
        options: ModelOptions,
        naming: Naming,
        run: Run | None = None,
        warns: bool = True,
    ) -> None:
        """Raises ConfigError for options that do not fit the model."""
        self.conf = options.conf
        self.rejected = 0
        self._run: Run = run or SignatureRun(loaded.graph, plan)
        self._loaded = loaded
        self._plan = plan
        self._naming = naming
        self._named = naming.labels.known_ids
        self.max_det = options.max_det
        self.classes = naming.labels.ids(options.classes) if options.classes else None
        self._warned: set[str] = set() if warns else {"rejected", "nameless"}

    @property
    def batch(self) -> int:
        return self._run.batch

    @property
    def concurrency(self) -> int:
        return self._run.concurrency

    @property
    def labels(self) -> Labels:
        return self._naming.labels

    @property
    def runtime(self) -> str:
        return self._run.runtime

    @property
    def plan(self) -> Plan:
        """How the model is fed and read, and why."""
        return self._plan

    @property
    def input_size_px(self) -> tuple[int, int]:
        """(width, height) of what the model is given in this run."""
        return self._run.size_px

    def describe(self) -> str:
        """One line: form, signature, input, scale, size, outputs, labels; `?` behind what nothing in the model says."""
        plan, (width, height) = self._plan, self._run.size_px
        unsure = {choice.what for choice in plan.open_choices()}

        def marked(what: str, text: str) -> str:
            return f"{text}?" if what in unsure else text

        scale = marked("scale", plan.input.scale)
        order = marked("channel order", plan.input.channel_order.upper())
        fit = {"stretch": "stretched", "letterbox": "letterboxed", "crop": "cropped"}[plan.input.fit]
        outputs = ", ".join(f"{part} {name}" for part, name in plan.head.reads.items())
        fed = f"{plan.input.spec} as {order} {scale} at {width}x{height} {fit}"
        parts = [
            f"{self._loaded.form} {self._loaded.signature.name}: {fed}",
            f"{outputs}: {plan.head.describe()}",
            *([plan.card] if plan.card else []),
            self._naming.origin,
            self._run.runtime,
        ]
        return "; ".join(parts)

    def warm_up(self) -> None:
        """Run black frames, so that what is slow or wrong shows before a camera is opened. Raises ModelError."""
        width, height = self._run.size_px
        for _ in range(WARM_UP_FRAMES):
            self.detect([np.zeros((height, width, 3), np.uint8)])
        self.rejected = 0

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        return [found for group in self._groups(images) for found in self._look(group)]

    def close(self) -> None:
        self._run.close()

    def _groups(self, images: Sequence[Image]) -> Iterator[Sequence[Image]]:
        return (images[at : at + self.batch] for at in range(0, len(images), self.batch))

    def _look(self, images: Sequence[Image]) -> Iterator[Detections]:
        with trace.span("preprocess"):
            tensor = self._run.prepare(images)
        with trace.span("infer"):
            outputs = self._run.infer(tensor)
        with trace.span("postprocess"):
            for row, image in enumerate(images):
                yield self._read(outputs if self.batch == 1 else self._of_image(outputs, row), image)

    def _of_image(self, outputs: Mapping[str, NDArray[Any]], row: int) -> dict[str, NDArray[Any]]:
        """The outputs of one image of a batch."""
        found: dict[str, NDArray[Any]] = {}
        for name in self._plan.head.reads.values():
            if len(np.atleast_1d(outputs[name])) != self.batch:
                shape = np.shape(outputs[name])
                raise ModelError(f"the model takes {self.batch} images and gave {name} of shape {shape}")
            found[name] = outputs[name][row : row + 1]
        return found

    def _read(self, outputs: Mapping[str, NDArray[Any]], image: Image) -> Detections:
        conf, classes = max(self.conf, PADDING), self.classes
        most = MAX_DETECTIONS if classes is None else MAX_CANDIDATES  # other classes go after the head has read
        raw = self._run.head.read(outputs, input_size_px=self._run.size_px, conf=conf, max_det=most)
        size_px = (image.shape[1], image.shape[0])
        found = Detections.from_raw(
            self._run.place(size_px).boxes_to_frame(raw.boxes),
            raw.scores,
            raw.class_ids,
            size_px=size_px,
            conf=conf,
            max_det=min(self.max_det, MAX_DETECTIONS),
            classes=classes,
        )
        if found.rejected and "rejected" not in self._warned:
            self._warned.add("rejected")
            logger.warning(
                "rows of the model's output that are no detections were left out: %d on this frame, more are only "
                "counted (not finite, outside the frame, without area, or with a score outside 0 to 1)",
                found.rejected,
            )
        self.rejected += found.rejected
        self._tell_nameless(found)
        return found

    def _tell_nameless(self, found: Detections) -> None:
        if not self._named or "nameless" in self._warned:
            return
        nameless = next((class_id for class_id in found.class_ids.tolist() if class_id not in self._named), None)
        if nameless is not None:
            self._warned.add("nameless")
            logger.warning(
                "the model gave the class id %d, which has no name (%s); where the names are off by one, "
                "--label-offset corrects it",
                nameless,
                self._naming.origin,
            )
