"""The rendered clip: a camera in a hand, over photographs; the same every time, and without a network."""

import math
import socket
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.frame import Image
from streamer.sources import open_source

pytest.importorskip("skimage", reason="needs scikit-image, whose photographs the clip shows: pip install '.[demo]'")

from scripts.demo_clip import SHUTTER, Hand, Sensor, exposure, images, matrix, render, scenes

SIZE_PX = (160, 120)
FPS = 10.0
DURATION_S = 4.0


def rendered(seed: int = 0) -> list[Image]:
    return list(images(size_px=SIZE_PX, fps=FPS, duration_s=DURATION_S, seed=seed))


@pytest.fixture(scope="module")
def clip() -> list[Image]:
    return rendered()


def changes(clip: list[Image]) -> NDArray[np.float64]:
    """The mean difference of each frame from the one before; 0 for the first."""
    return np.array([0.0, *(np.abs(later.astype(int) - earlier).mean() for earlier, later in pairwise(clip))])


def test_a_clip_has_the_frames_the_size_and_the_length_that_were_asked_for(tmp_path: Path) -> None:
    render(tmp_path / "clip.mp4", size_px=SIZE_PX, fps=FPS, duration_s=DURATION_S)
    source = open_source(str(tmp_path / "clip.mp4"))
    try:
        frames = list(source.frames())
    finally:
        source.close()
    assert len(frames) == FPS * DURATION_S
    assert source.info.size_px == SIZE_PX
    assert frames[-1].pts_s == pytest.approx(DURATION_S - 1 / FPS)


def test_a_seed_gives_the_same_clip_again_and_another_seed_another(clip: list[Image]) -> None:
    assert all(np.array_equal(one, other) for one, other in zip(clip, rendered(), strict=True))
    assert not any(np.array_equal(one, other) for one, other in zip(clip, rendered(seed=1), strict=True))


def test_every_frame_differs_from_the_one_before_and_most_where_a_scene_begins(clip: list[Image]) -> None:
    moved = changes(clip)
    assert moved[1:].min() > 0.5
    shares = [scene.share for scene in scenes(np.random.default_rng(0))]
    assert sum(shares) == pytest.approx(1)
    for cut in np.rint(np.cumsum(shares)[:-1] * len(clip)).astype(int):
        assert moved[cut] > 1.3 * max(moved[cut - 1], moved[cut + 1])


def test_the_camera_never_looks_past_the_edge_of_a_picture() -> None:
    rng = np.random.default_rng(0)
    width, height = SIZE_PX
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    for scene in scenes(rng):
        picture_height, picture_width = scene.picture.shape[:2]
        for hand in (Hand(rng) for _ in range(20)):
            for at_s in np.linspace(0, 3, 31):
                x, y = matrix(scene, hand, at_s=at_s, length_s=3.0, size_px=SIZE_PX) @ corners
                assert 0 <= x.min() < x.max() <= picture_width
                assert 0 <= y.min() < y.max() <= picture_height


def test_what_moves_while_the_shutter_is_open_is_smeared_along_its_way_only() -> None:
    cross = np.zeros((120, 160, 3), np.uint8)
    cv2.line(cross, (80, 0), (80, 119), (255, 255, 255))
    cv2.line(cross, (0, 60), (159, 60), (255, 255, 255))
    still = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    aside = np.array([[1.0, 0, 10.0], [0, 1.0, 0]])
    light = exposure(cross, still, aside, SIZE_PX)[:, :, 0]
    assert 9 <= np.count_nonzero(light[30]) <= 12
    assert np.count_nonzero(light[:, 30]) == 1
    assert light[30].sum() == pytest.approx(255, rel=0.05)
    assert np.array_equal(exposure(cross, still, still, SIZE_PX), cross)


def test_a_hand_trembles_and_does_not_jump() -> None:
    hand = Hand(np.random.default_rng(0))
    right, down, degrees = np.array([hand.offset(at / 30) for at in range(300)]).T
    for way in (right, down):
        assert 1 / 640 < np.abs(way).max() < 7 / 640
        assert np.abs(np.diff(way)).max() < 2 / 640
    assert 0.2 < np.abs(degrees).max() < 1.0


@pytest.mark.parametrize(("grey", "deviation"), [(20, 2.4), (200, 4.9)])
def test_noise_is_new_on_each_frame_and_larger_where_there_is_more_light(grey: int, deviation: float) -> None:
    sensor = Sensor(np.random.default_rng(0), SIZE_PX)
    light = np.full((SIZE_PX[1], SIZE_PX[0], 3), grey, np.float32)
    first, second = sensor.expose(light).astype(float), sensor.expose(light).astype(float)
    assert first.mean() == pytest.approx(grey, abs=0.2)
    assert first.std() == pytest.approx(deviation, rel=0.05)
    assert (first - second).std() == pytest.approx(math.sqrt(2) * deviation, rel=0.05)


def test_the_photographs_are_there_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise OSError("there is no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert all(scene.picture.size for scene in scenes(np.random.default_rng(0)))


def test_the_shutter_closes_before_the_next_frame() -> None:
    assert 0 < SHUTTER < 1
