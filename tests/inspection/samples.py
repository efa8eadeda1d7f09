"""Inspections made by hand, of a model that is on no disk."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from streamer.frame import Detections, Image
from streamer.inspection.findings import Inspection, Looked, TensorFact, Trial
from streamer.labels import Labels
from streamer.models.card import DecodedHead
from streamer.models.heads import Outputs, RawDetections
from streamer.models.naming import Naming
from streamer.models.plan import Choice, InputPlan, Plan
from streamer.models.signature import Quantization, TensorSpec

SIZE_PX = (320, 200)

NAMES = {1: "person", 2: "dog"}

IMAGE = TensorSpec("image", "float32", (1, 320, 320, 3))

OUTPUTS = (
    TensorFact(TensorSpec("detection_boxes", "float32", (1, 100, 4)), "boxes", "its name"),
    TensorFact(TensorSpec("detection_scores", "float32", (1, 100)), "scores", "its name"),
    TensorFact(TensorSpec("raw_detection_boxes", "int8", (1, None, 4), Quantization(0.1, 3))),
)

CHOICES = (
    Choice("layout", "nhwc", "its shape"),
    Choice("size", "320x320", "its shape"),
    Choice("fit", "stretch", "usual for one size", is_usual=True),
    Choice("channel order", "rgb", "usual", is_open=True),
    Choice("scale", "0..1", "usual for float32", is_open=True),
)


class PlainHead:
    """Reads nothing; what it would read is told."""

    first_class_id: int | None = None
    class_count: int | None = 2

    @property
    def reads(self) -> Mapping[str, str]:
        return {"boxes": "detection_boxes", "scores": "detection_scores"}

    def describe(self) -> str:
        return "finished boxes, yxyx in fractions"

    def read(self, outputs: Outputs, *, input_size_px: tuple[int, int], conf: float, max_det: int) -> RawDetections:
        raise NotImplementedError


def plan() -> Plan:
    given = InputPlan(
        spec=IMAGE,
        size_px=(320, 320),
        batch=1,
        layout="nhwc",
        channel_order="rgb",
        mean=(0.0, 0.0, 0.0),
        std=(255.0, 255.0, 255.0),
        fit="stretch",
    )
    return Plan(input=given, head=PlainHead(), head_card=DecodedHead(), choices=CHOICES, class_count=2)


def inspection() -> Inspection:
    """Of a model that was understood, and at which no pictures were looked."""
    return Inspection(
        path=Path("models/finder.tflite"),
        form="TFLite",
        size_bytes=3_742_392,
        writer="TensorFlow 2.9.1",
        parameters=1_234_567,
        signature="serving_default",
        signatures=("serving_default", "other"),
        inputs=(TensorFact(IMAGE, "image", "its only input"),),
        outputs=OUTPUTS,
        plan=plan(),
        naming=Naming(Labels(NAMES), "labels.txt, 2 names, offset +1"),
        runtime="LiteRT 1.4 CPU",
        run_ms=23.456,
        line="TFLite serving_default: image float32 [1,320,320,3] as RGB? 0..1? at 320x320 stretched",
    )


def picture(size_px: tuple[int, int] = SIZE_PX, *, value: int = 128) -> Image:
    return np.full((size_px[1], size_px[0], 3), value, np.uint8)


def boxes(*rows: tuple[float, float, float, float, float, int], size_px: tuple[int, int] = SIZE_PX) -> Detections:
    """x1 y1 x2 y2, score, class."""
    table = np.array(rows, float).reshape(-1, 6)
    return Detections.from_raw(table[:, :4], table[:, 4], table[:, 5], size_px=size_px)


def looked(*, sureness: float = 0.93) -> Looked:
    found = boxes((20, 20, 120, 160, 0.98, 1), (150.4, 40, 300, 180, 0.61, 2))
    trials = (
        Trial("scale -1..1, channel order rgb", 0.9, (found,), taken=True),
        Trial("scale 0..1, channel order rgb", 0.08, (boxes((0, 0, 9, 9, 0.5, 7)),)),
        Trial("scale 0..255, channel order rgb", 0.02, (Detections.empty(),)),
    )
    sure = {"scale": sureness, "channel order": 0.97}
    return Looked(("street.jpg",), (picture(),), trials, sure, reason="looked at 1 picture: 2 detections")


def with_looked(*, sureness: float = 0.93) -> Inspection:
    return replace(inspection(), looked=looked(sureness=sureness))
