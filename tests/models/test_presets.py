"""Presets: which family a signature is of, by shapes; and how a card is laid over a preset."""

import re
from math import ceil
from pathlib import Path

import pytest

from streamer.errors import ConfigError, SignatureError
from streamer.models.card import (
    AnchorHead,
    Card,
    CenterNetHead,
    DecodedHead,
    GridAnchors,
    InputCard,
    MediapipeAnchors,
    MultiscaleAnchors,
    RowsHead,
    YoloHead,
)
from streamer.models.card_files import read_card
from streamer.models.heads.building import build_head
from streamer.models.presets import PRESETS, matching, merged, preset_card
from streamer.models.signature import Signature, TensorSpec
from tests.conftest import shared

Size = tuple[int, int]
Shape = tuple[int | None, ...]


def signature(
    size_px: Size | None, *shapes: Shape, names: tuple[str, ...] = (), dtype: str = "float32", takes: str = "input"
) -> Signature:
    width, height = size_px or (None, None)
    called = names or tuple(f"Identity_{number}" for number in range(len(shapes)))
    return Signature(
        "serving_default",
        (TensorSpec(takes, dtype, (1, height, width, 3)),),
        tuple(TensorSpec(name, "float32", shape) for name, shape in zip(called, shapes, strict=True)),
    )


def families(size_px: Size, *shapes: Shape, names: tuple[str, ...] = (), takes: str = "input") -> list[str]:
    found = matching(signature(size_px, *shapes, names=names, takes=takes), input_size_px=size_px)
    return [name for name, _ in found]


def cells(size_px: Size, *strides: int) -> int:
    return sum(ceil(size_px[0] / stride) * ceil(size_px[1] / stride) for stride in strides)


API = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
RAW_API = ("raw_outputs/box_encodings", "raw_outputs/class_predictions")

DETECTORS: dict[str, tuple[str, Size, tuple[Shape, ...], tuple[str, ...]]] = {
    "BlazeFace short": ("blazeface", (128, 128), ((1, 896, 16), (1, 896, 1)), ()),
    "BlazeFace short, scores first": ("blazeface", (128, 128), ((1, 896, 1), (1, 896, 16)), ()),
    "BlazeFace, flat scores": ("blazeface", (128, 128), ((1, 896, 16), (1, 896)), ()),
    "BlazeFace back": ("blazeface_back", (256, 256), ((1, 896, 16), (1, 896, 1)), ()),
    "BlazeFace full": ("blazeface_full", (192, 192), ((1, 2304, 16), (1, 2304, 1)), ()),
    "palm": ("palm", (192, 192), ((1, 2016, 18), (1, 2016, 1)), ()),
    "palm, 128 px": ("palm_128", (128, 128), ((1, 896, 18), (1, 896, 1)), ()),
    "palm, old": ("palm_256", (256, 256), ((1, 2944, 18), (1, 2944, 1)), ()),
    "ULFG 320": ("ulfg", (320, 240), ((1, 4420, 4), (1, 4420, 2)), ()),
    "ULFG 640": ("ulfg", (640, 480), ((1, 17640, 4), (1, 17640, 2)), ()),
    "ULFG, open rows": ("ulfg", (320, 240), ((None, None, 4), (None, None, 2)), ()),
    "AIZOO": ("aizoo", (260, 260), ((None, 5972, 4), (None, 5972, 2)), ()),
    "RetinaFace": ("retinaface", (640, 640), ((1, 16800, 4), (1, 16800, 2), (1, 16800, 10)), ()),
    "RetinaFace, other size": ("retinaface", (320, 256), ((1, 3360, 4), (1, 3360, 2), (1, 3360, 10)), ()),
    "SSD 300": ("od_api_ssd", (300, 300), ((1, 1917, 4), (1, 1917, 91)), RAW_API),
    "SSD 300, as TF1 has it": ("od_api_ssd", (300, 300), ((1, 1917, 1, 4), (1, 1917, 21)), ()),
    "SSD 320": ("od_api_ssd", (320, 320), ((1, 2034, 4), (1, 2034, 91)), ()),
    "SSD 300 of 3 classes": ("od_api_ssd", (300, 300), ((1, 1917, 4), (1, 1917, 4)), RAW_API),
    "SSD FPN 320": ("od_api_ssd_fpn", (320, 320), ((1, 12804, 4), (1, 12804, 8)), ()),
    "SSD FPN 640": ("od_api_ssd_fpn", (640, 640), ((1, 51150, 4), (1, 51150, 91)), ()),
    "EfficientDet D0": ("efficientdet", (512, 512), ((1, 49104, 4), (1, 49104, 90)), ()),
    "EfficientDet Lite0": ("efficientdet_lite", (320, 320), ((1, 19206, 4), (1, 19206, 90)), ()),
    "RetinaNet 608": ("retinanet", (608, 608), ((1, 69354, 4), (1, 69354, 91)), ()),
    "API": ("od_api", (320, 320), ((1, 100, 4), (1, 100), (1, 100), (1,)), API),
    "API, raw": (
        "od_api_raw",
        (320, 320),
        ((1, 12804, 4), (1, 12804, 8)),
        ("raw_detection_boxes", "raw_detection_scores"),
    ),
    "OpenCV SSD": ("opencv_ssd", (300, 300), ((1, 1, 100, 7),), ()),
    "OpenCV SSD, open rows": ("opencv_ssd", (300, 300), ((1, 1, None, 7),), ()),
    "EfficientDet, rows": ("efficientdet_rows", (512, 512), ((1, 100, 7),), ()),
    "YOLOv8": ("yolov8", (640, 640), ((1, 84, 8400),), ()),
    "YOLOv8 of one class": ("yolov8", (640, 640), ((1, 5, 8400),), ()),
    "YOLOv8 at 416x320": ("yolov8", (416, 320), ((1, 84, cells((416, 320), 8, 16, 32)),), ()),
    "YOLOv8 P6": ("yolov8", (1280, 1280), ((1, 84, cells((1280, 1280), 8, 16, 32, 64)),), ()),
    "YOLOv5": ("yolov5", (640, 640), ((1, 25200, 85),), ()),
    "YOLOv5 at 320": ("yolov5", (320, 320), ((1, 6300, 85),), ()),
    "YOLOv5 of one class": ("yolov5", (416, 416), ((1, 10647, 6),), ()),
    "tiny YOLOv3": ("yolov5", (640, 640), ((1, 6000, 85),), ()),
    "YOLOv8 turned": ("yolov8", (640, 640), ((1, 8400, 84),), ()),
    "YOLOv8 turned, of two classes": ("yolov8", (640, 640), ((1, 8400, 6),), ()),
    "YOLOv5 turned": ("yolov5", (640, 640), ((1, 85, 25200),), ()),
    "YOLOv5 with its maps": (
        "yolov5",
        (640, 640),
        ((1, 25200, 85), (1, 3, 80, 80, 85), (1, 3, 40, 40, 85), (1, 3, 20, 20, 85)),
        (),
    ),
    "YOLO with NMS": ("yolo_nms", (640, 640), ((1, 300, 6),), ()),
    "CenterNet": (
        "centernet",
        (512, 512),
        ((1, 128, 128, 90), (1, 128, 128, 2), (1, 128, 128, 2)),
        ("center_heatmap", "box_size", "offset"),
    ),
}


@pytest.mark.parametrize("case", list(DETECTORS))
def test_a_detector_is_known_by_its_shapes_and_its_head_can_be_built(case: str) -> None:
    family, size_px, shapes, names = DETECTORS[case]
    known = signature(size_px, *shapes, names=names)
    found = matching(known, input_size_px=size_px)
    assert found[0][0] == family
    for _, card in found:
        assert card.head is not None
        head = build_head(card.head, known, input_size_px=size_px)
        assert set(head.reads.values()) <= {spec.name for spec in known.outputs}
    assert preset_card(family, known, input_size_px=size_px) == found[0][1]


NO_DETECTORS: dict[str, tuple[Size, tuple[Shape, ...]]] = {
    "YOLOX, undecoded": ((640, 640), ((1, 8400, 85),)),
    "classifier": ((224, 224), ((1, 1000),)),
    "classifier with background": ((224, 224), ((1, 1001),)),
    "classifier, pooled": ((224, 224), ((1, 1, 1, 1001),)),
    "embedding": ((112, 112), ((1, 512),)),
    "feature map": ((224, 224), ((1, 7, 7, 1280),)),
    "segmenter": ((513, 513), ((1, 513, 513, 21),)),
    "segmenter at a quarter": ((512, 512), ((1, 128, 128, 19),)),
    "selfie segmenter": ((256, 256), ((1, 256, 256, 1),)),
    "depth": ((256, 256), ((1, 256, 256),)),
    "super resolution": ((50, 50), ((1, 200, 200, 3),)),
    "corner regressor": ((625, 625), ((1, 8),)),
    "PoseNet": ((257, 257), ((1, 9, 9, 17), (1, 9, 9, 34), (1, 9, 9, 32), (1, 9, 9, 32))),
    "MoveNet": ((192, 192), ((1, 1, 17, 3),)),
    "MoveNet of several": ((256, 256), ((1, 6, 56),)),
    "face mesh": ((192, 192), ((1, 1, 1, 1404), (1, 1, 1, 1))),
    "face landmarks": ((256, 256), ((1, 1, 1, 1434), (1, 1, 1, 1), (1, 1))),
    "hand landmarks": ((224, 224), ((1, 63), (1, 1), (1, 1), (1, 63))),
    "iris": ((64, 64), ((1, 213), (1, 15))),
    "BlazePose landmarks": ((256, 256), ((1, 195), (1, 1), (1, 256, 256, 1), (1, 64, 64, 39), (1, 117))),
    "YOLOv8 pose": ((640, 640), ((1, 56, 8400),)),
    "YOLOv8 segmenter": ((640, 640), ((1, 116, 8400), (1, 160, 160, 32))),
    "YOLOv5 segmenter": ((640, 640), ((1, 25200, 117), (1, 160, 160, 32))),
    "YOLOv8 classifier": ((224, 224), ((1, 1000),)),
    "YOLO26 pose": ((640, 640), ((1, 300, 57),)),
    "MTCNN, last net": ((48, 48), ((1, 2), (1, 4), (1, 10))),
    "OCR": ((320, 32), ((1, 26, 37),)),
    "text detector (EAST)": ((320, 320), ((1, 80, 80, 5), (1, 80, 80, 1))),
    "BlazeFace of another size": ((128, 128), ((1, 900, 16), (1, 900, 1))),
    "BlazeFace with another input": ((192, 192), ((1, 896, 16), (1, 896, 1))),
    "boxes alone": ((300, 300), ((1, 1917, 4),)),
    "an output too many": ((300, 300), ((1, 1917, 4), (1, 1917, 91), (1, 7))),
    "no output": ((300, 300), ()),
    "CenterNet whose pairs have no names": ((512, 512), ((1, 128, 128, 9), (1, 128, 128, 2), (1, 128, 128, 2))),
}


@pytest.mark.parametrize("case", list(NO_DETECTORS))
def test_what_is_no_known_detector_fits_nothing(case: str) -> None:
    size_px, shapes = NO_DETECTORS[case]
    assert families(size_px, *shapes) == []


def test_an_input_of_any_size_is_looked_at_soon() -> None:
    for side_px in (1, 31, 4096, 8192):
        assert families((side_px, side_px), (1, side_px, side_px, 21)) == []


def test_outputs_of_any_rank_fit_nothing_by_their_shapes() -> None:
    unknown = Signature(
        "s",
        (TensorSpec("image", "float32", (1, 300, 300, 3)),),
        (TensorSpec("a", "float32", None), TensorSpec("b", "float32", None)),
    )
    assert matching(unknown, input_size_px=(300, 300)) == []


def test_the_name_of_its_input_tells_opencvs_face_detector_from_other_ssds() -> None:
    assert families((300, 300), (1, 1, 200, 7), takes="data") == ["opencv_face", "opencv_ssd"]
    assert families((300, 300), (1, 1, 200, 7), takes="image_tensor") == ["opencv_ssd"]


def test_without_a_known_size_only_what_was_made_for_one_size_is_recognised() -> None:
    def found(*shapes: Shape) -> list[str]:
        return [name for name, _ in matching(signature(None, *shapes), input_size_px=None)]

    assert found((1, 84, 8400)) == []
    assert found((1, 16800, 4), (1, 16800, 2)) == []
    assert found((1, 4420, 4), (1, 4420, 2)) == ["ulfg"]


def test_the_maps_of_ulfg_follow_its_input() -> None:
    size_px = (640, 480)
    card = preset_card("ulfg", signature(size_px, (1, 17640, 4), (1, 17640, 2)), input_size_px=size_px)
    assert card.input.size == size_px
    assert isinstance(card.head, AnchorHead)
    assert isinstance(card.head.anchors, GridAnchors)
    assert card.head.anchors.maps == ((80, 60), (40, 30), (20, 15), (10, 8))


def test_integers_are_left_to_say_themselves_what_they_stand_for() -> None:
    for dtype, scale in (("uint8", None), ("int8", None), ("float32", "0..1")):
        known = signature((640, 640), (1, 84, 8400), dtype=dtype)
        card = preset_card("yolov8", known, input_size_px=(640, 640))
        assert (card.input.scale, card.input.channel_order, card.input.fit) == (scale, "rgb", "letterbox")


def test_scores_that_the_exporter_has_converted_are_not_converted_again() -> None:
    def activation(*names: str) -> str:
        known = signature((300, 300), (1, 1917, 4), (1, 1917, 91), names=names)
        head = preset_card("od_api_ssd", known, input_size_px=(300, 300)).head
        assert isinstance(head, AnchorHead)
        return head.activation

    assert activation("raw_outputs/box_encodings", "raw_outputs/class_predictions") == "none"
    assert activation("concat", "concat_1") == "sigmoid"


def test_a_preset_that_is_named_may_be_what_shapes_alone_would_not_say() -> None:
    pose = signature((640, 640), (1, 56, 8400))
    assert isinstance(preset_card("yolov8", pose, input_size_px=(640, 640)).head, YoloHead)
    turned = preset_card("yolov8", signature((640, 640), (1, 8400, 84)), input_size_px=(640, 640)).head
    assert isinstance(turned, YoloHead)
    assert not turned.transposed
    rows = preset_card("ulfg_rows", signature((320, 240), (None, 6)), input_size_px=(320, 240)).head
    assert isinstance(rows, RowsHead)
    unknown = Signature(
        "s",
        (TensorSpec("image_tensor", "uint8", (None, None, None, 3)),),
        tuple(TensorSpec(f"{name}:0", "float32", None) for name in API),
    )
    decoded = preset_card("od_api", unknown, input_size_px=None).head
    assert isinstance(decoded, DecodedHead)
    assert (decoded.boxes, decoded.count) == ("detection_boxes:0", "num_detections:0")


def test_a_preset_that_does_not_fit_says_what_is_missing_and_which_one_would() -> None:
    full = signature((192, 192), (1, 2304, 16), (1, 2304, 1))
    with pytest.raises(SignatureError, match="the preset blazeface does not fit this model: no output is") as caught:
        preset_card("blazeface", full, input_size_px=(192, 192))
    assert "blazeface_full would fit" in str(caught.value)
    with pytest.raises(SignatureError, match=re.escape("its outputs: Identity_0 float32 [1,1000]")):
        preset_card("yolov5", signature((224, 224), (1, 1000)), input_size_px=(224, 224))


def test_a_name_that_there_is_not_is_refused_with_the_nearest_ones() -> None:
    with pytest.raises(ConfigError, match="no preset is called 'blazefase'; did you mean blazeface"):
        preset_card("blazefase", signature((1, 1)), input_size_px=None)
    with pytest.raises(ConfigError, match="there are blazeface, "):
        preset_card("zzz", signature((1, 1)), input_size_px=None)


def test_what_stands_in_a_card_wins_over_its_preset_key_by_key() -> None:
    size_px = (128, 128)
    base = preset_card("blazeface", signature(size_px, (1, 896, 16), (1, 896, 1)), input_size_px=size_px)
    over = Card(
        preset="blazeface",
        input=InputCard(fit="stretch"),
        head=AnchorHead(iou=0.5, anchors=MediapipeAnchors()),
        labels={0: "visage"},
    )
    card = merged(base, over)
    assert (card.preset, card.labels, card.first_class_id) == ("blazeface", {0: "visage"}, 0)
    assert (card.input.fit, card.input.scale, card.input.size) == ("stretch", "-1..1", size_px)
    assert isinstance(card.head, AnchorHead)
    assert (card.head.iou, card.head.boxes) == (0.5, "Identity_0")
    assert (card.head.coding, card.head.nms) == ("linear", "agnostic")


def test_a_head_that_says_nothing_of_its_anchors_has_those_of_its_input(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("preset: ulfg\nhead: {iou: .5}\n", encoding="utf-8")
    size_px = (640, 480)
    base = preset_card("ulfg", signature(size_px, (1, 17640, 4), (1, 17640, 2)), input_size_px=size_px)
    head = merged(base, read_card(path)).head
    assert isinstance(head, AnchorHead)
    assert isinstance(head.anchors, GridAnchors)
    assert (head.iou, head.anchors.maps) == (0.5, ((80, 60), (40, 30), (20, 15), (10, 8)))


def test_another_way_of_saying_the_same_takes_the_place_of_the_presets() -> None:
    base = PRESETS["ulfg"].card
    card = merged(base, Card(input=InputCard(scale="-1..1")))
    assert (card.input.scale, card.input.mean, card.input.std) == ("-1..1", None, None)
    base = PRESETS["blazeface"].card
    card = merged(base, Card(input=InputCard(mean=(1, 2, 3), std=(4, 5, 6))))
    assert (card.input.scale, card.input.mean) == (None, (1, 2, 3))
    assert merged(base, Card(head=CenterNetHead())).head == CenterNetHead()
    assert merged(base, Card()) == base


def test_a_card_that_contradicts_its_preset_is_refused() -> None:
    base = Card(head=AnchorHead(anchors=MultiscaleAnchors(min_level=6)))
    over = Card(preset="retinanet", head=AnchorHead(anchors=MultiscaleAnchors(max_level=5)))
    with pytest.raises(ConfigError, match="does not go with its preset: min_level is above"):
        merged(base, over)


def test_every_preset_says_what_it_is_and_has_a_head() -> None:
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert preset.about
        assert preset.card.head is not None


def _tflite(relative: str) -> tuple[Signature, Size]:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - heavy, for these tests only

    interpreter = Interpreter(str(shared(relative)))

    def spec(detail: dict[str, object]) -> TensorSpec:
        sides = tuple(int(side) for side in detail["shape_signature"])  # type: ignore[attr-defined]
        return TensorSpec(str(detail["name"]), "float32", tuple(None if side < 0 else side for side in sides))

    inputs = tuple(map(spec, interpreter.get_input_details()))
    outputs = tuple(map(spec, interpreter.get_output_details()))
    _, height, width, _ = interpreter.get_input_details()[0]["shape"]
    return Signature("main", inputs, outputs), (int(width), int(height))


@pytest.mark.parametrize(
    ("file", "family"),
    [("face_detection_short_range", ["blazeface"]), ("ulfg_slim-320", ["ulfg"]), ("zhao_detect", [])],
)
def test_models_of_others_are_recognised(file: str, family: list[str]) -> None:
    found, size_px = _tflite(f"models/tflite/{file}.tflite")
    assert [name for name, _ in matching(found, input_size_px=size_px)] == family
