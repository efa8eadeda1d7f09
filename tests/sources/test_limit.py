"""A live source that is told how long to last."""

import threading
import time
from collections.abc import Iterator

import pytest

from streamer.clock import FakeClock
from streamer.frame import Frame
from streamer.interfaces import SourceInfo
from streamer.sources import SourceOptions, open_source
from streamer.sources.limit import LOOK_S, LimitedSource
from tests.clips import numbered_image
from tests.streams import free_port, mjpeg_server


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


class _Silent:
    """A live source that gives `frames`, and then says nothing until it is closed."""

    live = True
    info = SourceInfo("camera", kind="stream")

    def __init__(self, clock: FakeClock, *, frames: int) -> None:
        self._clock = clock
        self._frames = frames
        self.produced = 0
        self.silent, self._closed = threading.Event(), threading.Event()

    def frames(self) -> Iterator[Frame]:
        for number in range(self._frames):
            self.produced += 1
            yield Frame(numbered_image(number), index=number, captured_ns=self._clock.now_ns(), pts_s=0.0)
        self.silent.set()
        assert self._closed.wait(30)

    def close(self) -> None:
        self._closed.set()


@pytest.mark.parametrize("frames", [0, 3])
def test_one_that_gives_no_more_frames_ends_by_the_clock(frames: int) -> None:
    clock = FakeClock()
    silent = _Silent(clock, frames=frames)
    source = LimitedSource(silent, duration_s=5.0, clock=clock)
    seen: list[Frame] = []
    reader = threading.Thread(target=lambda: seen.extend(source.frames()))
    reader.start()
    assert silent.silent.wait(10)
    clock.advance(5.2)
    reader.join(3 * LOOK_S)
    assert reader.is_alive()
    clock.advance(0.1)
    reader.join(10)
    assert not reader.is_alive()
    assert len(seen) == frames


@pytest.mark.parametrize("more", [{}, {"reconnect": True}])
def test_a_stream_that_is_lost_or_never_comes_ends_in_its_time(more: dict[str, bool]) -> None:
    began = time.monotonic()
    options = SourceOptions(duration_s=1.5, open_timeout_s=10.0, read_timeout_s=10.0, reconnect=more.get("reconnect"))
    if more:
        source = open_source(f"tcp://127.0.0.1:{free_port()}", options)
    else:
        with mjpeg_server(frames=5) as uri:
            source = open_source(uri, options)
    assert bool(list(source.frames())) is not bool(more)
    took_s = time.monotonic() - began
    print(f"--duration 1.5 without a signal: {took_s:.2f} s")
    assert took_s < 15
