"""Runs made by hand: what a trace of the pipeline looks like, without one."""

from dataclasses import replace
from pathlib import Path

import cv2

from streamer.benchmark.clips import Clip
from streamer.benchmark.measuring import Measured
from streamer.benchmark.runs import Run, StreamerRun
from streamer.frame import Ledger
from streamer.interfaces import SourceInfo
from streamer.trace import Span

MS = 1_000_000

THREADS = {
    "capture": "streamer-capture",
    "detect": "streamer-inference",
    "preprocess": "streamer-inference",
    "infer": "streamer-inference",
    "postprocess": "streamer-inference",
    "draw": "streamer-render",
    "encode": "streamer-sink recording /tmp/x/out.mp4",
    "report": "streamer-sink JSON lines /tmp/x/out.jsonl",
}


def span(stage: str, index: int, *, at_ms: float, wall_ms: float, cpu_ms: float = 0.0) -> Span:
    began_ns = round(at_ms * MS)
    return Span(stage, index, THREADS[stage], began_ns, began_ns + round(wall_ms * MS), round(cpu_ms * MS))


def frame_spans(index: int) -> list[Span]:
    """One frame, 20 ms after the one before."""
    at_ms = 20.0 * index
    return [
        span("capture", index, at_ms=at_ms, wall_ms=3, cpu_ms=2),
        span("preprocess", index, at_ms=at_ms + 4, wall_ms=1, cpu_ms=1),
        span("infer", index, at_ms=at_ms + 5, wall_ms=14, cpu_ms=5),
        span("postprocess", index, at_ms=at_ms + 19, wall_ms=0.5, cpu_ms=0.5),
        span("detect", index, at_ms=at_ms + 4, wall_ms=16, cpu_ms=7),
        span("draw", index, at_ms=at_ms + 20, wall_ms=2, cpu_ms=2),
        span("encode", index, at_ms=at_ms + 22, wall_ms=6, cpu_ms=3),
        span("report", index, at_ms=at_ms + 22, wall_ms=0.25, cpu_ms=0.25),
    ]


def a_run(*, frames: int = 60, took_s: float = 2.0) -> StreamerRun:
    """Each frame of it has 30 ms of the process, 9 of the runtime's own threads and 4 of the encoder's."""
    return StreamerRun(
        frames=frames,
        took_s=took_s,
        start_up_s=3.0,
        peak_bytes=900_000_000,
        spans=tuple(one for index in range(frames) for one in frame_spans(index)),
        cpu_ns=30 * MS * frames,
        runtime_cpu_ns=9 * MS * frames,
        encoder_cpu_ns=4 * MS * frames,
        above_model_bytes=100_000_000,
        latency_ms=(40.0, 50.0, 60.0),
        ledger=Ledger(produced=frames, inferred=frames, recorded=frames),
        ended="end of stream",
        model="SavedModel serving_default",
        runtime="TensorFlow 2.21 CPU",
    )


def untold(run: StreamerRun) -> StreamerRun:
    """The same where the system does not tell threads apart."""
    return replace(run, runtime_cpu_ns=None, encoder_cpu_ns=None)


def a_measurement(
    *, took_s: tuple[float, ...] = (2.0, 1.0, 4.0), loop_s: tuple[float, ...] = (4.0, 4.0, 4.0)
) -> Measured:
    return Measured(
        asked="clip.mp4",
        clip=Clip(source="clip.mp4", info=SourceInfo("clip.mp4", size_px=(1280, 720), fps=30.0), frames=None),
        model=Path("models/handtrack"),
        form="savedmodel",
        runs=tuple(a_run(took_s=each) for each in took_s),
        loops=tuple(
            Run(frames=60, took_s=each, cpu_ns=24 * MS * 60, start_up_s=2.0, peak_bytes=700_000_000) for each in loop_s
        ),
        no_loop="" if loop_s else "not asked for",
    )


def frames_in(path: str) -> int:
    """How many frames of a video can be read."""
    capture = cv2.VideoCapture(path)
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count
