"""A live source that is told how long to last."""

from streamer.clock import FakeClock
from streamer.sources import SourceOptions, open_source


def test_the_test_pattern_lasts_as_long_as_it_is_told() -> None:
    source = open_source("test:size=160x120,fps=30", SourceOptions(duration_s=2.0), clock=FakeClock())
    frames = list(source.frames())
    source.close()
    assert [frame.index for frame in frames] == list(range(60))
    assert source.produced == 60
    assert source.live
    assert source.info.duration_s == 2.0


def test_one_that_is_shorter_ends_when_it_ends() -> None:
    source = open_source("test:size=160x120,frames=9,live=no", SourceOptions(duration_s=2.0), clock=FakeClock())
    assert len(list(source.frames())) == 9
    source.close()
    assert source.info.duration_s == 0.3
