"""What can be asked of a model is checked where it is asked."""

import pytest

from streamer.errors import ConfigError
from streamer.models import ModelOptions


@pytest.mark.parametrize("conf", [-0.1, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(conf: float) -> None:
    with pytest.raises(ConfigError, match="--conf"):
        ModelOptions(conf=conf)


def test_no_boxes_at_all_cannot_be_asked_for() -> None:
    with pytest.raises(ConfigError, match="--max-det"):
        ModelOptions(max_det=0)
