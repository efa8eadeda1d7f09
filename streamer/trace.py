"""Where the time of each frame goes: spans of work, by stage, thread and frame, while somebody wants to know.

Stages say what they do with `span`: `capture`, `detect` (a batch goes by its first frame; inside it `preprocess`,
`infer`, `postprocess`), `analyse`, `draw`, `encode` or `report` for each sink, and `view` twice, where a picture is
rendered and where it is shown. `capture` goes by the index that is expected next, which is the frame's unless some
before it could not be used; the last one finds the end. `span` costs nothing worth counting while no trace is kept.
`kept` keeps one, for the whole process: `streamer bench` does, a run does not.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

NO_FRAME = -1


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of work. began_ns, ended_ns: monotonic. cpu_ns: what its thread itself computed meanwhile.

    index: of the frame; NO_FRAME where nobody said it.
    """

    stage: str
    index: int
    thread: str
    began_ns: int
    ended_ns: int
    cpu_ns: int


class Trace:
    """Spans in the order in which they ended, at most `limit`. Filled from any thread."""

    def __init__(self, *, limit: int = 1_000_000) -> None:
        self.spans: list[Span] = []
        self._limit = limit

    def add(self, span: Span) -> None:
        """Keep one more, if there is room."""
        if len(self.spans) < self._limit:
            self.spans.append(span)


class _Here(threading.local):
    index = NO_FRAME


_here = _Here()
_kept: list[Trace] = []


@contextmanager
def kept(trace: Trace) -> Iterator[Trace]:
    """Keep what all threads do, until the block ends. One trace at a time."""
    if _kept:
        raise RuntimeError("a trace is kept already")
    _kept.append(trace)
    try:
        yield trace
    finally:
        _kept.clear()


@contextmanager
def span(stage: str, index: int | None = None) -> Iterator[None]:
    """Work of one stage. index: of the frame; spans inside, on the same thread, are of the same frame."""
    if not _kept:
        yield
        return
    outer = _here.index
    _here.index = outer if index is None else index
    began_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
    try:
        yield
    finally:
        ended_ns, spent_ns = time.monotonic_ns(), time.thread_time_ns() - cpu_ns
        for trace in _kept:
            trace.add(Span(stage, _here.index, threading.current_thread().name, began_ns, ended_ns, spent_ns))
        _here.index = outer
