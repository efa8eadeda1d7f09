"""The resize is TensorFlow's, number by number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.models.resampling import Resampler, Sampling
from streamer.models.runtimes.tensorflow import import_tensorflow

HOW: dict[Sampling, dict[str, bool]] = {
    "half_pixel": {"half_pixel_centers": True},
    "corner": {},
    "aligned": {"align_corners": True},
}

SIDES = st.integers(1, 90)


@pytest.mark.parametrize("sampling", list(HOW))
@settings(max_examples=40, deadline=None)
@given(width=SIDES, height=SIDES, to_width=SIDES, to_height=SIDES, seed=st.integers(0, 1000))
def test_every_number_is_tensorflows(
    sampling: Sampling, width: int, height: int, to_width: int, to_height: int, seed: int
) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    wanted = import_tensorflow().raw_ops.ResizeBilinear(
        images=picture[np.newaxis].astype(np.float32), size=[to_height, to_width], **HOW[sampling]
    )
    made = Resampler((width, height), (to_width, to_height), sampling=sampling)(picture)
    np.testing.assert_array_equal(made, np.asarray(wanted)[0])


def test_flat_grey_stays_what_it_is() -> None:
    """The graph that cuts off what is behind the point would make 41 of 41.99999."""
    picture = np.full((77, 131, 3), 42, np.uint8)
    assert (Resampler((131, 77), (320, 320), sampling="half_pixel")(picture) == 42).all()


def test_floats_go_the_same_way() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (50, 40, 3), np.uint8)
    resample = Resampler((40, 50), (33, 21), sampling="half_pixel")
    np.testing.assert_array_equal(resample(picture).copy(), resample(picture.astype(np.float32)))
