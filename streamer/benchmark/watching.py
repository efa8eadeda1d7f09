"""Stand between the pipeline and its parts, and note when things happen: the first frame read, the first one kept."""

import time
from collections.abc import Iterator, Sequence
from itertools import islice

from streamer.benchmark.process import name_thread, own_threads, threads
from streamer.frame import Detections, Frame, Image, Result
from streamer.interfaces import Detector, Sink, SinkRole, Source, SourceInfo
from streamer.labels import Labels

ENCODER = "streamer-encode"
"""What the threads of the encoder are called to the system."""


class WatchedSource:
    """Another source, for at most `frames` frames; notes when it gave the first, and what had been computed by then."""

    def __init__(self, source: Source, *, frames: int | None) -> None:
        self.first_ns = 0
        self.first_cpu_ns = 0
        self._source = source
        self._frames = frames

    @property
    def live(self) -> bool:
        return self._source.live

    @property
    def info(self) -> SourceInfo:
        return self._source.info

    @property
    def produced(self) -> int:
        return self._source.produced

    def frames(self) -> Iterator[Frame]:
        for frame in islice(self._source.frames(), self._frames):
            if not self.first_ns:
                self.first_ns, self.first_cpu_ns = time.monotonic_ns(), time.process_time_ns()
            yield frame

    def close(self) -> None:
        self._source.close()


class WatchedDetector:
    """Another detector; notes what every thread of the process had computed when it was closed.

    A runtime's threads end with it, and those that have ended can no longer be asked.
    """

    def __init__(self, detector: Detector) -> None:
        self.threads_ns: dict[int, int] = {}
        self._detector = detector

    @property
    def conf(self) -> float:
        return self._detector.conf

    @conf.setter
    def conf(self, conf: float) -> None:
        self._detector.conf = conf

    @property
    def labels(self) -> Labels:
        return self._detector.labels

    @property
    def batch(self) -> int:
        return self._detector.batch

    @property
    def concurrency(self) -> int:
        return self._detector.concurrency

    @property
    def runtime(self) -> str:
        return self._detector.runtime

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        return self._detector.detect(images)

    def close(self) -> None:
        self.threads_ns = self.threads_ns or threads()
        self._detector.close()


class WatchedSink:
    """Another sink; notes when it got its first result, and what its library's own threads computed.

    python_threads: those that ran meanwhile, by the system's number; the system knows them a while after they end.
    """

    def __init__(self, sink: Sink) -> None:
        self.first_ns: int | None = None
        self.library_cpu_ns = 0
        self.python_threads: set[int] = set()
        self._sink = sink
        self._closed = False

    @property
    def name(self) -> str:
        return self._sink.name

    @property
    def role(self) -> SinkRole:
        return self._sink.role

    @property
    def needs_image(self) -> bool:
        return self._sink.needs_image

    @property
    def written(self) -> int:
        return self._sink.written

    def write(self, result: Result) -> None:
        if self.first_ns is None:
            self.first_ns = time.monotonic_ns()
            self.python_threads |= own_threads()
            name_thread(ENCODER if self.role == "record" else "streamer-report")
        self._sink.write(result)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.library_cpu_ns = self._library_cpu_ns()
        self._sink.close()

    def _library_cpu_ns(self) -> int:
        """Before it is closed: threads that have ended can no longer be asked."""
        self.python_threads |= own_threads()
        return sum(cpu_ns for number, cpu_ns in threads(named=ENCODER).items() if number not in self.python_threads)
