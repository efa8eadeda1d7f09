"""One run of streamer in a process of its own, traced: `python -m streamer.benchmark.child FOLDER SPAWNED_NS`.

FOLDER holds the job, and gets what came of it; whoever began the process at SPAWNED_NS of the monotonic clock reads it
there. What is recorded and reported goes there as well. Called by measuring.py.
"""

import logging
import os
import pickle
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from streamer.analytics.privacy import hide
from streamer.benchmark.process import name_thread, own_threads, peak_bytes, resident_bytes, threads
from streamer.benchmark.runs import Job, StreamerRun
from streamer.benchmark.watching import WatchedDetector, WatchedSink, WatchedSource
from streamer.clock import NS_PER_S
from streamer.errors import StreamerError
from streamer.frame import MAX_DETECTIONS
from streamer.interfaces import Analyzer, Detector, Source
from streamer.models import load_detector
from streamer.overlay import annotate
from streamer.pipeline import Pipeline
from streamer.sinks import open_sinks
from streamer.sinks.options import SinkOptions
from streamer.sinks.window import Window
from streamer.sources import open_source
from streamer.sources.glances import glances
from streamer.style import Style
from streamer.trace import Trace, kept

JOB, OUTCOME = "job.pickle", "outcome.pickle"


def run(job: Job, folder: Path, *, spawned_ns: int) -> StreamerRun:
    """The source through the model into a recording and a report, as `streamer run` has it. Raises StreamerError."""
    with ExitStack() as stack:
        source = WatchedSource(open_source(job.source), frames=job.frames)
        stack.callback(source.close)
        before = _threads_before_model()
        found, analyzers, model = _detector(job, source)
        detector = WatchedDetector(found)
        stack.callback(detector.close)
        loaded_bytes = resident_bytes()
        options = SinkOptions(out=folder / "out.mp4", jsonl=folder / "out.jsonl")
        sinks = [WatchedSink(sink) for sink in open_sinks(options, labels=detector.labels, source=source.info)]
        pipeline = Pipeline(
            source,
            detector,
            sinks,
            view=Window("streamer bench") if job.show else None,
            draw=partial(annotate, labels=detector.labels, style=Style()),
            analyzers=analyzers,
        )
        runtime_ns = _of_runtime(threads(), before)
        with kept(Trace()) as trace:
            report = pipeline.run()
        ended_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
        stack.pop_all()
    first_ns = source.first_ns or ended_ns
    recorder = next(sink for sink in sinks if sink.role == "record")
    known = before.union(*(sink.python_threads for sink in sinks))
    peak = peak_bytes()
    return StreamerRun(
        frames=report.ledger.produced,
        took_s=(ended_ns - first_ns) / NS_PER_S,
        start_up_s=None if recorder.first_ns is None else (recorder.first_ns - spawned_ns) / NS_PER_S,
        peak_bytes=peak,
        above_model_bytes=None if peak is None or loaded_bytes is None else max(0, peak - loaded_bytes),
        spans=tuple(trace.spans),
        cpu_ns=cpu_ns - source.first_cpu_ns,
        runtime_cpu_ns=_gained(runtime_ns, _of_runtime(detector.threads_ns, known)) if before else None,
        encoder_cpu_ns=recorder.library_cpu_ns if before else None,
        latency_ms=report.latency_ms,
        ledger=report.ledger,
        ended=report.ended,
        model=model,
        runtime=detector.runtime,
    )


def _threads_before_model() -> set[int]:
    """The threads that are no runtime's: all that there are once OpenCV has begun its own; none where nobody knows."""
    cv2.resize(np.zeros((2048, 2048, 3), np.uint8), (1024, 1024))
    name_thread("streamer-model")
    return set(threads())


def _of_runtime(computed_ns: dict[int, int], before: set[int]) -> dict[int, int]:
    """Of what threads computed, the share of those that came with the model, none of which Python began."""
    mine = own_threads() | before
    return {number: cpu_ns for number, cpu_ns in computed_ns.items() if number not in mine}


def _gained(before_ns: dict[int, int], after_ns: dict[int, int]) -> int:
    """What was computed between; a thread that is new began at nothing."""
    return sum(cpu_ns - before_ns.get(number, 0) for number, cpu_ns in after_ns.items())


def _detector(job: Job, source: Source) -> tuple[Detector, Sequence[Analyzer], str]:
    options = replace(job.options, classes=(), max_det=MAX_DETECTIONS) if job.blur else job.options
    detector = load_detector(
        job.model, options, input_size_px=source.info.size_px, pictures=partial(glances, job.source)
    )
    described = detector.describe()
    if not job.blur:
        return detector, (), described
    wary, blur = hide(detector, job.blur, classes=job.options.classes, max_det=job.options.max_det)
    return wary, (blur,), described


def main(folder: Path, *, spawned_ns: int) -> None:
    """Do the job that lies in `folder`, and leave there what came of it: a run, or what was raised."""
    logging.basicConfig(level=logging.WARNING)
    job: Job = pickle.loads((folder / JOB).read_bytes())  # noqa: S301 - our own parent wrote it
    try:
        outcome: StreamerRun | StreamerError = run(job, folder, spawned_ns=spawned_ns)
    except StreamerError as error:
        outcome = error
    (folder / OUTCOME).write_bytes(pickle.dumps(outcome))


if __name__ == "__main__":
    main(Path(sys.argv[1]), spawned_ns=int(sys.argv[2]))
    os._exit(0)  # as the program does: TensorFlow takes seconds to be taken apart
