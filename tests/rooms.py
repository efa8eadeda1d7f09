"""A source, a sink and a view that tests script: they do what they are told at the frame they are told."""

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from streamer.clock import Clock, MonotonicClock
from streamer.frame import Frame, Image, Result, Status
from streamer.interfaces import Command, SinkRole, SourceInfo


def picture(number: int, *, size_px: tuple[int, int] = (64, 48)) -> Image:
    """An image whose every pixel is `number` modulo 256."""
    width, height = size_px
    return np.full((height, width, 3), number % 256, np.uint8)


class ScriptedSource:
    """Gives `count` frames; `on_read` is called with the number of each before it is given.

    unusable: numbers of frames that are counted and not given. Of a live one, `pace` is waited on between frames.
    """

    def __init__(
        self,
        count: int | None,
        *,
        live: bool = False,
        on_read: Callable[[int], None] | None = None,
        unusable: frozenset[int] = frozenset(),
        clock: Clock | None = None,
        interval_s: float = 0.0,
        size_px: tuple[int, int] = (64, 48),
    ) -> None:
        self.closed = threading.Event()
        self._count = count
        self._live = live
        self._on_read = on_read
        self._unusable = unusable
        self._clock = MonotonicClock() if clock is None else clock
        self._interval_s = interval_s
        self._size_px = size_px
        self._produced = 0

    @property
    def live(self) -> bool:
        return self._live

    @property
    def info(self) -> SourceInfo:
        return SourceInfo("scripted", size_px=self._size_px, fps=30.0, frame_count=self._count, decoder="none")

    @property
    def produced(self) -> int:
        return self._produced

    def frames(self) -> Iterator[Frame]:
        while (self._count is None or self._produced < self._count) and not self.closed.is_set():
            number = self._produced
            if self._interval_s and self._clock.wait(self.closed, self._interval_s):
                return
            if self._on_read is not None:
                self._on_read(number)
            self._produced += 1
            if number not in self._unusable:
                image = picture(number, size_px=self._size_px)
                yield Frame(image, number, self._clock.now_ns(), pts_s=number / 30, source="scripted")

    def close(self) -> None:
        self.closed.set()


class ListSink:
    """Keeps results in a list; `on_write` is called with the number of each before it is kept."""

    def __init__(
        self,
        *,
        role: SinkRole = "record",
        needs_image: bool = True,
        on_write: Callable[[int], None] | None = None,
        on_close: Callable[[], None] | None = None,
        name: str = "list",
    ) -> None:
        self.results: list[Result] = []
        self.closes = 0
        self._role: SinkRole = role
        self._needs_image = needs_image
        self._on_write = on_write
        self._on_close = on_close
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def role(self) -> SinkRole:
        return self._role

    @property
    def needs_image(self) -> bool:
        return self._needs_image

    @property
    def written(self) -> int:
        return len(self.results)

    @property
    def indexes(self) -> list[int]:
        """The index of each frame kept."""
        return [result.frame.index for result in self.results]

    def write(self, result: Result) -> None:
        if self._on_write is not None:
            self._on_write(len(self.results))
        self.results.append(result)

    def close(self) -> None:
        self.closes += 1
        if self.closes == 1 and self._on_close is not None:
            self._on_close()


class ScriptedView:
    """A window without a screen: `commands` says what the person does once so many pictures were shown."""

    def __init__(self, commands: Sequence[tuple[int, Command]] = ()) -> None:
        self.shown: list[Image] = []
        self.statuses: list[Status] = []
        self.closed = False
        self.threads: set[int] = set()
        self._commands = list(commands)

    def render(self, result: Result, status: Status) -> Image:
        assert result.image is not None
        self.statuses.append(status)
        return result.image

    def show(self, image: Image) -> None:
        self.threads.add(threading.get_ident())
        self.shown.append(image)

    def poll(self, timeout_s: float) -> Command | None:
        self.threads.add(threading.get_ident())
        if self._commands and len(self.shown) >= self._commands[0][0]:
            return self._commands.pop(0)[1]
        threading.Event().wait(min(timeout_s, 0.001))
        return None

    def close(self) -> None:
        self.closed = True
