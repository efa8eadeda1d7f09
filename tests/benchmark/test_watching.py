"""What stands between the pipeline and its parts changes nothing of them."""

from pathlib import Path

from streamer.benchmark.watching import WatchedSink, WatchedSource
from streamer.frame import Detections, Result
from streamer.sinks.recorder import Recorder
from streamer.sources import open_source
from tests.benchmark.made import frames_in

PATTERN = "test:size=320x240,fps=25,frames=30,live=no"


def test_a_source_ends_after_as_many_frames_as_are_wanted() -> None:
    source = WatchedSource(open_source(PATTERN), frames=7)
    assert source.first_ns == 0
    assert [frame.index for frame in source.frames()] == list(range(7))
    assert source.produced == 7
    assert source.first_ns > 0
    assert (source.live, source.info.fps) == (False, 25.0)
    source.close()


def test_a_source_without_a_limit_gives_all() -> None:
    source = WatchedSource(open_source(PATTERN), frames=None)
    assert sum(1 for _ in source.frames()) == source.produced == 30
    source.close()


def test_a_sink_is_written_to_and_its_encoder_is_seen(tmp_path: Path) -> None:
    source = open_source(PATTERN)
    sink = WatchedSink(Recorder(tmp_path / "out.mp4", fps=25))
    for frame in source.frames():
        sink.write(Result(frame, Detections.unknown(), image=frame.image))
    source.close()
    sink.close()
    sink.close()
    assert (sink.role, sink.needs_image, sink.written) == ("record", False, 30)
    assert sink.first_ns is not None
    assert sink.library_cpu_ns >= 0
    assert frames_in(str(tmp_path / "out.mp4")) == 30
