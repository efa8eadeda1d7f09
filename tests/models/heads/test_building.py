"""From a card and a signature to a head: names are filled in, and what does not fit is said with both numbers."""

from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ConfigError, SignatureError
from streamer.models.card import (
    AnchorHead,
    CenterNetHead,
    DecodedHead,
    FileAnchors,
    HeadCard,
    MediapipeAnchors,
    MultiscaleAnchors,
    RowsHead,
    YoloHead,
)
from streamer.models.heads import Head
from streamer.models.heads.building import build_head, decoded_card
from streamer.models.signature import Signature, TensorSpec

IMAGE = TensorSpec("image", "float32", (1, None, None, 3))
BLAZEFACE = AnchorHead(anchors=MediapipeAnchors(), coding="linear")


def _signature(**shapes: tuple[int | None, ...] | None) -> Signature:
    return Signature("serve", (IMAGE,), tuple(TensorSpec(name, "float32", shape) for name, shape in shapes.items()))


def _build(card: HeadCard, signature: Signature, size_px: tuple[int, int] = (128, 128)) -> Head:
    return build_head(card, signature, input_size_px=size_px)


ANCHORED = {
    "boxes of four and scores": ({"a": (1, 896, 1), "b": (1, 896, 4)}, "b", "a", 1),
    "boxes with keypoints": ({"a": (1, 896, 16), "b": (1, 896, 1)}, "a", "b", 1),
    "no batch": ({"a": (896, 4), "b": (896, 90)}, "a", "b", 90),
    "a batch of any size": ({"a": (None, 896, 4), "b": (None, 896, 90)}, "a", "b", 90),
    "transposed": ({"boxes": (1, 4, 896), "b": (1, 896)}, "boxes", "b", 1),
    "rows of any number": (
        {"Identity": (None, None, 4), "Identity_1": (None, None, 2)},
        "Identity",
        "Identity_1",
        None,
    ),
    "other outputs beside them": ({"a": (1, 896, 4), "b": (1, 896, 1), "c": (1, 10)}, "a", "b", 1),
}


@pytest.mark.parametrize(("shapes", "boxes", "scores", "classes"), ANCHORED.values(), ids=ANCHORED)
def test_the_raw_outputs_are_found_by_the_number_of_anchors(
    shapes: dict[str, tuple[int | None, ...]], boxes: str, scores: str, classes: int | None
) -> None:
    card = BLAZEFACE.model_copy(update={"boxes": "boxes"}) if "boxes" in shapes else BLAZEFACE
    head = _build(card, _signature(**shapes))
    assert head.reads == {"boxes": boxes, "scores": scores}
    assert (head.class_count, head.first_class_id) == (classes, 0)


def test_the_background_is_no_class() -> None:
    card = BLAZEFACE.model_copy(update={"background": "first"})
    head = _build(card, _signature(a=(1, 896, 4), b=(1, 896, 91)))
    assert (head.class_count, head.first_class_id) == (90, 1)
    with pytest.raises(SignatureError, match="no class beside the background"):
        _build(card, _signature(a=(1, 896, 4), b=(1, 896, 1)))


def test_another_number_of_rows_is_said_beside_that_of_the_anchors() -> None:
    card = AnchorHead(anchors=MultiscaleAnchors(), boxes="a", scores="b")
    with pytest.raises(SignatureError, match=r"a .* has 1917 rows, where the card makes 12804 anchors at 320x320"):
        _build(card, _signature(a=(1, 1917, 4), b=(1, 1917, 91)), (320, 320))
    with pytest.raises(SignatureError, match=r"b .* has 1917 rows"):
        _build(card, _signature(a=(1, 12804, 4), b=(1, 1917, 91)), (320, 320))


def test_outputs_that_cannot_be_told_apart_are_to_be_named() -> None:
    with pytest.raises(SignatureError, match="boxes of 896 anchors cannot be told; the card may name it"):
        _build(BLAZEFACE, _signature(a=(1, 896, 4), b=(1, 896, 4)))
    with pytest.raises(SignatureError, match="scores of 896 anchors cannot be told"):
        _build(BLAZEFACE, _signature(a=(1, 896, 4), b=(1, 896, 1), c=(1, 896, 1)))


def test_an_output_that_the_card_names_has_to_be_there() -> None:
    card = BLAZEFACE.model_copy(update={"boxes": "regressors", "scores": "classificators"})
    with pytest.raises(SignatureError, match=r"no output 'regressors', which is given as its boxes .*a float32"):
        _build(card, _signature(a=(1, 896, 16), b=(1, 896, 1)))
    assert _build(card, _signature(**{"x/Regressors:0": (1, 896, 16), "classificators": (1, 896, 1)})).reads == {
        "boxes": "x/Regressors:0",
        "scores": "classificators",
    }


def test_a_file_of_anchors_lies_beside_the_card(tmp_path: Path) -> None:
    np.save(tmp_path / "anchors.npy", np.ones((7, 4)))
    card = AnchorHead(anchors=FileAnchors(file="anchors.npy"))
    signature = _signature(a=(1, 7, 4), b=(1, 7, 2))
    assert build_head(card, signature, input_size_px=(9, 9), folder=tmp_path).describe().startswith("7 anchors")
    with pytest.raises(ConfigError, match=r"anchors\.npy"):
        build_head(card, signature, input_size_px=(9, 9), folder=tmp_path / "elsewhere")


def test_a_yolo_is_read_the_way_round_that_it_has() -> None:
    head = _build(YoloHead(), _signature(output0=(1, 84, 8400)), (640, 640))
    assert (head.reads, head.class_count, head.first_class_id) == ({"rows": "output0"}, 80, 0)
    head = _build(YoloHead(transposed=False, objectness=True), _signature(Identity=(1, 25200, 85)), (640, 640))
    assert head.class_count == 80
    head = _build(YoloHead(), _signature(masks=(1, 160, 160, 32), rows=(1, 116, 8400)), (640, 640))
    assert head.reads == {"rows": "rows"}


@pytest.mark.parametrize(
    ("card", "shape", "message"),
    [
        (YoloHead(), (1, 8400, 84), "has 8400 rows where its card has numbers; transposed: false would fit"),
        (YoloHead(transposed=False), (1, 85, 25200), "has 25200 rows .*transposed: true would fit"),
        (YoloHead(), (1, 4, 77), "no box and scores; transposed: false would fit"),
        (YoloHead(), (1, 40, 40, 255), r"is not \[1,4\+classes,N\]"),
    ],
)
def test_a_yolo_that_its_card_does_not_fit_is_refused(card: YoloHead, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        _build(card, _signature(a=shape), (640, 640))


def test_rows_are_the_output_of_that_width() -> None:
    assert _build(RowsHead(), _signature(a=(1, 300, 6), b=(1, 300))).reads == {"rows": "a"}
    of_one_class = RowsHead(columns=("skip", "score", "x1", "y1", "x2", "y2"))
    assert _build(of_one_class, _signature(a=(None, 6))).class_count == 1
    assert _build(RowsHead(), _signature(detection_out=(1, 1, None, 7))).reads == {"rows": "detection_out"}
    with pytest.raises(SignatureError, match="has 5 numbers a row, where the card has 6 columns"):
        _build(RowsHead(), _signature(a=(1, 300, 5)))
    with pytest.raises(SignatureError, match="no single output of rows of 6 numbers"):
        _build(RowsHead(), _signature(a=(1, 300, 6), b=(1, 100, 6)))


def test_the_maps_of_a_centernet_are_told_by_channels_and_names() -> None:
    maps = {"hm": (1, 128, 128, 80), "wh": (1, 128, 128, 2), "offset": (1, 128, 128, 2)}
    head = _build(CenterNetHead(), _signature(**maps))
    assert head.reads == {"heatmap": "hm", "sizes": "wh", "offsets": "offset"}
    assert head.class_count == 80
    assert "offsets" not in _build(CenterNetHead(), _signature(a=(1, 9, 9, 80), b=(1, 9, 9, 2))).reads


@pytest.mark.parametrize(
    ("card", "shapes", "message"),
    [
        (CenterNetHead(), {"a": (1, 9, 9, 8), "b": (1, 9, 9, 2), "c": (1, 9, 9, 2)}, "which output is the sizes"),
        (CenterNetHead(), {"a": (1, 9, 9, 8), "b": (1, 9, 9, 7), "c": (1, 9, 9, 2)}, "which output is the heat map"),
        (CenterNetHead(sizes="a", heatmap="b"), {"a": (1, 9, 9, 8), "b": (1, 9, 9, 7)}, "no map of a CenterNet"),
    ],
)
def test_maps_that_are_no_centernets_are_refused(
    card: CenterNetHead, shapes: dict[str, tuple[int, ...]], message: str
) -> None:
    with pytest.raises(SignatureError, match=message):
        _build(card, _signature(**shapes))


def test_what_the_file_says_of_its_outputs_is_believed() -> None:
    signature = _signature(a=(1, 10), b=(1, 10, 4), c=(1,), d=(1, 10))
    roles = {"boxes": "b", "scores": "a", "classes": "d", "count": "c"}
    card = decoded_card(signature, roles)  # type: ignore[arg-type]
    assert card == DecodedHead(boxes="b", scores="a", classes="d", count="c", order="yxyx", unit="fraction")
    head = build_head(DecodedHead(scores="d"), signature, input_size_px=(9, 9), roles={"boxes": "b", "classes": "a"})
    assert head.reads == {"boxes": "b", "scores": "d", "classes": "a", "count": "c"}


@pytest.mark.parametrize(
    ("shapes", "first", "classes"),
    [
        ({"boxes": (1, 9, 4), "scores": (1, 9), "classes": (1, 9)}, None, None),
        ({"boxes": (1, 9, 4), "scores": (1, 9)}, 1, 1),
        ({"boxes": (1, 9, 4), "scores": (1, 9, 80)}, 0, 80),
        ({"boxes": (1, 9, 4), "scores": (1, None, None)}, 0, None),
        ({"boxes": None, "scores": None}, None, None),
    ],
)
def test_finished_outputs_tell_what_their_classes_are(
    shapes: dict[str, tuple[int | None, ...] | None], first: int | None, classes: int | None
) -> None:
    signature = _signature(**shapes)
    head = _build(decoded_card(signature), signature)
    assert (head.first_class_id, head.class_count) == (first, classes)


def test_each_head_says_what_it_is() -> None:
    signature = _signature(detection_boxes=(1, 9, 4), detection_scores=(1, 9))
    assert _build(decoded_card(signature), signature).describe() == "finished boxes, yxyx as fractions or px"
    yolo = _build(YoloHead(objectness=True), _signature(a=(1, 85, 25200)))
    assert yolo.describe() == "YOLO, with objectness, NMS per class at IoU 0.6"
    assert _build(RowsHead(), _signature(a=(1, 9, 6))).describe() == "finished rows: x1 y1 x2 y2 score class"
    maps = _signature(a=(1, 9, 9, 80), b=(1, 9, 9, 2))
    assert _build(CenterNetHead(), maps).describe() == "peaks of heat maps, no NMS"
