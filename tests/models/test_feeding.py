"""A Feeder does in one step what the signature's own scaling and the graph's do one after the other."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.models.feeding import Feeder, Feeding, Fill, Rounding, Values, rounded, sized
from streamer.models.lowering.scenery import texture

SIZE_PX = (60, 40)
NO_MEAN: Values = (0.0, 0.0, 0.0)
NO_STD: Values = (1.0, 1.0, 1.0)


def by_steps(
    feeding: Feeding, picture: NDArray[np.uint8], *, order_differs: bool, mean: Values, std: Values
) -> NDArray[np.float64]:
    """Sized; as the signature takes it; as the graph goes on with it."""
    pixels = sized(feeding, picture).astype(np.float64)
    taken = (pixels[..., ::-1] if order_differs else pixels) - mean
    taken = taken / std
    of_network = taken[..., ::-1] if feeding.swapped else taken
    return np.asarray(of_network * np.array(feeding.scale) + np.array(feeding.shift))


@pytest.mark.parametrize("order_differs", [False, True])
@pytest.mark.parametrize("swapped", [False, True])
def test_mean_std_and_order_of_the_plan_are_composed_with_what_the_graph_does(
    *, swapped: bool, order_differs: bool
) -> None:
    feeding = Feeding(size_px=SIZE_PX, swapped=swapped, scale=(2.0, 3.0, 4.0), shift=(0.1, 0.2, -0.3))
    mean, std = (10.0, 20.0, 30.0), (50.0, 60.0, 70.0)
    picture = texture((173, 99), 1)
    made = Feeder(feeding, order_differs=order_differs, mean=mean, std=std).tensor(picture)
    wanted = by_steps(feeding, picture, order_differs=order_differs, mean=mean, std=std)
    assert made.shape == (1, 40, 60, 3)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[0], wanted, atol=2e-5)


def test_pixels_as_they_are_are_left_alone() -> None:
    picture = texture(SIZE_PX, 2)
    made = Feeder(Feeding(size_px=SIZE_PX), order_differs=True, mean=NO_MEAN, std=NO_STD).tensor(picture)
    np.testing.assert_array_equal(made[0], picture[..., ::-1])


@pytest.mark.parametrize(("fill", "top"), [("corner", 0), ("centre", 15)])
def test_beside_the_picture_lies_the_padding_and_nothing_of_the_picture_before(fill: Fill, top: int) -> None:
    feeding = Feeding(size_px=SIZE_PX, fill=fill, pad=(1.0, 2.0, 3.0))
    feeder = Feeder(feeding, order_differs=False, mean=NO_MEAN, std=NO_STD)
    feeder.tensor(np.full((80, 60, 3), 99, np.uint8))
    made = feeder.tensor(np.full((30, 180, 3), 200, np.uint8))[0]
    assert (made[top : top + 10] == 200).all()
    assert (np.delete(made, slice(top, top + 10), axis=0) == (1.0, 2.0, 3.0)).all()


@pytest.mark.parametrize(("size_px", "content_px"), [((1, 5000), (1, 40)), ((5000, 1), (60, 1)), ((3, 2), (60, 40))])
def test_a_picture_of_any_shape_has_a_pixel_at_least_and_stays_on_the_canvas(
    size_px: tuple[int, int], content_px: tuple[int, int]
) -> None:
    feeding = Feeding(size_px=SIZE_PX, fill="corner", halving=True)
    assert feeding.content_size_px(size_px) == content_px
    assert sized(feeding, texture((64, 64), 3)[: size_px[1], : size_px[0]]).dtype == np.float32
    picture = np.full((size_px[1], size_px[0], 3), 7, np.uint8)
    made = Feeder(feeding, order_differs=False, mean=NO_MEAN, std=NO_STD).tensor(picture)
    assert (made[0, : content_px[1], : content_px[0]] == 7).all()


@pytest.mark.parametrize(("rounding", "wanted"), [("none", [1.5, 2.9]), ("floor", [1.0, 2.0]), ("round", [2.0, 3.0])])
def test_rounding(rounding: Rounding, wanted: list[float]) -> None:
    values = np.array([1.5, 2.9], np.float32)
    rounded(values, rounding)
    np.testing.assert_array_equal(values, np.array(wanted, np.float32))


def test_a_picture_that_may_not_be_written_to_stays_as_it_was() -> None:
    for size_px in (SIZE_PX, (33, 55)):
        picture = texture(size_px, 4)
        before = picture.copy()
        picture.setflags(write=False)
        feeding = Feeding(size_px=SIZE_PX, swapped=True, scale=(0.5, 0.5, 0.5))
        Feeder(feeding, order_differs=False, mean=NO_MEAN, std=NO_STD).tensor(picture)
        np.testing.assert_array_equal(picture, before)


def test_threads_do_not_get_one_anothers_pictures() -> None:
    feeder = Feeder(Feeding(size_px=SIZE_PX, fill="corner"), order_differs=True, mean=NO_MEAN, std=(2.0,) * 3)

    def is_own(value: int) -> bool:
        picture = np.full((50 + value % 3, 90, 3), value, np.uint8)
        made = feeder.tensor(picture)
        return bool((made[0, :5] == value / 2).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_own, [value % 256 for value in range(1000)]))
