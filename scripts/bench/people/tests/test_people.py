from pathlib import Path

import cv2
import numpy as np
import pytest
from bench.people.detect import size_from
from bench.people.empty import LISTED, WHOLE, images_of
from bench.people.figures import by_score, by_side, thresholds
from bench.people.matching import FALSE, IGNORED, RIGHT, judge, tally
from bench.people.sheets import TILES, Sheet, tile
from bench.people.split import Found, Picture, Truth, as_results

FACE = 2


def truth(*boxes: tuple[float, float, float, float], ignored: tuple[bool, ...] = ()) -> Truth:
    marks = ignored or (False,) * len(boxes)
    return Truth(
        np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), FACE, np.int64), np.array(marks, np.bool_)
    )


def found(*rows: tuple[float, float, float, float, float]) -> Found:
    values = np.array(rows, np.float32).reshape(-1, 5)
    return Found(values[:, :4], values[:, 4], np.full(len(rows), FACE, np.int64))


def test_a_second_box_on_one_face_is_false() -> None:
    verdict = judge(truth((0, 0, 10, 10)), found((0, 0, 10, 10, 0.9), (0, 0, 10, 9, 0.8)), class_id=FACE)
    assert verdict.verdicts.tolist() == [RIGHT, FALSE]
    assert verdict.hit_scores.tolist() == pytest.approx([0.9])


def test_boxes_in_an_ignored_area_count_for_nothing() -> None:
    own = truth((0, 0, 100, 100), (200, 0, 210, 10), ignored=(True, False))
    verdict = judge(own, found((5, 5, 20, 20, 0.9), (40, 40, 60, 60, 0.8), (200, 0, 210, 10, 0.7)), class_id=FACE)
    assert verdict.verdicts.tolist() == [IGNORED, IGNORED, RIGHT]
    assert len(verdict.truths) == 1


def test_a_band_neither_asks_for_nor_punishes_what_is_outside_it() -> None:
    own = truth((0, 0, 10, 10), (100, 0, 140, 40))
    seen = found((0, 0, 10, 10, 0.9), (100, 0, 140, 40, 0.8), (50, 50, 55, 55, 0.7), (0, 60, 40, 100, 0.6))
    verdict = judge(own, seen, class_id=FACE, sides_px=(24, float("inf")))
    assert verdict.verdicts.tolist() == [IGNORED, RIGHT, IGNORED, FALSE]


def test_average_precision_of_one_hit_one_miss_and_one_mistake() -> None:
    pairs = [(truth((0, 0, 10, 10), (50, 50, 60, 60)), found((0, 0, 10, 10, 0.9), (20, 20, 30, 30, 0.8)))]
    own = tally(pairs, class_id=FACE)
    assert own.average_precision() == pytest.approx(51 / 101)  # precision 1 up to a recall of .5, in steps of .01
    assert own.precision(0.85) == 1.0
    assert own.precision(0.5) == 0.5
    assert own.recall(0.5) == 0.5
    assert own.recall_at(0.95) == pytest.approx((0.5, 0.9))


def test_nothing_found_is_worth_nothing() -> None:
    own = tally([(truth((0, 0, 10, 10)), Found.nothing())], class_id=FACE)
    assert own.average_precision() == 0.0
    assert own.recall_at(0.95) == (0.0, 1.0)


def test_tables_count_strays_on_pictures_of_nobody() -> None:
    stray = found((0, 0, 10, 10, 0.55))
    pairs = [(truth(), stray), (truth((0, 0, 30, 30)), found((0, 0, 30, 30, 0.9)))]
    pictures = [Picture(number, Path("x.png"), "made", (64, 64), pair[0]) for number, pair in enumerate(pairs)]
    rows = {line.split(" | ")[0]: line for line in by_score(pictures, pairs).splitlines()}
    assert rows["| .500"].endswith("| 1 | 1 |")
    assert rows["| .600"].endswith("| 0 | 0 |")
    assert "| 24 to 48 px |" in by_side(pairs, 0.5)
    assert ".560 (recall 1.000)" in thresholds(pictures, pairs)


def test_results_keep_boxes_as_corner_and_size() -> None:
    (row,) = as_results(7, found((1, 2, 11, 22, 0.5)))
    assert row == {"image_id": 7, "category_id": FACE, "bbox": [1.0, 2.0, 10.0, 20.0], "score": 0.5}


def test_sizes_are_read() -> None:
    assert size_from("640x480") == (640, 480)
    assert size_from("own") is None


def test_a_part_of_a_picture_is_cut_out(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), np.zeros((40, 80, 3), np.uint8))
    ((name, image),) = images_of(path, (0.5, 0.0, 1.0, 0.25))
    assert (name, image.shape) == ("x.png", (10, 40, 3))
    ((_, whole),) = images_of(path, WHOLE)
    assert whole.shape == (40, 80, 3)


def test_the_list_of_files_without_people_is_in_order() -> None:
    names = [line.split()[0] for line in LISTED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert names == sorted(set(names))


def test_a_sheet_holds_its_tiles(tmp_path: Path) -> None:
    white = np.full((50, 100, 3), 255, np.uint8)
    path = Sheet("01 some, faces").write(tmp_path, [tile(white, "a")] * (TILES.columns + 1))
    assert path.name == "01-some-faces.png"
    sheet = cv2.imread(str(path))
    assert sheet is not None
    assert sheet.shape[:2] == (2 * (TILES.side_px + TILES.title_px), TILES.columns * TILES.side_px)
