"""EfficientDet, RetinaNet and CenterNet before their NMS, and EfficientDet after it; where the numbers are from.

Pure data.
"""

from streamer.models.card import AnchorHead, Card, CenterNetHead, InputCard, MultiscaleAnchors, RowsHead
from streamer.models.families.family import Output, Preset
from streamer.models.families.ssds import RAW_HEADS, api_ssd

_IMAGENET = InputCard(channel_order="rgb", mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), fit="letterbox")
"""mean_rgb and stddev_rgb of google/automl efficientdet/hparams_config.py, x 255."""


def _multiscale(
    name: str, about: str, *, inputs: InputCard, anchors: MultiscaleAnchors, background: bool, sizes: tuple[int, ...]
) -> Preset:
    """Anchors: default_detection_configs of google/automl efficientdet/hparams_config.py, and those of the lite models
    there; Anchor of the Model Garden's official/vision/configs/retinanet.py, whose first class is the background.
    """
    return Preset(
        name=name,
        about=about,
        card=Card(
            input=inputs,
            head=AnchorHead(
                anchors=anchors,
                order="cycxhw",
                variances=(1, 1, 1, 1),
                activation="sigmoid",
                background="first" if background else "none",
                iou=0.5,
            ),
            first_class_id=1 if background else 0,
        ),
        outputs=RAW_HEADS,
        sizes_px=tuple((side, side) for side in sizes),
    )


def _automl(scale: float, ratios: tuple[float, ...] = (1.0, 2.0, 0.5)) -> MultiscaleAnchors:
    return MultiscaleAnchors(scale=scale, ratios=ratios, scales_per_octave=3, like="automl")


EFFICIENT = (
    _multiscale(
        "efficientdet",
        "raw heads of EfficientDet D0 to D7 of google/automl, concatenated",
        inputs=_IMAGENET,
        anchors=_automl(4.0),
        background=False,
        sizes=(512, 640, 768, 896, 1024, 1280),
    ),
    _multiscale(
        "efficientdet_lite",
        "raw heads of EfficientDet-Lite 0 to 2, concatenated",
        inputs=InputCard(channel_order="rgb", mean=(127, 127, 127), std=(128, 128, 128), fit="letterbox"),
        anchors=_automl(3.0),
        background=False,
        sizes=(320, 384, 448),
    ),
    _multiscale(
        "retinanet",
        "raw heads of RetinaNet of TensorFlow's Model Garden, concatenated",
        inputs=_IMAGENET,
        anchors=_automl(4.0, (0.5, 1.0, 2.0)),
        background=True,
        sizes=(),
    ),
    api_ssd(
        "od_api_efficientdet",
        "raw heads of EfficientDet of the Object Detection API",
        anchors=MultiscaleAnchors(scales_per_octave=3),
        variance=1.0,
        background=False,
        iou=0.5,
    ),
    Preset(
        # detections of google/automl efficientdet/inference.py: px of the picture that was given
        name="efficientdet_rows",
        about="EfficientDet of google/automl with its NMS inside: rows of image, y1, x1, y2, x2, score, class",
        card=Card(
            input=InputCard(channel_order="rgb"),
            head=RowsHead(columns=("skip", "y1", "x1", "y2", "x2", "score", "class")),
            first_class_id=1,
        ),
        outputs=(Output("rows", ("K", 7)),),
        batched=True,
    ),
    Preset(
        # CenterNetMetaArch of the Object Detection API: heads at a quarter of the input, sizes and offsets as h w
        name="centernet",
        about="raw heads of CenterNet: a heat map for each class, sizes and offsets",
        card=Card(head=CenterNetHead(), first_class_id=0),
        outputs=(
            Output("heatmap", ("H", "W", "C"), ("center", "heat", "hm", "cls")),
            Output("sizes", ("H", "W", 2), ("size", "scale", "wh", "hw")),
            Output("offsets", ("H", "W", 2), ("offset", "reg")),
        ),
    ),
)
