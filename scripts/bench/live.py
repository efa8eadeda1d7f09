#!/usr/bin/env python3
"""What a slow model does to a live stream: nothing but make the boxes old.

    python scripts/bench/live.py [--detect-ms 200] [--fps 30] [--seconds 20] [--size 640x480]

Runs the test pattern through a detector that only waits, into a recording and, where there is a display, a window.
Prints the rates of capture, view and recording, the age of the boxes, and the latency from capture to view.
"""

import argparse
import tempfile
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from streamer.frame import Detections, Image, Result, Status
from streamer.interfaces import Command, View
from streamer.labels import Labels
from streamer.overlay import annotate
from streamer.pipeline import Pipeline
from streamer.pyav import av
from streamer.sinks import open_sinks
from streamer.sinks.options import SinkOptions
from streamer.sinks.window import Window, display_problem
from streamer.sources import open_source
from streamer.style import Style


class WaitingDetector:
    """Takes its time and sees one box."""

    batch = 1
    concurrency = 1
    conf = 0.5
    runtime = "waiting"
    labels = Labels({1: "box"})

    def __init__(self, detect_s: float) -> None:
        self._detect_s = detect_s
        self._closed = threading.Event()

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """The same box on every image, later."""
        self._closed.wait(self._detect_s)
        size_px = images[0].shape[1], images[0].shape[0]
        return [Detections.from_raw([[20, 20, 200, 150]], [0.9], [1], size_px=size_px) for _ in images]

    def close(self) -> None:
        """Wait no more."""
        self._closed.set()


class BlindView:
    """A view for machines without a display: everything but the pixels on a screen."""

    def render(self, result: Result, status: Status) -> Image:
        """The drawn image as it is."""
        del status
        assert result.image is not None
        return result.image

    def show(self, image: Image) -> None:
        """Nothing."""

    def poll(self, timeout_s: float) -> Command | None:
        """Wait as a window would."""
        threading.Event().wait(timeout_s)
        return None

    def close(self) -> None:
        """Nothing."""


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detect-ms", type=float, default=200)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--size", default="640x480")
    arguments = parser.parse_args()

    problem = display_problem()
    view: View = BlindView() if problem else Window("streamer bench")
    frames = round(arguments.seconds * arguments.fps)
    source = open_source(f"test:size={arguments.size},fps={arguments.fps},frames={frames}")
    detector = WaitingDetector(arguments.detect_ms / 1000)
    statuses: list[Status] = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "live.mp4"
        sinks = open_sinks(SinkOptions(out=out), labels=detector.labels, source=source.info)
        pipeline = Pipeline(
            source,
            detector,
            sinks,
            view=view,
            draw=partial(annotate, labels=detector.labels, style=Style()),
            on_status=statuses.append,
        )
        report = pipeline.run()
        with av.open(str(out)) as container:
            stream = container.streams.video[0]
            recorded = sum(1 for _ in container.decode(stream))
            seconds = float(stream.duration * stream.time_base)
    steady = [status for status in statuses if status.state == "running"][8:]
    print(f"view              {'a blind one: ' + problem if problem else 'a window'}")
    print(f"ledger            {report.ledger}")
    for name in ("capture_fps", "detect_fps", "view_fps"):
        rates = sorted(getattr(status, name) for status in steady)
        print(f"{name:17} median {rates[len(rates) // 2]:.1f}, least {rates[0]:.1f}, most {rates[-1]:.1f}")
    print(f"recording         {recorded} frames readable, {seconds:.2f} s, {recorded / seconds:.2f} fps")
    print("capture to view   p50 {:.1f} ms, p95 {:.1f} ms, p99 {:.1f} ms".format(*report.latency_ms))
    print(f"age of the boxes  most {max(status.age_ms for status in steady):.0f} ms")
    for channel in (pipeline._to_detect, pipeline._to_render, *(lane.channel for lane in pipeline._lanes)):  # noqa: SLF001
        print(f"depth             {channel.name}: at most {channel.peak_depth} of {channel.capacity}")
    print(f"detector          p50 {report.detect_ms[0]:.1f} ms")


if __name__ == "__main__":
    main()
