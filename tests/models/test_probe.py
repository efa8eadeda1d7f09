import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.frame import Image
from streamer.models import ModelOptions, load_detector
from streamer.models.card import DecodedHead
from streamer.models.heads import RawDetections
from streamer.models.heads.building import build_head
from streamer.models.opening import open_model
from streamer.models.plan import RANGES, Choice, InputPlan, Plan
from streamer.models.probe import MAX_PICTURES, SURE_ENOUGH, probe
from streamer.models.probing.class_ids import first_class_id
from streamer.models.probing.evidence import Seen, figure, strongest
from streamer.models.probing.ways import IMAGENET, IMAGENET_MEAN, IMAGENET_STD
from streamer.models.signature import Signature, TensorSpec
from tests.conftest import shared
from tests.saved_models import save_red_finder

SIZE_PX = (160, 120)

RED_BGR = (25, 30, 230)


def picture(*boxes: tuple[int, int, int, int], seed: int = 0, size_px: tuple[int, int] = SIZE_PX) -> Image:
    """Grey noise with a red rectangle for each x1 y1 x2 y2."""
    random = np.random.default_rng(seed)
    image = random.integers(70, 180, (size_px[1], size_px[0], 1)).astype(np.uint8).repeat(3, axis=2)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = RED_BGR
    return image


PICTURES = (picture((20, 15, 60, 50)), picture((90, 60, 150, 85), seed=1))


def photograph(name: str) -> Image:
    image = cv2.imread(str(shared(f"images/{name}.jpg")))
    assert image is not None
    return image.astype(np.uint8, copy=False)


@dataclass
class RedFinder:
    """A network that knows red when it sees it, in one range and one order, and speaks of it in one way."""

    scale: str = "0..1"
    channel_order: str = "rgb"
    box_order: str = "yxyx"
    unit: str = "fraction"
    class_id: float = 1.0
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def runtime(self) -> str:
        return "numpy"

    def run(self, images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        self.shapes.append(images.shape)
        mean, std = (IMAGENET_MEAN, IMAGENET_STD) if self.scale == IMAGENET else RANGES[self.scale]
        rgb = images[0] if self.channel_order == "rgb" else images[0, ..., ::-1]
        pixels = rgb.astype(np.float64) * std + mean
        rows = [self._row(pixels)]
        boxes, scores = (np.array([[row[part] for row in rows]], np.float32) for part in (0, 1))
        ids = np.full((1, 1), self.class_id, np.float32)
        return {"boxes": boxes, "scores": scores, "classes": ids}

    def close(self) -> None:
        """There is nothing to let go of."""

    def _row(self, pixels: NDArray[np.float64]) -> tuple[list[float], float]:
        red, others = pixels[..., 0], pixels[..., 1:].max(axis=-1)
        rows, columns = np.nonzero((red - others > 12) & (red < 300) & (others < 60) & (others > -20))
        if not len(rows):
            return [0.0] * 4, 0.0
        height, width = red.shape
        x1, x2, y1, y2 = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
        filled = len(rows) / ((x2 - x1) * (y2 - y1))
        across, down = (width, height) if self.unit == "fraction" else (1, 1)
        numbers = {"x1": x1 / across, "x2": x2 / across, "y1": y1 / down, "y2": y2 / down}
        return self._in_order(**numbers), 0.95 * filled

    def _in_order(self, *, x1: float, y1: float, x2: float, y2: float) -> list[float]:
        return {
            "xyxy": [x1, y1, x2, y2],
            "yxyx": [y1, x1, y2, x2],
            "cxcywh": [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1],
            "xywh": [x1, y1, x2 - x1, y2 - y1],
        }[self.box_order]


class Blind(RedFinder):
    """It sees nothing, whatever it is shown."""

    def _row(self, pixels: NDArray[np.float64]) -> tuple[list[float], float]:
        return [0.2, 0.2, 0.6, 0.6], 0.0 * float(pixels.size)


class Obsessed(RedFinder):
    """It sees the same on every picture, and in its own range only."""

    def _row(self, pixels: NDArray[np.float64]) -> tuple[list[float], float]:
        return [0.2, 0.2, 0.6, 0.8], 0.9 if 20 < pixels.mean() < 260 else 0.0


class Broken(RedFinder):
    def run(self, images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        raise ModelError(f"the model fails on {images.shape}")


def plan(*open_choices: str, usual: Sequence[str] = (), dtype: str = "float32", **values: str) -> Plan:
    """As understanding.py leaves one: 0..1, rgb, yxyx as fractions, unless `values` says other."""
    answers = {
        "channel order": values.get("channel_order", "rgb"),
        "scale": values.get("scale", "0..1"),
        "box order": values.get("box_order", "yxyx"),
        "box unit": values.get("unit", "fraction"),
        "first class id": "1",
    }
    spec = TensorSpec("image", dtype, (1, SIZE_PX[1], SIZE_PX[0], 3))
    rows = (TensorSpec("scores", "float32", (1, None)), TensorSpec("classes", "float32", (1, None)))
    signature = Signature("serve", (spec,), (TensorSpec("boxes", "float32", (1, None, 4)), *rows))
    card = DecodedHead.model_validate(
        {"boxes": "boxes", "scores": "scores", "classes": "classes"}
        | {"order": answers["box order"], "unit": answers["box unit"]}
    )
    mean, std = RANGES[answers["scale"]]
    return Plan(
        input=InputPlan(
            spec=spec,
            size_px=SIZE_PX,
            batch=1,
            layout="nhwc",
            channel_order="bgr" if answers["channel order"] == "bgr" else "rgb",
            mean=(mean,) * 3,
            std=(std,) * 3,
            fit="stretch",
        ),
        head=build_head(card, signature, input_size_px=SIZE_PX),
        head_card=card,
        choices=tuple(
            Choice(what, value, "usual", is_open=what in open_choices, is_usual=what in usual)
            for what, value in answers.items()
        ),
    )


@pytest.mark.parametrize(("scale", "order"), list(itertools.product(["0..1", "-1..1", "0..255"], ["rgb", "bgr"])))
@pytest.mark.parametrize("count", [1, 2])
def test_the_range_and_the_order_of_colours_are_found(scale: str, order: str, count: int) -> None:
    verdict = probe(RedFinder(scale, order), plan("scale", "channel order"), PICTURES[:count])

    assert verdict.candidates[0].answers == {"channel order": order, "scale": scale}
    assert (verdict.plan.input.scale, verdict.plan.input.channel_order) == (scale, order)
    assert verdict.sureness["channel order"] >= SURE_ENOUGH
    assert verdict.plan.choice("channel order") == Choice("channel order", order, verdict.reason.split(":")[0])


@pytest.mark.parametrize(
    ("order", "unit"), list(itertools.product(["yxyx", "xyxy", "cxcywh", "xywh"], ["fraction", "px"]))
)
def test_the_reading_of_boxes_is_found_without_further_runs(order: str, unit: str) -> None:
    graph = RedFinder(box_order=order, unit=unit)

    verdict = probe(graph, plan("box order", "box unit"), PICTURES)

    assert verdict.candidates[0].answers == {"box order": order, "box unit": unit}
    assert isinstance(verdict.plan.head_card, DecodedHead)
    assert (verdict.plan.head_card.order, verdict.plan.head_card.unit) == (order, unit)
    assert not list(verdict.plan.open_choices())
    assert verdict.runs == len(graph.shapes) == 4 * len(PICTURES) + 1
    (box,) = verdict.candidates[0].detections[0].boxes.tolist()
    assert box == pytest.approx([20, 15, 60, 50], abs=0.01)


def test_everything_can_be_open_at_once() -> None:
    graph = RedFinder("-1..1", "bgr", "xyxy", "px")

    verdict = probe(graph, plan("scale", "channel order", "box order", "box unit"), PICTURES)

    assert verdict.candidates[0].words == "channel order bgr, scale -1..1, box order xyxy, box unit px"
    assert len(verdict.candidates) == 64
    assert sum(candidate.share for candidate in verdict.candidates) == pytest.approx(1)


def test_one_picture_costs_32_runs_and_many_are_not_looked_at() -> None:
    one, many = RedFinder(), RedFinder()
    probe(one, plan("scale", "channel order", "box order", "box unit"), PICTURES[:1])
    verdict = probe(many, plan("channel order"), PICTURES * MAX_PICTURES)

    assert len(one.shapes) == 32
    assert verdict.runs == len(many.shapes) == 2 * (4 * MAX_PICTURES + 1)
    assert len(verdict.candidates[0].detections) == MAX_PICTURES


def test_what_is_not_open_is_not_questioned() -> None:
    verdict = probe(RedFinder("-1..1", "bgr"), plan(scale="0..1"), PICTURES)

    assert verdict.plan == plan_as(verdict.plan)
    assert (verdict.plan.input.scale, verdict.plan.input.channel_order) == ("0..1", "rgb")
    assert (verdict.candidates[0].words, len(verdict.candidates), verdict.overall) == ("as planned", 1, 1.0)
    assert not verdict.sureness


def plan_as(found: Plan) -> Plan:
    return replace(found, choices=plan().choices)


def test_what_is_usual_is_questioned_when_asked() -> None:
    usual = plan(usual=["channel order"], dtype="uint8", scale="0..255")
    graph = RedFinder("0..255", "bgr")

    assert probe(graph, usual, PICTURES).plan.input.channel_order == "rgb"
    assert probe(graph, usual, PICTURES, questions="usual").plan.input.channel_order == "bgr"


def test_pictures_on_which_nothing_is_seen_decide_nothing() -> None:
    asked = plan("scale", "channel order", "box order", "first class id")

    verdict = probe(Blind(), asked, PICTURES)

    assert verdict.plan.input == asked.input
    assert {choice.what for choice in verdict.plan.open_choices()} == set(verdict.sureness)
    assert verdict.overall < SURE_ENOUGH
    assert verdict.reason == (
        "looked at 2 pictures: 0 detections; not sure of: channel order, scale, box order, first class id"
    )


def test_what_is_seen_on_every_picture_is_no_evidence() -> None:
    verdict = probe(Obsessed("-1..1"), plan("scale"), PICTURES)

    assert max(candidate.figure for candidate in verdict.candidates) == pytest.approx(0, abs=0.01)
    assert verdict.plan.choice("scale").is_open


def test_a_box_in_the_very_middle_leaves_its_order_open() -> None:
    width, height = SIZE_PX
    middle = picture((width // 4, height // 4, width - width // 4, height - height // 4))

    verdict = probe(RedFinder(), plan("box order"), [middle])

    assert verdict.sureness["box order"] < SURE_ENOUGH
    assert verdict.plan.choice("box order").is_open


def test_a_letterboxed_picture_is_found_in_its_own_pixels() -> None:
    wide = picture((20, 15, 60, 50), size_px=(320, 120))
    letterboxed = plan("channel order")
    letterboxed = replace(letterboxed, input=replace(letterboxed.input, fit="letterbox"))

    verdict = probe(RedFinder(channel_order="bgr"), letterboxed, [wide])

    assert verdict.candidates[0].answers == {"channel order": "bgr"}
    np.testing.assert_allclose(verdict.candidates[0].detections[0].boxes, [[20, 15, 60, 50]], atol=2.1)


def test_a_batch_of_more_than_one_is_read_by_its_first_image() -> None:
    class OfThree(RedFinder):
        def run(self, images: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
            found = super().run(images)
            return {name: np.concatenate([rows, rows + 1, rows + 2]) for name, rows in found.items()}

    graph, asked = OfThree("-1..1"), plan("scale")
    verdict = probe(graph, replace(asked, input=replace(asked.input, batch=3)), PICTURES)

    assert {shape[0] for shape in graph.shapes} == {3}
    assert verdict.plan.input.scale == "-1..1"


def test_imagenets_mean_goes_by_the_order_of_the_colours() -> None:
    verdict = probe(RedFinder(), plan("scale", "channel order"), PICTURES[:1])
    means = {
        candidate.answers["channel order"]: candidate.plan.input.mean
        for candidate in verdict.candidates
        if candidate.answers["scale"] == IMAGENET
    }

    assert means == {"rgb": IMAGENET_MEAN, "bgr": IMAGENET_MEAN[::-1]}


def test_rows_that_are_no_detections_count_for_nothing() -> None:
    good, nan, inf = [16.0, 12.0, 80.0, 60.0], float("nan"), float("inf")
    turned, unreal = [80.0, 12.0, 16.0, 60.0], [nan, 12.0, 80.0, 60.0]
    boxes = np.array([good, good, good, good, turned, unreal, [0.0, 0.0, inf, 60.0]])
    scores = np.array([0.5, nan, 1.5, 0.6, 0.9, 0.9, 0.9])
    class_ids = np.array([1.988, 1, 1, nan, 1, 1, 1])

    seen = strongest(RawDetections(boxes, scores, class_ids), size_px=SIZE_PX)

    assert seen.boxes.tolist() == [[0.1, 0.1, 0.5, 0.5]]
    assert (seen.scores.tolist(), seen.class_ids.tolist()) == ([0.5], [2.0])
    assert seen.soundness == pytest.approx(0.5**2 / (0.5**2 + 3 * 0.9**2))


def test_a_flood_of_weak_detections_is_worth_less_than_one_good_one() -> None:
    across = np.linspace(0, 120, 200)
    flood = np.stack([across, across / 2, across + 30, across / 2 + 30], axis=1)
    weak = strongest(RawDetections(flood, np.full(200, 0.2), np.ones(200)), size_px=SIZE_PX)
    good = strongest(RawDetections(flood[:1], np.array([0.95]), np.ones(1)), size_px=SIZE_PX)
    nothing = strongest(RawDetections(flood[:0], np.empty(0), np.empty(0)), size_px=SIZE_PX)

    def alone(seen: Seen) -> float:
        mirrored = replace(
            seen, boxes=np.stack([1 - seen.boxes[:, 2], seen.boxes[:, 1], 1 - seen.boxes[:, 0], seen.boxes[:, 3]], 1)
        )
        return figure(seen, mirrored=mirrored, plain=nothing)

    assert alone(good) == pytest.approx(0.95**2)
    assert alone(weak) < alone(good)
    assert figure(good, mirrored=good, plain=nothing) == figure(nothing, mirrored=good, plain=good) == 0


@pytest.mark.parametrize(
    ("seen", "class_count", "first", "sure"),
    [
        ({0, 3}, None, 0, True),
        ({0}, 1, 0, True),
        ({1, 7}, 7, 1, True),
        ({1}, 1, 1, True),
        ({1}, None, 1, True),
        ({5}, 80, 1, False),
        ({5, 9, 17}, None, 1, False),
        (set(), None, 1, False),
        ({-1}, 3, 1, False),
    ],
)
def test_the_first_class_id_is_told_by_the_ids(
    seen: set[int], class_count: int | None, first: int, *, sure: bool
) -> None:
    found, sureness, why = first_class_id(seen, class_count=class_count)

    assert (found, sureness >= SURE_ENOUGH) == (first, sure)
    assert why


def test_the_first_class_id_is_decided_from_what_is_seen() -> None:
    verdict = probe(RedFinder(class_id=0.0), plan("first class id"), PICTURES)

    assert verdict.plan.first_class_id == 0
    assert verdict.plan.choice("first class id") == Choice(
        "first class id", "0", "looked at 2 pictures: the id 0 was seen"
    )


def test_no_picture_and_a_failing_model_are_told() -> None:
    with pytest.raises(ValueError, match="no picture"):
        probe(RedFinder(), plan("scale"), [])
    with pytest.raises(ModelError, match="the model fails"):
        probe(Broken(), plan("scale"), PICTURES)


def test_a_model_is_fed_as_its_pictures_say_from_the_first_frame_on(tmp_path: Path) -> None:
    folder = save_red_finder(
        tmp_path / "red", input_shape=(1, 120, 160, 3), input_dtype="float32", red_from=0.0, other_to=-0.55
    )

    with_pictures = load_detector(folder, pictures=lambda: PICTURES)
    (found,) = with_pictures.detect([PICTURES[0]])
    with_pictures.close()
    without = load_detector(folder)
    (missed,) = without.detect([PICTURES[0]])
    without.close()

    assert found.boxes.tolist() == [pytest.approx([20, 15, 60, 50], abs=0.01)]
    assert len(missed) == 0


@pytest.mark.needs_shared
def test_a_real_face_detector_is_fed_in_the_right_range() -> None:
    path = shared("models/pb/aizoo_face_mask_detection.pb")
    pictures = [photograph(name) for name in ("human_ai-upper", "coral_face")]
    opened = open_model(path, ModelOptions())
    try:
        asked = tuple(
            replace(choice, is_open=choice.what in {"scale", "channel order"}) for choice in opened.plan.choices
        )
        verdict = probe(
            opened.loaded.graph, replace(opened.plan, choices=asked), [p for p in pictures if p is not None]
        )
    finally:
        opened.close()

    assert verdict.candidates[0].answers == {"channel order": "rgb", "scale": "0..1"}
    assert verdict.runs == 56
