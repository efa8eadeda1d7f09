"""What a run leaves in a trace: which work was done on which frame, and on which thread."""

import threading
from collections import Counter
from collections.abc import Sequence

import pytest

from streamer.frame import Detections, Frame, Image
from streamer.interfaces import Analysis
from streamer.pipeline import Pipeline
from streamer.trace import NO_FRAME, Span, Trace, kept, span
from tests.fakes import FakeDetector
from tests.rooms import ListSink, ScriptedSource, ScriptedView


class Inward(FakeDetector):
    """A detector that says what it does."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        with span("infer"):
            return super().detect(images)


class Passing:
    def update(self, _frame: Frame, detections: Detections) -> Analysis:
        return Analysis(detections)


def of(trace: Trace, stage: str) -> list[Span]:
    return [one for one in trace.spans if one.stage == stage]


def traced(count: int, *, concurrency: int = 1, live: bool = False, view: ScriptedView | None = None) -> Trace:
    source = ScriptedSource(count, live=live, interval_s=0.001 if live else 0)
    sinks = [ListSink(name="out"), ListSink(role="report", needs_image=False, name="lines")]
    pipeline = Pipeline(
        source,
        Inward(concurrency=concurrency),
        sinks,
        view=view,
        draw=lambda frame, _detections: frame.image.copy(),
        analyzers=[Passing()],
    )
    with kept(Trace()) as trace:
        pipeline.run()
    return trace


def test_each_frame_has_its_spans_on_the_threads_that_did_the_work() -> None:
    trace = traced(5, view=ScriptedView())
    main = threading.current_thread().name
    threads = {
        "capture": ["streamer-capture"],
        "detect": ["streamer-inference"],
        "infer": ["streamer-inference"],
        "analyse": ["streamer-render"],
        "draw": ["streamer-render"],
        "encode": ["streamer-sink out"],
        "report": ["streamer-sink lines"],
        "view": [main, "streamer-render"],
    }
    assert {one.stage for one in trace.spans} == set(threads)
    for index in range(5):
        for stage, expected in threads.items():
            assert sorted(one.thread for one in of(trace, stage) if one.index == index) == expected, (stage, index)
    assert {one.index for one in trace.spans} - set(range(5)) == {5}
    assert [one.stage for one in trace.spans if one.index == 5] == ["capture"]


def test_what_a_detector_does_belongs_to_the_frame_that_its_thread_looks_at() -> None:
    trace = traced(30, concurrency=3)
    for stage in ("detect", "infer"):
        assert Counter(one.index for one in of(trace, stage)) == dict.fromkeys(range(30), 1)
        assert {one.thread for one in of(trace, stage)} <= {f"streamer-inference {n}" for n in (1, 2, 3)}
    for inner in of(trace, "infer"):
        (outer,) = [one for one in of(trace, "detect") if one.index == inner.index]
        assert outer.thread == inner.thread
        assert outer.began_ns <= inner.began_ns <= inner.ended_ns <= outer.ended_ns


def test_of_a_live_stream_every_frame_is_traced_too() -> None:
    trace = traced(20, live=True)
    for stage in ("analyse", "draw", "encode", "report"):
        assert [one.index for one in of(trace, stage)] == list(range(20))
    assert len(of(trace, "detect")) >= 1


def test_spans_lie_in_each_other_and_nothing_is_kept_without_a_trace() -> None:
    with span("before", 1):
        pass
    with kept(Trace(limit=3)) as trace:
        with span("outer", 7), span("inner"):
            pass
        with span("alone"), span("too many"):
            pass
    assert [(one.stage, one.index) for one in trace.spans] == [("inner", 7), ("outer", 7), ("too many", NO_FRAME)]
    with kept(Trace()) as other, pytest.raises(RuntimeError, match="kept already"), kept(Trace()):
        pass
    assert other.spans == []
