"""Which output plays which part is read from names, shapes and dtypes, in whatever order they come."""

from itertools import permutations

import pytest

from streamer.errors import SignatureError
from streamer.models.heads.roles import Roles, find_roles
from streamer.models.signature import Signature, TensorSpec

IMAGE = TensorSpec("input_tensor", "uint8", (1, None, None, 3))
BOXES = TensorSpec("detection_boxes", "float32", (1, 100, 4))
SCORES = TensorSpec("detection_scores", "float32", (1, 100))
CLASSES = TensorSpec("detection_classes", "float32", (1, 100))
COUNT = TensorSpec("num_detections", "float32", (1,))
EXTRAS = (
    TensorSpec("raw_detection_boxes", "float32", (1, 12804, 4)),
    TensorSpec("raw_detection_scores", "float32", (1, 12804, 8)),
    TensorSpec("detection_multiclass_scores", "float32", (1, 100, 8)),
    TensorSpec("detection_anchor_indices", "float32", (1, 100)),
)


def signature_of(*outputs: TensorSpec) -> Signature:
    return Signature("serving_default", (IMAGE,), outputs)


def _spec(name: str, *shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def _parts(roles: Roles) -> list[TensorSpec | None]:
    return [roles.boxes, roles.scores, roles.classes, roles.count]


@pytest.mark.parametrize("order", list(permutations([BOXES, SCORES, CLASSES, COUNT])))
def test_an_export_of_the_object_detection_api_is_read_in_any_order(order: tuple[TensorSpec, ...]) -> None:
    assert _parts(find_roles(signature_of(*EXTRAS, *order), {})) == [BOXES, SCORES, CLASSES, COUNT]


NAMES = {
    "capitals": ("Boxes", "Confidences", "class_ids", "num_boxes"),
    "scopes": ("tower0/detected_boxes", "tower0/detected_scores", "tower0/detected_classes", "tower0/num_detections"),
    "tensors of a graph": ("detection_boxes:0", "detection_scores:0", "detection_classes:0", "num_detections:0"),
    "combined suppression": ("nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections"),
    "words in names": ("output_boxes", "final_scores_1", "pred_classes", "model/count"),
    "the operation of TFLite": (
        "TFLite_Detection_PostProcess",
        "TFLite_Detection_PostProcess:2",
        "TFLite_Detection_PostProcess:1",
        "TFLite_Detection_PostProcess:3",
    ),
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("turn", [1, -1])
def test_what_exports_call_them_is_known(names: tuple[str, ...], turn: int) -> None:
    shapes: list[tuple[int | None, ...]] = [(1, 10, 4), (1, 10), (1, 10), (1,)]
    specs = [TensorSpec(name, "float32", shape) for name, shape in zip(names, shapes, strict=True)]
    assert _parts(find_roles(signature_of(*specs[::turn]), {})) == specs


def test_what_a_file_or_a_card_says_wins() -> None:
    specs = [_spec(f"StatefulPartitionedCall:{n}", 1, 10) for n in range(2)]
    boxes, count = _spec("StatefulPartitionedCall:2", 1, 10, 4), _spec("StatefulPartitionedCall:3", 1)
    given = {"scores": specs[1].name, "classes": specs[0].name, "boxes": boxes.name, "count": count.name}
    roles = find_roles(signature_of(*specs, boxes, count), given)  # type: ignore[arg-type]
    assert _parts(roles) == [boxes, specs[1], specs[0], count]
    assert roles.either is None


def test_outputs_without_a_name_are_told_by_shape_and_dtype() -> None:
    ids, boxes, scores = _spec("output_0", 1, 10, dtype="int32"), _spec("output_1", 1, 10, 4), _spec("output_2", 1, 10)
    count = _spec("output_3", 1, dtype="int32")
    assert _parts(find_roles(signature_of(ids, boxes, scores), {})) == [boxes, scores, ids, None]
    assert _parts(find_roles(signature_of(count, ids, boxes, scores), {})) == [boxes, scores, ids, count]


def test_two_outputs_that_could_each_be_scores_or_classes_are_left_to_their_numbers() -> None:
    boxes, first, second, count = (
        _spec("Identity", 1, 10, 4),
        _spec("Identity_1", 1, 10),
        _spec("Identity_2", 1, 10),
        _spec("Identity_3", 1),
    )
    roles = find_roles(signature_of(boxes, first, second, count), {})
    assert roles.either == (first, second)
    assert (roles.boxes, roles.count) == (boxes, count)


def test_scores_may_have_a_number_for_each_class() -> None:
    boxes, scores = _spec("tf_op_layer_concat", 1, None, 4), _spec("tf_op_layer_concat_1", 1, None, 80)
    roles = find_roles(signature_of(scores, boxes), {})
    assert _parts(roles) == [boxes, scores, None, None]
    assert roles.by_class


def test_boxes_and_scores_are_enough() -> None:
    assert _parts(find_roles(signature_of(*EXTRAS, BOXES, SCORES), {})) == [BOXES, SCORES, None, None]


def test_what_has_no_batch_dimension_is_read_too() -> None:
    boxes, scores = _spec("a", 100, 4), _spec("b", 100)
    assert _parts(find_roles(signature_of(boxes, scores), {})) == [boxes, scores, None, None]


def test_names_are_enough_where_shapes_are_unknown() -> None:
    boxes, scores, count = (TensorSpec(name, "float32", None) for name in ("boxes", "scores", "num_boxes"))
    assert _parts(find_roles(signature_of(scores, count, boxes), {})) == [boxes, scores, None, count]


REFUSED = {
    "no boxes": ((SCORES, CLASSES, COUNT), r"it gives no boxes, \[1,N,4\]"),
    "no scores": ((BOXES, COUNT), "it gives no scores"),
    "two could be the classes": (
        (BOXES, SCORES, _spec("a", 1, 100, dtype="int32"), _spec("b", 1, 100, dtype="int32")),
        "a and b could each be the classes",
    ),
    "three could be the scores": (
        (BOXES, *(_spec(name, 1, 100) for name in "abc")),
        "a and b and c could each be the scores",
    ),
    "boxes of text": ((_spec("boxes", 1, 9, 4, dtype="string"), SCORES), "boxes string .* cannot be boxes"),
    "boxes of eight numbers": ((_spec("boxes", 1, 8), SCORES), "cannot be boxes"),
    "nothing": ((), "its outputs: none"),
    "a regressor": (
        (_spec("StatefulPartitionedCall:0", None, 8),),
        "8 numbers for the whole picture, as a classifier or",
    ),
    "a classifier": ((_spec("predictions", 1, 1001),), "1001 numbers for the whole picture, as a classifier does"),
    "an embedding": ((_spec("embeddings", 1, 128),), "128 numbers for the whole picture, as an embedding has"),
    "a classifier of four": ((_spec("dense", 1, 4),), "it gives no boxes.*4 numbers for the whole picture"),
    "two classifiers": (
        (_spec("age", None, 4), _spec("gender", None, 2)),
        "it gives no boxes.*numbers for the whole picture, as classifiers and regressors",
    ),
    "a segmentation": ((_spec("mask", 1, 257, 257, 21),), "maps, as segmentation, depth and heat maps are"),
    "heat maps": ((_spec("a", 1, 96, 96, 1), _spec("b", 1, 96, 96, 2)), "a card has to say how they are read"),
    "a YOLO": ((_spec("output_0", 1, 84, 8400),), "rows of one output.*a card has to say what stands in them"),
    "text": ((_spec("caption", 1, dtype="string"),), "no numbers at all"),
    "a pose": ((_spec("output_0", 1, 1, 17, 3),), "but 17 points, as a pose"),
    "poses": ((_spec("output_0", 1, 56, 8400),), "rows of a box, a score and 17 points"),
    "a face mesh": ((_spec("a", 1, 1, 1, 1404), _spec("b", 1, 1, 1, 1)), "numbers for the whole picture"),
    "a picture": ((_spec("output_0", None, None, None, 3),), "a picture, as super-resolution"),
    "a segmentation of whole numbers": ((_spec("ArgMax", 1, None, None, dtype="int64"),), "maps, as segmentation"),
    "shapes of things": (
        (_spec("output_0", 1, 116, 8400), _spec("output_1", 1, 160, 160, 32)),
        "but rows and maps, as models do that find the shapes of things",
    ),
    "levels": (
        tuple(_spec(f"{part}_{side}", 1, side, side, 36) for part in ("box", "class") for side in (40, 20)),
        "raw heads of several levels; export it with their decoding",
    ),
    "grids of a YOLO": (
        (_spec("pred_sbbox", 1, 52, 52, 3, 85), _spec("pred_mbbox", 1, 26, 26, 3, 85)),
        "grids of anchors, as YOLO",
    ),
    "an autoencoder with its code": (
        (_spec("decoded", 1, 128, 128, 3), _spec("code", 1, 64)),
        "but maps and numbers for the whole picture",
    ),
    "one box": ((_spec("bbox", 1, 4), _spec("cls", 1, 1)), "one box for the whole picture, as a localiser"),
    "offsets": ((_spec("mbox_loc", 1, 8732, 4), _spec("mbox_conf", 1, 8732, 21)), "looks like offsets from anchors"),
}


@pytest.mark.parametrize(("outputs", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_detector_is_refused_with_a_reason_and_a_list(outputs: tuple[TensorSpec, ...], message: str) -> None:
    with pytest.raises(SignatureError, match=message) as caught:
        find_roles(signature_of(*outputs), {})
    assert str(caught.value).startswith("the signature 'serving_default' is not a detector's: ")
    assert all(str(spec) in str(caught.value) for spec in outputs)


def test_a_map_in_the_shape_of_the_picture_is_no_rows() -> None:
    image = TensorSpec("image", "float32", (1, 192, 256, 3))
    with pytest.raises(SignatureError, match="maps, as segmentation, depth"):
        find_roles(Signature("serving_default", (image,), (_spec("depth", 1, 96, 128),)), {})


def test_boxes_of_an_open_number_are_told_from_a_batch_of_single_ones() -> None:
    image, boxes = TensorSpec("image", "float32", (None, 64, 64, 3)), _spec("boxes", None, 4)
    in_rows = Signature("serving_default", (image,), (boxes, _spec("scores", None)))
    assert find_roles(in_rows, {}).boxes == boxes
    with pytest.raises(SignatureError, match="one box for the whole picture"):
        find_roles(Signature("serving_default", (image,), (boxes, _spec("scores", None, 3))), {})


def test_what_a_card_calls_boxes_is_believed() -> None:
    boxes, scores = _spec("mbox_loc", 1, 8732, 4), _spec("mbox_conf", 1, 8732, 21)
    assert find_roles(signature_of(boxes, scores), {"boxes": "mbox_loc"}).scores == scores


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(SignatureError, match=r"no output 'nowhere', which is given as its scores.*detection_boxes"):
        find_roles(signature_of(BOXES, SCORES), {"scores": "nowhere"})


def test_names_from_a_model_cannot_write_to_the_terminal() -> None:
    with pytest.raises(SignatureError) as caught:
        find_roles(signature_of(_spec("\x1b[2Jx", 1, 2)), {"boxes": "\x1b[2Jy"})
    assert str(caught.value).isprintable()
