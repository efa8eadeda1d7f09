"""Families of YOLOs as they are exported to TensorFlow, and where their numbers are from. Pure data."""

import math

from streamer.models.card import Card, InputCard, RowsHead, YoloHead
from streamer.models.families.family import Output, Preset, Size


def cells(size_px: Size, strides: tuple[int, ...]) -> int:
    """How many cells the grids of `strides` px have over an input."""
    return sum(math.ceil(size_px[0] / stride) * math.ceil(size_px[1] / stride) for stride in strides)


_YOLO_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
"""P5, P6, P2 and tiny: the `Detect` layers of ultralytics' model files (cfg/models/*.yaml)."""

_POSE_CLASSES = frozenset({52})
"""4 + 1 + 17 x 3 numbers a row are those of a pose model for COCO's 17 points, not 52 classes."""


_YOLOX_CLASSES = frozenset({81})
"""85 numbers a row, one row a cell, are those of a YOLOX with objectness and COCO's 80 classes."""


def _yolo8_rows(size_px: Size) -> set[int]:
    return {cells(size_px, strides) for strides in _YOLO_STRIDES}


def _yolo5_rows(size_px: Size) -> set[int]:
    return {3 * cells(size_px, strides) for strides in _YOLO_STRIDES}


_RGB_0_1 = InputCard(channel_order="rgb", scale="0..1", fit="letterbox")

YOLOS = (
    Preset(
        # Detect.forward of ultralytics nn/modules/head.py; boxes are fractions of the input in exports to TFLite and
        # EdgeTPU, px in others; iou of ultralytics cfg/default.yaml
        name="yolov8",
        about="YOLOv8 and later, YOLOv5u and YOLO11, exported without NMS",
        card=Card(input=_RGB_0_1, head=YoloHead(iou=0.7), first_class_id=0),
        outputs=(Output("rows", ("4+C", "N")),),
        rows=_yolo8_rows,
        doubtful=_POSE_CLASSES,
        doubtful_turned=_YOLOX_CLASSES,
    ),
    Preset(
        # TFDetect.call of ultralytics/yolov5 models/tf.py: fractions; iou_thres of detect.py. Exports of YOLOv7 are px
        name="yolov5",
        about="YOLOv5, YOLOv7 and tiny YOLOv3 with objectness, exported without NMS",
        card=Card(input=_RGB_0_1, head=YoloHead(objectness=True, transposed=False, iou=0.45), first_class_id=0),
        outputs=(Output("rows", ("N", "5+C")),),
        unread_rank=5,
        rows=_yolo5_rows,
        doubtful=_POSE_CLASSES,
    ),
    Preset(
        # Detect.postprocess of ultralytics nn/modules/head.py, and nms=True of engine/exporter.py
        name="yolo_nms",
        about="YOLOs exported with NMS, or without need of it (v10, 26): rows of x1 y1 x2 y2 score class",
        card=Card(input=_RGB_0_1, head=RowsHead(), first_class_id=0),
        outputs=(Output("rows", ("K", 6)),),
        batched=True,
    ),
)
