"""Which tensor plays which part is read from names, shapes and dtypes, in whatever order they come."""

from itertools import permutations

import pytest

from streamer.errors import SignatureError
from streamer.models.signature import Signature, TensorSpec, assign_roles, choose_signature

Shape = tuple[int | None, ...] | None

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


def _signature(*outputs: TensorSpec, image: TensorSpec = IMAGE) -> Signature:
    return Signature("serving_default", (image,), outputs)


@pytest.mark.parametrize("order", list(permutations([BOXES, SCORES, CLASSES, COUNT])))
def test_an_export_of_the_object_detection_api_is_read_in_any_order(order: tuple[TensorSpec, ...]) -> None:
    roles = assign_roles(_signature(*EXTRAS, *order))
    assert (roles.image, roles.boxes, roles.scores, roles.classes, roles.count) == (
        IMAGE,
        BOXES,
        SCORES,
        CLASSES,
        COUNT,
    )


def test_other_names_in_other_cases_are_known() -> None:
    outputs = [
        TensorSpec("Boxes", "float32", (1, None, 4)),
        TensorSpec("Confidences", "float32", (1, None)),
        TensorSpec("class_ids", "int64", (1, None)),
        TensorSpec("num_boxes", "int32", (1,)),
    ]
    roles = assign_roles(_signature(*outputs))
    assert [roles.boxes, roles.scores, roles.classes, roles.count] == outputs


def test_outputs_without_a_name_are_told_by_shape_and_dtype() -> None:
    ids = TensorSpec("output_0", "int32", (1, 10))
    boxes = TensorSpec("output_1", "float32", (1, 10, 4))
    scores = TensorSpec("output_2", "float32", (1, 10))
    roles = assign_roles(_signature(ids, boxes, scores))
    assert (roles.boxes, roles.scores, roles.classes, roles.count) == (boxes, scores, ids, None)


def test_boxes_and_scores_are_enough() -> None:
    roles = assign_roles(_signature(*EXTRAS, BOXES, SCORES))
    assert roles.classes is None
    assert roles.count is None


def test_what_has_no_batch_dimension_is_read_too() -> None:
    image = TensorSpec("image", "float32", (320, 320, 3))
    boxes = TensorSpec("a", "float32", (100, 4))
    scores = TensorSpec("b", "float32", (100,))
    roles = assign_roles(_signature(boxes, scores, image=image))
    assert (roles.boxes, roles.scores) == (boxes, scores)


INPUTS = {
    "rank": (("uint8", (1, 300)), "its input is no image"),
    "unknown rank": (("uint8", None), "its input is no image"),
    "grey": (("uint8", (1, 300, 300, 1)), "its input is no image"),
    "channels first": (("float32", (1, 3, 300, 300)), "its input is no image"),
    "dtype": (("string", (None,)), "it takes string, where uint8 or float32"),
    "eight at once": (("uint8", (8, 300, 300, 3)), "it takes 8 images at once"),
}


@pytest.mark.parametrize(("spec", "message"), INPUTS.values(), ids=INPUTS)
def test_an_input_that_is_no_image_is_named(spec: tuple[str, Shape], message: str) -> None:
    image = TensorSpec("image_in", *spec)
    with pytest.raises(SignatureError, match=message) as caught:
        assign_roles(_signature(BOXES, SCORES, image=image))
    assert f"its inputs: {image}" in str(caught.value)


def test_a_second_input_is_named() -> None:
    second = TensorSpec("threshold", "float32", ())
    with pytest.raises(SignatureError, match=r"takes 2 inputs.*threshold float32 \[\]"):
        assign_roles(Signature("serve", (IMAGE, second), (BOXES, SCORES)))


OUTPUTS = {
    "no boxes": ((SCORES, CLASSES, COUNT), "it gives no boxes"),
    "no scores": ((BOXES, COUNT), "it gives no scores"),
    "raw heads only": (EXTRAS, "it gives no boxes"),
    "two could be the scores": (
        (BOXES, TensorSpec("a", "float32", (1, 9)), TensorSpec("b", "float32", (1, 9))),
        "a and b could each be the scores",
    ),
    "two could be the classes": (
        (BOXES, SCORES, TensorSpec("a", "int32", (1, 9)), TensorSpec("b", "int32", (1, 9))),
        "a and b could each be the classes",
    ),
    "boxes of text": ((TensorSpec("boxes", "string", (1, 9, 4)), SCORES), "boxes string .* cannot be boxes"),
    "boxes of eight numbers": ((TensorSpec("boxes", "float32", (1, 8)), SCORES), "cannot be boxes"),
    "scores of every class": ((BOXES, TensorSpec("scores", "float32", (1, 9, 90))), "cannot be scores"),
    "nothing": ((), "its outputs: none"),
}


@pytest.mark.parametrize(("outputs", "message"), OUTPUTS.values(), ids=OUTPUTS)
def test_what_an_output_lacks_is_said_and_what_there_is_listed(outputs: tuple[TensorSpec, ...], message: str) -> None:
    with pytest.raises(SignatureError, match=message) as caught:
        assign_roles(_signature(*outputs))
    assert all(str(spec) in str(caught.value) for spec in outputs)


def test_the_signature_is_the_wanted_one_or_the_default_or_the_only_one() -> None:
    assert choose_signature(["a", "serving_default"], None) == "serving_default"
    assert choose_signature(["a", "serving_default"], "a") == "a"
    assert choose_signature(["only"], None) == "only"


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        (["b", "a"], None, "no signature 'serving_default'.*may be one of: a, b"),
        (["serving_default"], "detect", "no signature 'detect'.*may be one of: serving_default"),
        ([], None, "the model has no signature"),
    ],
)
def test_a_signature_that_is_not_there_lists_those_that_are(names: list[str], wanted: str | None, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        choose_signature(names, wanted)


def test_names_from_a_model_cannot_write_to_the_terminal() -> None:
    with pytest.raises(SignatureError) as caught:
        assign_roles(_signature(TensorSpec("\x1b[2Jx", "float32", (1, 2))))
    assert str(caught.value).isprintable()
