"""Whatever a graph does before its network is found by its numbers, and done by the Feeding that is found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.models import MODEL_INSIDE
from streamer.models.feeding import Feeder, Feeding
from streamer.models.formats.savedmodel import load_saved_model
from streamer.models.lowering.flat import flat_graph
from streamer.models.lowering.identifying import identify
from streamer.models.lowering.network import network_input
from streamer.models.lowering.scenery import texture
from streamer.models.runtimes.tensorflow import TensorFlowGraph, import_tensorflow
from tests.models.lowering.graphs import Tensor

HEIGHT, WIDTH = 96, 128

OTHER_SIZES_PX = ((640, 480), (301, 577), (100, 75), (WIDTH, HEIGHT), (64, 333))
"""Not those that it is found by: large, high, small, just that of the network, and narrow."""

MOST_OFF = 1e-3
"""In steps of a pixel."""

MEANS, STDS = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def v2(x: Tensor) -> Tensor:
    return import_tensorflow().image.resize(x, [HEIGHT, WIDTH])


def v1(x: Tensor) -> Tensor:
    return import_tensorflow().compat.v1.image.resize_bilinear(x, [HEIGHT, WIDTH])


def aligned(x: Tensor) -> Tensor:
    return import_tensorflow().compat.v1.image.resize_bilinear(x, [HEIGHT, WIDTH], align_corners=True)


def letterboxed(x: Tensor) -> Tensor:
    return import_tensorflow().image.resize(x, [HEIGHT, WIDTH], preserve_aspect_ratio=True)


def in_corner(x: Tensor, value: float = 0.0) -> Tensor:
    tf = import_tensorflow()
    size = tf.shape(x)
    return tf.pad(x, [[0, 0], [0, HEIGHT - size[1]], [0, WIDTH - size[2]], [0, 0]], constant_values=value)


def in_middle(x: Tensor, value: float = 0.0) -> Tensor:
    tf = import_tensorflow()
    beside, below = WIDTH - tf.shape(x)[2], HEIGHT - tf.shape(x)[1]
    top, left = below // 2, beside // 2
    return tf.pad(x, [[0, 0], [top, below - top], [left, beside - left], [0, 0]], constant_values=value)


def halved(x: Tensor) -> Tensor:
    """A picture of more than twice the size is brought to twice that first."""
    tf = import_tensorflow()
    own = tf.cast(tf.shape(x)[1:3], tf.float32)
    ratio = tf.reduce_min(tf.constant([HEIGHT, WIDTH], tf.float32) / own)
    size = tf.maximum(tf.cast(tf.round(own * ratio), tf.int32), 1)
    between = tf.minimum(2 * size, tf.shape(x)[1:3])
    return in_corner(tf.image.resize(tf.image.resize(x, between), size))


def cut_off(x: Tensor) -> Tensor:
    tf = import_tensorflow()
    return tf.cast(tf.cast(x, tf.uint8), tf.float32)


def standardised(x: Tensor) -> Tensor:
    return (x - MEANS) / STDS


@dataclass(frozen=True)
class Case:
    """before: what a graph does; facts: what the Feeding has to say of it."""

    before: Callable[[Tensor], Tensor]
    facts: dict[str, Any]


CASES: dict[str, Case] = {
    "tf.image.resize": Case(v2, {"sampling": "half_pixel", "fill": "stretch", "rounding": "none"}),
    "of TensorFlow 1": Case(v1, {"sampling": "corner", "fill": "stretch"}),
    "aligned corners": Case(aligned, {"sampling": "aligned", "fill": "stretch"}),
    "-1..1": Case(lambda x: v2(x) / 127.5 - 1.0, {"scale": (1 / 127.5,) * 3, "shift": (-1.0,) * 3}),
    "scaled before it is resized": Case(lambda x: v1(x * (2.0 / 255.0) - 1.0), {"sampling": "corner"}),
    "mean and std of each channel": Case(lambda x: standardised(v2(x)), {"swapped": False}),
    "BGR": Case(lambda x: v2(x)[..., ::-1], {"swapped": True}),
    "BGR less its means": Case(lambda x: v1(x)[..., ::-1] - MEANS[::-1], {"swapped": True, "sampling": "corner"}),
    "cut off to uint8": Case(lambda x: cut_off(v2(x)), {"rounding": "floor"}),
    "cut off, -1..1": Case(lambda x: cut_off(v1(x)) / 127.5 - 1.0, {"rounding": "floor", "sampling": "corner"}),
    "rounded": Case(lambda x: import_tensorflow().round(v2(x)), {"rounding": "round"}),
    "in the corner": Case(lambda x: in_corner(letterboxed(x)), {"fill": "corner", "pad": (0.0,) * 3}),
    "in the corner, -1..1": Case(lambda x: in_corner(letterboxed(x)) / 127.5 - 1.0, {"pad": (-1.0,) * 3}),
    "in the middle": Case(lambda x: in_middle(letterboxed(x), 114.0), {"fill": "centre", "pad": (114.0,) * 3}),
    "in the middle, cut off": Case(
        lambda x: in_middle(cut_off(letterboxed(x)), 114.0)[..., ::-1] / 255.0,
        {"fill": "centre", "rounding": "floor", "swapped": True},
    ),
    "halved first": Case(halved, {"fill": "corner", "halving": True, "sampling": "half_pixel"}),
}


def feed(before: Callable[[Tensor], Tensor]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    tf = import_tensorflow()
    graph = tf.function(
        lambda picture: before(tf.cast(picture, tf.float32)[tf.newaxis]),
        input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)],
    )
    return lambda picture: np.asarray(graph(picture))


@pytest.mark.parametrize("what", CASES)
def test_the_feeding_that_is_found_gives_the_graphs_numbers_on_pictures_of_other_sizes(what: str) -> None:
    graph = feed(CASES[what].before)
    found = identify(graph)
    assert found is not None
    assert found.size_px == (WIDTH, HEIGHT)
    for name, value in CASES[what].facts.items():
        assert getattr(found, name) == pytest.approx(value, abs=2e-6), name
    feeder = Feeder(found, order_differs=False, mean=(0.0,) * 3, std=(1.0,) * 3)
    for seed, size_px in enumerate(OTHER_SIZES_PX, start=10):
        picture = texture(size_px, seed)
        off = np.abs(feeder.tensor(picture) - graph(picture)) / np.abs(found.scale)
        assert off.max() < MOST_OFF, f"{size_px}: {np.count_nonzero(off > MOST_OFF)} numbers, up to {off.max()} steps"


def nearest(x: Tensor) -> Tensor:
    return import_tensorflow().image.resize(x, [HEIGHT, WIDTH], "nearest")


def antialiased(x: Tensor) -> Tensor:
    return import_tensorflow().image.resize(x, [HEIGHT, WIDTH], antialias=True)


def cropped(x: Tensor) -> Tensor:
    return import_tensorflow().image.random_crop(x, [1, HEIGHT, WIDTH, 3], seed=3)


def gamma(x: Tensor) -> Tensor:
    return (v2(x) / 255.0) ** 2.2


UNKNOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "nearest": nearest,
    "antialiased": antialiased,
    "a random crop": cropped,
    "a gamma": gamma,
    "grey": lambda x: import_tensorflow().repeat(import_tensorflow().reduce_mean(v2(x), 3, keepdims=True), 3, 3),
    "channels mixed": lambda x: v2(x) @ np.array([[0.9, 0.1, 0], [0, 1, 0], [0, 0.1, 0.9]], np.float32),
    "nothing of the picture": lambda x: v2(x) * 0.0 + 3.0,
    "as large as the picture": lambda x: x,
    "one channel": lambda x: v2(x)[..., :1],
    "not finite": lambda x: import_tensorflow().math.log(v2(x) - 128.0),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_a_way_that_is_not_known_is_not_guessed(what: str) -> None:
    assert identify(feed(UNKNOWN[what])) is None


def test_what_the_model_inside_does_is_found() -> None:
    """It brings large pictures to twice its size first, in a loop over the batch."""
    loaded = load_saved_model(MODEL_INSIDE, signature=None)
    assert isinstance(loaded.graph, TensorFlowGraph)
    graph = flat_graph(loaded.graph)
    call = graph.caller([network_input(graph)])

    def fed(picture: NDArray[Any]) -> NDArray[Any]:
        return call(picture[np.newaxis])[0]

    found = identify(fed)
    assert found is not None
    assert found.halving
    feeder = Feeder(found, order_differs=False, mean=(0.0,) * 3, std=(1.0,) * 3)
    for seed, size_px in enumerate(((1280, 720), (400, 900), (120, 90))):
        picture = texture(size_px, 20 + seed)
        off = np.abs(feeder.tensor(picture) - fed(picture)) / np.abs(found.scale)
        assert off.max() < MOST_OFF


def test_a_feeding_that_is_used_is_the_one_that_was_tried() -> None:
    """What is found of the network's own size is found again by its own Feeder."""
    known = Feeding(size_px=(WIDTH, HEIGHT), fill="centre", rounding="floor", swapped=True, pad=(7.0, 7.0, 7.0))
    feeder = Feeder(known, order_differs=False, mean=(0.0,) * 3, std=(1.0,) * 3)
    assert identify(lambda picture: feeder.tensor(picture).copy()) == known
