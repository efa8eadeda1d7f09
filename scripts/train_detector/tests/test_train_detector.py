"""The training package's parts, each by what it promises."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from train_detector.augment import Recipe, make_sample
from train_detector.batches import EpochPlan, TrainingBatches
from train_detector.data import Labels, Photographs, Sample
from train_detector.drawn import draw_nothing
from train_detector.evaluate import suppress
from train_detector.loss import Targets, assign, compute_losses, generalised_overlap, ignored_locations, overlap
from train_detector.network import CLASS_NAMES, Detector, NetworkConfig, count_parameters
from train_detector.plan import Plan, canvas_sides_px, learning_rate
from train_detector.points import decode, locate

PERSON, FACE = range(len(CLASS_NAMES))


def targets(*rows: tuple[float, float, float, float, int, bool]) -> Targets:
    boxes = torch.tensor([row[:4] for row in rows]).reshape(-1, 4).float()
    classes = torch.tensor([row[4] for row in rows], dtype=torch.int64)
    return Targets(boxes, classes, torch.zeros(len(rows), dtype=torch.int64), torch.tensor([row[5] for row in rows]))


def test_the_network_answers_once_for_each_location_and_stays_in_its_budget() -> None:
    network = Detector(NetworkConfig()).eval()
    logits, boxes = network(torch.zeros(1, 3, 64, 96))
    assert logits.shape == (1, len(locate(64, 96).strides_px), 2)
    assert boxes.shape == (*logits.shape, 4)
    assert count_parameters(network) < 900_000


def test_zeros_decode_to_squares_of_four_strides_around_each_location() -> None:
    points = locate(32, 32)
    boxes = decode(torch.zeros(1, len(points.strides_px), 2, 4), points)
    assert boxes[0, 0, FACE].tolist() == [-12.0, -12.0, 20.0, 20.0]
    assert boxes[0, -1, PERSON].tolist() == [-48.0, -48.0, 80.0, 80.0]


def test_a_face_smaller_than_a_stride_and_the_person_around_it_both_find_locations() -> None:
    points = locate(64, 64)
    boxes = decode(torch.zeros(1, len(points.strides_px), 2, 4), points)
    wanted = targets((0, 0, 60, 64, PERSON, False), (15.5, 15.5, 19.0, 19.5, FACE, False))
    owners = assign(torch.full(boxes.shape[:3], 0.01), boxes, wanted, points).owners
    assert (owners[..., PERSON] == 0).any()
    assert (owners[..., FACE] == 1).any()
    assert not (owners[..., FACE] == 0).any()


def test_an_ignored_area_hides_locations_of_its_class_only() -> None:
    points = locate(64, 64)
    mask = ignored_locations(torch.Size((1, len(points.strides_px), 2)), targets((0, 0, 64, 64, FACE, True)), points)
    assert mask[..., FACE].all()
    assert not mask[..., PERSON].any()


def test_a_picture_that_is_all_ignored_costs_nothing() -> None:
    points = locate(64, 64)
    logits = torch.zeros(1, len(points.strides_px), 2)
    wanted = targets((0, 0, 64, 64, FACE, True), (0, 0, 64, 64, PERSON, True))
    losses = compute_losses(logits, decode(torch.zeros(*logits.shape, 4), points), wanted, points)
    assert losses.total.item() == 0.0


def test_overlaps_are_those_of_the_textbook() -> None:
    one, other = torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2])
    assert overlap(one, other).item() == pytest.approx(1 / 3)
    assert generalised_overlap(one, torch.tensor([2.0, 0, 4, 2])).item() == pytest.approx(0.0)


def test_suppression_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]], np.float32)
    assert suppress(boxes, 0.5) == [0, 2]


def test_a_sample_follows_from_its_seed_and_its_boxes_stay_on_the_canvas() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    labels = Labels(np.array([[20, 20, 80, 100]], np.float32), np.array([PERSON]), np.array([False]))
    samples = [
        make_sample(
            np.random.default_rng(seed), lambda _: Sample(image, labels), count=5, index=0, side_px=96, recipe=Recipe()
        )
        for seed in (*range(40), 0)
    ]
    assert (samples[0].image == samples[-1].image).all()
    for sample in samples:
        assert sample.image.shape == (96, 96, 3)
        assert ((sample.labels.boxes >= 0) & (sample.labels.boxes <= 96)).all()


def test_the_schedule_warms_up_falls_and_the_canvas_grows() -> None:
    plan = Plan()
    rates = [learning_rate(plan, step, 10_000) for step in (0, 400, 5000, 9999)]
    assert rates[0] < rates[2] < rates[1] <= plan.learning_rate
    assert rates[3] < 0.03 * plan.learning_rate
    assert max(canvas_sides_px(0.0)) < max(canvas_sides_px(0.5)) < max(canvas_sides_px(0.9))


def test_a_drawn_picture_of_nothing_follows_from_its_seed() -> None:
    samples = [draw_nothing(np.random.default_rng(seed)) for seed in (*range(30), 0)]
    assert (samples[0].image == samples[-1].image).all()
    for sample in samples:
        assert max(sample.image.shape) == 320
        assert not len(sample.labels.boxes)
    assert len({sample.image.tobytes() for sample in samples}) == 30


def test_a_mistaken_picture_of_nothing_comes_again(tmp_path: Path) -> None:
    white, black = 200, 50
    (tmp_path / "images").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"images/{number}.png"), np.full((64, 64, 3), (black, white)[number], np.uint8))
    images = [{"id": n, "file_name": f"{n}.png", "height": 64, "width": 64} for n in range(2)]
    person = {"image_id": 0, "bbox": [0, 0, 30, 60], "category_id": 1, "iscrowd": 0}
    for image in images:
        image |= {"tier": "free", "dataset": "made"}
    (tmp_path / "annotations.json").write_text(json.dumps({"images": images, "annotations": [person]}))
    photographs = Photographs(tmp_path, tiers=("free",), cache_folder=tmp_path)
    assert photographs.empty() == [1]
    plain = Recipe(mosaic=0, light=0, low_light=0, blur=0, motion=0, coarse=0, noise=0, jpeg=0, erase=0, zoom=(2, 2))

    def shares(mistakes: tuple[int, ...]) -> float:
        """How often the first picture's turn shows the second."""
        middles = []
        for epoch in range(400):
            plan = EpochPlan(1, epoch, 2, (64,), plain, mistakes=mistakes)
            samples = TrainingBatches(photographs, plan, rank=0, world=1)[0].images
            middles += [int(sample[32, 32, 0]) for sample in samples]
        return middles.count(white) / len(middles)

    assert shares(()) == 0.5
    assert 0.5 < shares((1,)) < 0.56
