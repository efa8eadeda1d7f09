"""Cameras that give frames and show nothing, by the clock of the frames: no test waits."""

import time
from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from streamer.clock import NS_PER_S, FakeClock
from streamer.frame import Image
from streamer.sources.picture_check import PictureCheck, Trouble
from streamer.sources.synthetic import SyntheticSource
from streamer.sources.watched import WatchedSource
from tests.conftest import shared
from tests.faults.figures import report

FPS = 10
SIZE_PX = (320, 240)


def _changes(pictures: Iterable[Image]) -> list[tuple[float, Trouble]]:
    """When, in seconds, what was said of the pictures, at 10 a second."""
    check = PictureCheck()
    said: list[tuple[float, Trouble]] = []
    for number, picture in enumerate(pictures):
        if check.look(picture, number * NS_PER_S // FPS):
            said.append((number / FPS, check.trouble))
    return said


def _scene(chance: np.random.Generator, *, noise: float = 2.0) -> Image:
    """A room with some things in it, through a sensor with noise."""
    scene = np.full((SIZE_PX[1], SIZE_PX[0], 3), 120, np.uint8)
    cv2.rectangle(scene, (40, 60), (120, 230), (60, 40, 30), -1)
    cv2.circle(scene, (220, 90), 50, (200, 210, 190), -1)
    return _noisy(scene, chance, noise)


def _noisy(scene: Image, chance: np.random.Generator, noise: float) -> Image:
    return np.clip(scene + chance.normal(0, noise, scene.shape), 0, 255).astype(np.uint8)


def _shadow(chance: np.random.Generator, *, noise: float) -> Image:
    """A hand before the lens: grey, lighter on one side."""
    row = np.linspace(50, 120, SIZE_PX[0])
    return _noisy(np.broadcast_to(row[None, :, None], (SIZE_PX[1], SIZE_PX[0], 3)).astype(np.uint8), chance, noise)


def test_row_05_a_frozen_camera_is_told_after_ten_seconds_and_when_it_moves_again() -> None:
    chance = np.random.default_rng(1)
    still = _scene(chance)
    moving = [_scene(chance) for _ in range(20)]
    said = _changes([*moving, *[still] * 150, *moving])
    after_s = said[0][0] - 2.0 if said else float("inf")
    report(5, "said after {:.1f} s, and once that it moves again", after_s, line="warn <= 10 s", passed=after_s <= 10)
    assert [trouble for _, trouble in said] == ["frozen", ""]
    assert said[0][0] - 2.0 <= 10.3
    assert said[1][0] - 17.0 <= 1.3


def test_row_05_no_false_warning_in_ten_minutes_of_noise() -> None:
    chance = np.random.default_rng(2)
    scene = _scene(chance, noise=0)
    faint = [_noisy(scene, chance, 0.7) for _ in range(60)]
    order = chance.integers(0, len(faint), 600 * FPS)
    false = _changes(faint[number] for number in order)
    report(5, f"{len(false)} false warnings in ten minutes of noise", line="0 in 10 min", passed=not false)
    assert false == []


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_row_06_a_black_camera_is_black_and_not_frozen(noise: float) -> None:
    chance = np.random.default_rng(3)
    dark = [_noisy(np.full((SIZE_PX[1], SIZE_PX[0], 3), 14, np.uint8), chance, noise) for _ in range(60)]
    for blacks in ([dark[0]] * 200, dark * 3):
        said = _changes([_scene(chance), *blacks])
        told = [trouble for _, trouble in said] == ["black"]
        report(6, "black is told after {:.1f} s, and not as frozen", said[0][0], line="runs, told", passed=told)
        assert told
        assert said[0][0] < 3.5


@pytest.mark.parametrize("noise", [2.0, 8.0, 20.0])
def test_a_hand_before_the_lens_is_told_from_both(noise: float) -> None:
    chance = np.random.default_rng(4)
    covered = [_shadow(chance, noise=noise) for _ in range(80)]
    said = _changes([*(_scene(chance) for _ in range(20)), *covered, *(_scene(chance) for _ in range(20))])
    assert [trouble for _, trouble in said] == ["covered", ""]


def test_a_night_with_one_lamp_is_not_black() -> None:
    chance = np.random.default_rng(5)
    night = np.full((SIZE_PX[1], SIZE_PX[0], 3), 8, np.uint8)
    cv2.circle(night, (200, 80), 30, (180, 200, 210), -1)
    assert _changes(_noisy(night, chance, 2.0) for _ in range(100)) == []


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["intel_car-detection.mp4", "pims_bulk-water.mov", "torchcodec_nasa_13013.mp4"])
def test_pale_and_moving_clips_of_real_scenes_show_something(name: str) -> None:
    capture = cv2.VideoCapture(str(shared("media") / name))
    pictures: list[Image] = []
    while len(pictures) < 150 and (given := capture.read())[0]:
        pictures.append(np.asarray(given[1], np.uint8))
    capture.release()
    assert len(pictures) > 60
    assert _changes(pictures) == []


@pytest.mark.parametrize(
    ("script", "said"),
    [("freeze@20=150", "the picture does not change: is it frozen?"), ("black@20=150", "the picture is black")],
)
def test_each_change_is_told_once_and_stands_in_the_status(
    script: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = WatchedSource(SyntheticSource(f"size=160x120,fps=10,frames=200,{script}", clock=FakeClock()))
    details = [source.info.detail for _ in source.frames()]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert told[0].endswith(f": {said}")
    assert told[1].endswith(": the picture is well again")
    assert details[19] == details[-1] == ""
    assert details[165].startswith(f"{said} (1")


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 900, 3), (900, 1, 3)])
def test_pictures_of_any_shape_are_looked_at(shape: tuple[int, int, int]) -> None:
    _changes([np.full(shape, 99, np.uint8)] * 80)


def test_a_look_costs_next_to_nothing() -> None:
    picture = np.random.default_rng(6).integers(0, 255, (1080, 1920, 3), np.uint8)
    check = PictureCheck()
    took_ms = []
    for number in range(30):
        began = time.perf_counter()
        check.look(picture, number * NS_PER_S)
        took_ms.append(1000 * (time.perf_counter() - began))
    print(f"a look at 1920x1080, five times a second: {sorted(took_ms)[15]:.2f} ms (0.5 ms a frame)")
    assert sorted(took_ms)[15] < 2.5
