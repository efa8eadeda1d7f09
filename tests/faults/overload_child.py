"""A process that is given ten times more pictures than its detector can take, and says how old what it shows is.

python -m tests.faults.overload_child SECONDS SLOW_SINK(yes|no)      one line of JSON on stdout
"""

import json
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np

from streamer.frame import Frame, Image, Result, Status
from streamer.interfaces import SourceInfo
from streamer.pipeline import Pipeline
from tests.fakes import FakeDetector
from tests.faults.fuzz_child import memory_mb
from tests.rooms import ListSink, ScriptedView

FPS = 300
INFERENCE_S = 1 / 30
SIZE_PX = (640, 480)
MOST = 10_000
"""Pictures whose age is kept."""
WARM_UP_S = 10.0
"""Memory is counted from here on: allocators take some seconds to have what they will keep."""


class Flood:
    """A live source of so many pictures a second, each of its own memory, as a camera's are."""

    live = True

    def __init__(self, seconds: float) -> None:
        self.produced = 0
        self._seconds = seconds
        self._closed = threading.Event()

    @property
    def info(self) -> SourceInfo:
        return SourceInfo("flood", size_px=SIZE_PX, fps=FPS, decoder="none")

    def frames(self) -> Iterator[Frame]:
        began_s = time.monotonic()
        while (at_s := self.produced / FPS) < self._seconds:
            if self._closed.wait(max(0.0, began_s + at_s - time.monotonic())):
                return
            image: Image = np.full((SIZE_PX[1], SIZE_PX[0], 3), self.produced % 256, np.uint8)
            index = self.produced
            self.produced += 1
            yield Frame(image, index, time.monotonic_ns(), pts_s=at_s, source="flood")

    def close(self) -> None:
        self._closed.set()


class AgeView(ScriptedView):
    """Notes how old each picture is when it is shown, and how old the boxes on it are."""

    def __init__(self) -> None:
        super().__init__()
        # typed arrays of a size of their own: lists that grow would be taken for memory that leaks
        self._ages_ms = np.zeros((2, MOST), np.float32)
        self._shown = 0
        self._rendered: dict[int, Result] = {}

    def p95_ms(self) -> tuple[float, float]:
        """Of the age of the pictures, and of the boxes on them."""
        pictures, boxes = np.percentile(self._ages_ms[:, : min(self._shown, MOST)], 95, axis=1)
        return float(pictures), float(boxes)

    def render(self, result: Result, status: Status) -> Image:
        del status
        image = result.frame.image
        self._rendered[id(image)] = result
        return image

    def show(self, image: Image) -> None:
        result = self._rendered.pop(id(image), None)
        self._rendered = {key: kept for key, kept in self._rendered.items() if result is None or kept is not result}
        if result is not None:
            age_ns = time.monotonic_ns() - result.frame.captured_ns
            self._ages_ms[:, self._shown % MOST] = age_ns / 1e6, (age_ns + result.detections.age_ns) / 1e6
            self._shown += 1
        while len(self._rendered) > 4:
            self._rendered.pop(next(iter(self._rendered)))


def main(seconds: str, slow: str) -> None:
    source, view = Flood(float(seconds)), AgeView()
    memory: list[tuple[float, float]] = []
    began_s = time.monotonic()
    nobody = threading.Event()

    def note(_: Status) -> None:
        memory.append((time.monotonic() - began_s, memory_mb("VmRSS")))

    class Slow(ListSink):
        def write(self, result: Result) -> None:
            del result
            nobody.wait(0.2)
            self.kept = getattr(self, "kept", 0) + 1

    def work(_: int) -> None:
        nobody.wait(INFERENCE_S)

    detector = FakeDetector(on_detect=work)
    sinks = [Slow()] if slow == "yes" else []
    ledger = Pipeline(source, detector, sinks, view=view, on_status=note).run().ledger
    times_s, used_mb = np.array([entry for entry in memory if entry[0] > WARM_UP_S]).T
    slope = float(np.polyfit(times_s, used_mb, 1)[0])
    pictures_ms, boxes_ms = view.p95_ms()
    told = {
        "produced": ledger.produced,
        "inferred": ledger.inferred,
        "dropped": ledger.dropped,
        "carried": ledger.carried,
        "balanced": ledger.balanced,
        "in_flight": ledger.in_flight,
        "shown": ledger.shown,
        "pictures_p95_ms": pictures_ms,
        "boxes_p95_ms": boxes_ms,
        "slope_mb_s": slope,
        "grown_mb": float(used_mb[-1] - used_mb[0]),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
