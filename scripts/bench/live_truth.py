#!/usr/bin/env python3
"""Whether the recording of a live stream tells the truth about time, when the camera does not keep its rate.

    python scripts/bench/live_truth.py [--ending .mp4] [--size 640x480] [--seed 0] [--scale 1] [--json FILE]

A source with the habits of a bad webcam, through the real pipeline into the real recorder: 30 fps, 12 fps as in the
dark, nothing for 3 s, 30 fps again, and every frame a little early or late. Each frame carries its number in its
pixels, so that it is known which frames are in the file, and at what time. That is compared with when they were
captured, by the same monotonic clock. `--scale` makes every part so much longer.
"""

import argparse
import json
import random
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from blind import Blind

from streamer.clock import NS_PER_S, MonotonicClock
from streamer.frame import Frame
from streamer.interfaces import SourceInfo
from streamer.pipeline import Pipeline
from streamer.pyav import av
from streamer.sinks import open_sinks
from streamer.sinks.options import SinkOptions
from streamer.sources.pattern import Pattern, read_frame_number

PARTS = ((5.0, 30.0, 0.0), (5.0, 12.0, 0.0), (4.0, 30.0, 3.0))
"""How many seconds, at how many frames a second, after how many seconds of nothing."""

JITTER = 0.3
"""Of the time between two frames: how early or late one comes, at most."""


class BadWebcam:
    """A Source that comes when it likes, and remembers when it came.

    captured_ns: by frame, monotonic. Its nominal rate is that of the first part, as a camera's is.
    """

    live = True

    def __init__(self, size_px: tuple[int, int], *, seed: int, scale: float) -> None:
        self.captured_ns: list[int] = []
        self.info = SourceInfo(name="a bad webcam", size_px=size_px, fps=PARTS[0][1], kind="camera")
        self._pattern = Pattern(size_px, fps=PARTS[0][1])
        self._due_s = _due(random.Random(seed), scale=scale)
        self._clock = MonotonicClock()
        self._closing = threading.Event()

    @property
    def produced(self) -> int:
        """Frames so far."""
        return len(self.captured_ns)

    def frames(self) -> Iterator[Frame]:
        """The frames, each at its time."""
        began_ns = self._clock.now_ns()
        for index, due_s in enumerate(self._due_s):
            image = self._pattern.draw(index)
            delay_s = due_s - (self._clock.now_ns() - began_ns) / NS_PER_S
            if self._clock.wait(self._closing, max(0.0, delay_s)):
                return
            captured_ns = self._clock.now_ns()
            self.captured_ns.append(captured_ns)
            pts_s = (captured_ns - self.captured_ns[0]) / NS_PER_S
            yield Frame(image, index=index, captured_ns=captured_ns, pts_s=pts_s, source=self.info.name)

    def close(self) -> None:
        """Come no more."""
        self._closing.set()


def _due(chance: random.Random, *, scale: float) -> list[float]:
    """When each frame comes, seconds."""
    due_s, begin_s = [], 0.0
    for seconds, fps, silence_s in PARTS:
        begin_s += silence_s * scale
        count = round(seconds * scale * fps)
        due_s += [begin_s + (index + chance.uniform(-JITTER, JITTER) / 2 + JITTER / 2) / fps for index in range(count)]
        begin_s += count / fps
    return due_s


@dataclass(frozen=True, slots=True)
class Truth:
    """What came of it.

    lost: frames that were captured and are not in the file. unread: frames of the file whose number cannot be read.
    worst_ms, mean_ms: error of a frame's time, counted from the first. file_s: as displayed; clock_s: from the first
    capture until the last frame, which lasts as long as the one before it, was over. constant_s: what a writer that
    believes in the nominal rate would have made of the same frames.
    """

    captured: int
    readable: int
    lost: int
    unread: int
    worst_ms: float
    mean_ms: float
    file_s: float
    clock_s: float
    constant_s: float


def compare(video: Path, captured_ns: list[int], *, fps: float) -> Truth:
    """Read the recording back, frame by frame."""
    with av.open(str(video)) as container:
        shown = [
            (read_frame_number(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)), frame.time or 0.0)
            for frame in container.decode(video=0)
        ]
        file_s = (container.duration or 0) / av.time_base
    known = [(number, time_s) for number, time_s in shown if number is not None and number < len(captured_ns)]
    first, first_s = known[0]
    errors_ms = [
        abs((time_s - first_s) - (captured_ns[number] - captured_ns[first]) / NS_PER_S) * 1000
        for number, time_s in known
    ]
    return Truth(
        captured=len(captured_ns),
        readable=len(shown),
        lost=len(captured_ns) - len({number for number, _ in known}),
        unread=len(shown) - len(known),
        worst_ms=round(max(errors_ms), 3),
        mean_ms=round(sum(errors_ms) / len(errors_ms), 3),
        file_s=round(file_s, 3),
        clock_s=round((2 * captured_ns[-1] - captured_ns[-2] - captured_ns[0]) / NS_PER_S, 3),
        constant_s=round(len(shown) / fps, 3),
    )


def main() -> None:
    """Record once, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ending", default=".mp4")
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    width, height = (int(side) for side in arguments.size.split("x"))
    source = BadWebcam((width, height), seed=arguments.seed, scale=arguments.scale)
    detector = Blind()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"live{arguments.ending}"
        sinks = open_sinks(SinkOptions(out=out), labels=detector.labels, source=source.info)
        report = Pipeline(source, detector, sinks).run()
        truth = compare(out, source.captured_ns, fps=PARTS[0][1])
    print(f"ledger      {report.ledger}")
    print(f"frames      {truth.captured} captured, {truth.readable} readable, {truth.lost} lost, {truth.unread} unread")
    print(f"times       off by at most {truth.worst_ms:.2f} ms, {truth.mean_ms:.2f} ms on average")
    error_ms = (truth.file_s - truth.clock_s) * 1000
    print(f"duration    {truth.file_s:.3f} s in the file, {truth.clock_s:.3f} s by the clock: {error_ms:+.1f} ms")
    print(f"otherwise   {truth.constant_s:.3f} s, had each frame been given 1/{PARTS[0][1]:g} s")
    if arguments.json:
        arguments.json.write_text(json.dumps({"ending": arguments.ending, **asdict(truth)}, indent=1))


if __name__ == "__main__":
    main()
