"""Families of SSDs of the Object Detection API, in its own graphs and in OpenCV's, and where their numbers are from.

Pure data.
"""

from streamer.models.card import (
    AnchorHead,
    Anchors,
    Card,
    DecodedHead,
    InputCard,
    MultiscaleAnchors,
    RowsHead,
    SsdAnchors,
)
from streamer.models.families.family import Output, Preset

_STRETCHED = InputCard(channel_order="rgb", scale="-1..1", fit="stretch")

RAW_HEADS = (
    Output("boxes", ("N", 4), ("box", "loc", "regress")),
    Output("scores", ("N", "C"), ("class", "cls", "score", "conf", "logit")),
)
"""Offsets and scores, a row for each anchor."""


def api_ssd(
    name: str, about: str, *, anchors: Anchors, variance: float = 0.1, background: bool = True, iou: float = 0.6
) -> Preset:
    """Anchors, box_coder.faster_rcnn_box_coder (scales 10 10 5 5) and iou_threshold: the pipeline files of the Object
    Detection API, tensorflow/models research/object_detection/configs/tf2; EfficientDet's scales are 1.
    """
    return Preset(
        name=name,
        about=about,
        card=Card(
            input=_STRETCHED,
            head=AnchorHead(
                anchors=anchors,
                order="cycxhw",
                variances=(variance, variance, 2 * variance, 2 * variance) if variance < 1 else (1, 1, 1, 1),
                activation="sigmoid",
                background="first" if background else "none",
                iou=iou,
            ),
        ),
        outputs=RAW_HEADS,
    )


SSDS = (
    Preset(
        # exporter_lib_v2.py of the Object Detection API and its docs on running inference
        name="od_api",
        about="exports of the Object Detection API, with their NMS inside",
        card=Card(
            input=InputCard(channel_order="rgb"), head=DecodedHead(order="yxyx", unit="fraction"), first_class_id=1
        ),
        outputs=(
            Output("boxes", ("K", 4), ("detection_boxes",)),
            Output("scores", ("K",), ("detection_scores",)),
            Output("classes", ("K",), ("detection_classes",)),
        ),
        optional=(Output("count", (), ("num_detections",)),),
        others=True,
    ),
    Preset(
        # raw_detection_boxes and raw_detection_scores of ssd_meta_arch.py: decoded and converted, background in front
        name="od_api_raw",
        about="exports of the Object Detection API, read before their NMS",
        card=Card(
            input=InputCard(channel_order="rgb"),
            head=DecodedHead(order="yxyx", unit="fraction", background="first", nms="per_class"),
            first_class_id=1,
        ),
        outputs=(
            Output("boxes", ("K", 4), ("raw_detection_boxes",)),
            Output("scores", ("K", "C"), ("raw_detection_scores",)),
        ),
        others=True,
    ),
    api_ssd("od_api_ssd", "raw heads of the Object Detection API's SSDs on MobileNets", anchors=SsdAnchors()),
    api_ssd(
        "od_api_ssd_fpn", "raw heads of the Object Detection API's SSD FPN, RetinaNet", anchors=MultiscaleAnchors()
    ),
    Preset(
        # ssd_tf of OpenCV's samples/dnn/models.yml: the graph takes pixels and scales them itself
        name="opencv_ssd",
        about="SSDs of the Object Detection API in OpenCV's dnn, rows of DetectionOutput",
        card=Card(
            input=InputCard(size=(300, 300), channel_order="rgb", scale="0..255", fit="stretch"),
            head=RowsHead(columns=("skip", "class", "score", "x1", "y1", "x2", "y2"), unit="fraction"),
            first_class_id=1,
        ),
        outputs=(Output("rows", (1, "K", 7)),),
        batched=True,
    ),
)
