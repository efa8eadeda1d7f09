"""Every decision about a model is taken by the first that knows: flag, card, file, family, habit; and says which."""

from dataclasses import replace

import pytest

from streamer.errors import ConfigError, SignatureError
from streamer.models import ModelOptions
from streamer.models.card import Card
from streamer.models.loaded import Hints, Loaded
from streamer.models.plan import Plan
from streamer.models.signature import Signature, TensorSpec
from streamer.models.understanding import CardInUse, understand
from tests.fakes import NoGraph

IMAGE = TensorSpec("image", "float32", (1, 96, 128, 3))
API = (
    TensorSpec("detection_boxes", "float32", (1, 10, 4)),
    TensorSpec("detection_scores", "float32", (1, 10)),
    TensorSpec("detection_classes", "float32", (1, 10)),
    TensorSpec("num_detections", "float32", (1,)),
)
PLAIN = (
    TensorSpec("output_0", "float32", (1, 10, 4)),
    TensorSpec("output_1", "float32", (1, 10)),
    TensorSpec("output_2", "int64", (1, 10)),
)
ULFG = (TensorSpec("a", "float32", (1, 4420, 4)), TensorSpec("b", "float32", (1, 4420, 2)))


def loaded(outputs: tuple[TensorSpec, ...], *, image: TensorSpec = IMAGE) -> Loaded:
    return Loaded(graph=NoGraph(), signature=Signature("serve", (image,), outputs), form="SavedModel")


def planned(outputs: tuple[TensorSpec, ...], card: dict[str, object] | None = None, **options: object) -> Plan:
    in_use = CardInUse() if card is None else CardInUse(card=Card.model_validate(card), origin="model.yaml")
    return understand(loaded(outputs), card=in_use, options=ModelOptions(**options))  # type: ignore[arg-type]


def why(plan: Plan) -> dict[str, str]:
    return {choice.what: choice.why for choice in plan.choices}


def test_names_of_the_api_leave_only_the_range_open() -> None:
    plan = planned(API)
    assert [choice.what for choice in plan.open_choices()] == ["scale"]
    assert (plan.input.scale, plan.input.channel_order, plan.first_class_id) == ("0..255", "rgb", 1)


def test_outputs_without_names_leave_their_reading_open() -> None:
    plan = planned(PLAIN)
    assert [choice.what for choice in plan.open_choices()] == [
        "channel order",
        "scale",
        "box order",
        "box unit",
        "first class id",
    ]


def test_flags_close_what_is_open_and_win_over_the_card() -> None:
    card: dict[str, object] = {
        "head": {"kind": "decoded", "order": "xywh", "unit": "fraction"},
        "input": {"scale": "-1..1"},
    }
    plan = planned(PLAIN, card, box_order="xyxy", box_unit="px", scale="0..1", channel_order="bgr", layout="nhwc")
    assert (plan.input.scale, plan.input.channel_order) == ("0..1", "bgr")
    assert "xyxy" in plan.head.describe()
    reasons = why(plan)
    assert (reasons["box order"], reasons["box unit"], reasons["scale"], reasons["layout"]) == (
        "--box-order",
        "--box-unit",
        "--scale",
        "--layout",
    )
    assert [choice.what for choice in plan.open_choices()] == ["first class id"]


def test_the_card_is_the_reason_where_no_flag_is() -> None:
    card: dict[str, object] = {"head": {"kind": "decoded", "order": "xywh", "unit": "px"}, "first_class_id": 0}
    reasons = why(planned(PLAIN, card))
    assert {reasons["box order"], reasons["box unit"], reasons["first class id"]} == {"model.yaml"}


def test_a_size_is_asked_of_a_model_of_any() -> None:
    image = TensorSpec("image", "uint8", (1, None, None, 3))
    options = ModelOptions(input_size_px=(320, 256))
    plan = understand(loaded(API, image=image), options=options, input_size_px=(640, 480))
    assert (plan.input.size_px, why(plan)["size"]) == ((320, 256), "--input-size")


def test_a_family_is_known_by_its_shapes_and_says_so() -> None:
    image = TensorSpec("image", "float32", (1, 240, 320, 3))
    plan = understand(loaded(ULFG, image=image))
    assert plan.card == "preset ulfg"
    assert not list(plan.open_choices())
    assert why(plan)["channel order"] == "preset ulfg"


def test_a_card_wins_over_the_family_in_what_it_says_and_the_family_says_the_rest() -> None:
    image = TensorSpec("image", "float32", (1, 240, 320, 3))
    in_use = CardInUse(card=Card.model_validate({"input": {"channel_order": "bgr"}}), origin="model.yaml")
    plan = understand(loaded(ULFG, image=image), card=in_use)
    assert (plan.input.channel_order, plan.input.mean) == ("bgr", (127, 127, 127))
    assert plan.card == "model.yaml, preset ulfg"


@pytest.mark.parametrize("flag", ["box_order", "box_unit"])
def test_a_flag_for_finished_boxes_is_refused_where_there_are_none(flag: str) -> None:
    image = TensorSpec("image", "float32", (1, 240, 320, 3))
    value = {"box_order": "xyxy", "box_unit": "px"}[flag]
    options = ModelOptions(**{flag: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"--{flag.replace('_', '-')}.*anchors"):
        understand(loaded(ULFG, image=image), options=options)


def test_a_family_that_does_not_fit_is_refused_with_what_does_not() -> None:
    with pytest.raises(SignatureError, match="preset blazeface"):
        planned(API, {"preset": "blazeface"})


def test_a_card_without_the_reading_of_named_outputs_leaves_it_to_their_names() -> None:
    plan = planned(API, {"head": {"kind": "decoded", "nms": "agnostic"}})
    assert "box order" not in {choice.what for choice in plan.open_choices()}


def test_a_preset_that_the_card_names_wins_over_the_file_and_one_that_only_fits_does_not() -> None:
    image = TensorSpec("image", "float32", (1, 240, 320, 3))
    model = replace(loaded(ULFG, image=image), hints=Hints(normalization=((1.0,), (2.0,)), channel_order="bgr"))
    named = CardInUse(card=Card.model_validate({"preset": "ulfg"}), origin="model.yaml")
    plan = understand(model, card=named)
    assert (plan.input.mean, plan.input.channel_order) == ((127, 127, 127), "rgb")
    plan = understand(model)
    assert (plan.input.mean, plan.input.channel_order) == ((1, 1, 1), "bgr")


def test_the_labels_of_a_family_are_kept_apart_from_those_of_a_card() -> None:
    image = TensorSpec("image", "float32", (1, 240, 320, 3))
    plan = understand(loaded(ULFG, image=image))
    assert (plan.labels, plan.family) == (None, "ulfg")
    assert plan.family_labels
    named = CardInUse(card=Card.model_validate({"preset": "ulfg"}), origin="model.yaml")
    assert understand(loaded(ULFG, image=image), card=named).labels
