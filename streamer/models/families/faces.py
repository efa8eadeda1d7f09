"""Families of detectors of faces and hands, and where each of their numbers is from. Pure data."""

import math

from streamer.models.card import AnchorHead, Card, GridAnchors, InputCard, MediapipeAnchors, Range, RowsHead
from streamer.models.families.family import Output, Preset, Size


def _blaze(name: str, about: str, *, size_px: int, strides: tuple[float, ...], per_cell: int, numbers: int) -> Preset:
    """Strides, input and the threshold of NMS: MediaPipe modules/face_detection/face_detection_*.pbtxt and
    modules/palm_detection/palm_detection_*.pbtxt; one anchor a cell where interpolated_scale_aspect_ratio is 0.

    numbers: 4 of the box, and two for each keypoint: 6 of a face, 7 of a palm. Palms of 128 px take -1..1, others 0..1.
    """
    palm = numbers == 18
    scale: Range = "0..1" if palm and size_px > 128 else "-1..1"
    return Preset(
        name=name,
        about=about,
        card=Card(
            input=InputCard(
                size=(size_px, size_px),
                channel_order="rgb",
                scale=scale,
                fit="letterbox",
            ),
            head=AnchorHead(
                anchors=MediapipeAnchors(strides=strides, per_cell=per_cell),
                coding="linear",
                activation="sigmoid",
                nms="agnostic",
                iou=0.3,
            ),
            labels=("palm" if palm else "face",),
            first_class_id=0,
        ),
        outputs=(Output("boxes", ("N", numbers)), Output("scores", ("N", 1))),
        sizes_px=((size_px, size_px),),
    )


def _grids(sides: tuple[int, ...]) -> tuple[Size, ...]:
    return tuple((side, side) for side in sides)


def _squares(*sides_px: float) -> tuple[tuple[float, float], ...]:
    return tuple((side, side) for side in sides_px)


def _mask_shapes(first: float, second: float) -> tuple[tuple[float, float], ...]:
    """generate_anchors of AIZOOTech/FaceMaskDetection utils/anchor_generator.py: ratios 1, .62, .42."""
    roots = (math.sqrt(0.62), math.sqrt(0.42))
    return ((first, first), (second, second), *((round(first * root, 6), round(first / root, 6)) for root in roots))


def _aizoo(name: str, about: str, *, side_px: int, maps: tuple[int, ...]) -> Preset:
    """feature_map_sizes, anchor_sizes, iou_thresh: AIZOOTech/FaceMaskDetection tensorflow_infer.py."""
    sizes = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
    return Preset(
        name=name,
        about=about,
        card=Card(
            input=InputCard(size=(side_px, side_px), channel_order="rgb", scale="0..1", fit="stretch"),
            head=AnchorHead(
                anchors=GridAnchors(maps=_grids(maps), shapes=tuple(_mask_shapes(*pair) for pair in sizes)),
                activation="none",
                nms="agnostic",
                iou=0.4,
            ),
            labels=("mask", "no mask"),
            first_class_id=0,
        ),
        outputs=(Output("boxes", ("N", 4)), Output("scores", ("N", 2))),
        sizes_px=((side_px, side_px),),
    )


FACES = (
    _blaze(
        "blazeface",
        "MediaPipe's face detector for short range, 128 px",
        size_px=128,
        strides=(8, 16, 16, 16),
        per_cell=2,
        numbers=16,
    ),
    _blaze(
        "blazeface_back",
        "MediaPipe's face detector of the back camera, 256 px",
        size_px=256,
        strides=(16, 32, 32, 32),
        per_cell=2,
        numbers=16,
    ),
    _blaze(
        "blazeface_full",
        "MediaPipe's face detector for full range, 192 px",
        size_px=192,
        strides=(4,),
        per_cell=1,
        numbers=16,
    ),
    _blaze("palm", "MediaPipe's palm detector, 192 px", size_px=192, strides=(8, 16, 16, 16), per_cell=2, numbers=18),
    _blaze(
        "palm_128",
        "MediaPipe's palm detector, 128 px",
        size_px=128,
        strides=(8, 16, 16, 16),
        per_cell=2,
        numbers=18,
    ),
    _blaze(
        "palm_256",
        "MediaPipe's palm detector up to 0.8.0, 256 px",
        size_px=256,
        strides=(8, 16, 32, 32, 32),
        per_cell=2,
        numbers=18,
    ),
    Preset(
        # image_mean_test, image_std, min_boxes, feature_map_w_h_list and the variances: Linzaer's
        # Ultra-Light-Fast-Generic-Face-Detector-1MB vision/ssd/config/fd_config.py; NMS: tflite/TFLiteFaceDetector.py
        name="ulfg",
        about="Ultra-Light-Fast-Generic-Face-Detector-1MB, slim and RFB, 320x240 or 640x480",
        card=Card(
            input=InputCard(
                size=(320, 240), channel_order="rgb", mean=(127, 127, 127), std=(128, 128, 128), fit="stretch"
            ),
            head=AnchorHead(
                anchors=GridAnchors(
                    maps=((40, 30), (20, 15), (10, 8), (5, 4)),
                    shapes=(_squares(10, 16, 24), _squares(32, 48), _squares(64, 96), _squares(128, 192, 256)),
                    unit="px",
                    clip=True,
                ),
                activation="none",
                background="first",
                nms="agnostic",
                iou=0.3,
            ),
            labels={1: "face"},
            first_class_id=1,
        ),
        outputs=(Output("boxes", ("N", 4)), Output("scores", ("N", 2))),
        strides=(8, 16, 32, 64),
        sizes_px=((320, 240), (640, 480), (128, 96), (160, 120), (480, 360), (1280, 960)),
    ),
    Preset(
        name="ulfg_rows",
        about="the same with its decoding inside: rows of background, face, x1, y1, x2, y2",
        card=Card(
            input=InputCard(
                size=(320, 240), channel_order="rgb", mean=(127, 127, 127), std=(128, 128, 128), fit="stretch"
            ),
            head=RowsHead(columns=("skip", "score", "x1", "y1", "x2", "y2"), unit="fraction"),
            labels={1: "face"},
            first_class_id=1,
        ),
        outputs=(Output("rows", ("K", 6)),),
        sizes_px=((320, 240), (640, 480)),
        by_shape=False,
    ),
    _aizoo("aizoo", "AIZOO's faces with and without a mask, 260 px", side_px=260, maps=(33, 17, 9, 5, 3)),
    _aizoo("aizoo_360", "AIZOO's faces with and without a mask, 360 px", side_px=360, maps=(45, 23, 12, 6, 4)),
    Preset(
        # min_sizes, steps, variance: biubug6/Pytorch_Retinaface data/config.py; rgb_mean, which is in BGR order, and
        # the threshold of NMS: detect.py. Its scores are softmaxed in the network when it is not trained.
        name="retinaface",
        about="RetinaFace, MobileNet 0.25 or ResNet50, any size",
        card=Card(
            input=InputCard(channel_order="bgr", mean=(104, 117, 123), std=(1, 1, 1), fit="letterbox", multiple_of=32),
            head=AnchorHead(
                anchors=GridAnchors(
                    strides=(8, 16, 32),
                    shapes=(_squares(16, 32), _squares(64, 128), _squares(256, 512)),
                    unit="px",
                ),
                activation="none",
                background="first",
                nms="agnostic",
                iou=0.4,
            ),
            labels={1: "face"},
            first_class_id=1,
        ),
        outputs=(Output("boxes", ("N", 4)), Output("scores", ("N", 2))),
        optional=(Output("", ("N", 10)),),
    ),
    Preset(
        # opencv_fd of OpenCV 4's samples/dnn/models.yml
        name="opencv_face",
        about="OpenCV's face detector (res10 SSD), rows of DetectionOutput",
        card=Card(
            input=InputCard(size=(300, 300), channel_order="bgr", mean=(104, 177, 123), std=(1, 1, 1), fit="stretch"),
            head=RowsHead(columns=("skip", "class", "score", "x1", "y1", "x2", "y2"), unit="fraction"),
            labels={1: "face"},
            first_class_id=1,
        ),
        outputs=(Output("rows", (1, "K", 7)),),
        input_names=("data",),
        batched=True,
    ),
)
