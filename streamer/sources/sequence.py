"""Several files as one source, one after another: the videos, or videos and pictures, of a folder."""

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from streamer.errors import SourceError, SourceOpenError
from streamer.frame import Frame
from streamer.interfaces import Source, SourceInfo
from streamer.sources.access import Access
from streamer.text import printable

logger = logging.getLogger(__name__)

OpenPart = Callable[[], Source]
"""Opens one part of the sequence; raises SourceError."""


class SequenceSource:
    """Sources that are opened and read one after another; each begins an epoch, and `pts_s` begins anew with it.

    parts: what opens each of them. name: of the whole. loop: begin again after the last, for ever.

    A part that cannot be opened, or fails, is warned of and left out, and the next one goes on.

    Raises SourceOpenError when none can be opened. `frames` raises SourceError when none gave a frame.
    """

    def __init__(self, parts: Sequence[OpenPart], *, name: str, loop: bool = False) -> None:
        self._parts = parts
        self._name = name
        self._loop = loop
        self._produced = 0
        self._epoch = 0
        self._upcoming = deque(parts)
        self._current: Source | None = None
        self._access = Access(self._close_current, name=printable(name, limit=256))
        part = self._open_next()
        if part is None:
            raise SourceOpenError(f"not one of {len(parts)} files can be opened", where=name)
        self._live = part.live

    @property
    def live(self) -> bool:
        return self._live

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        """That of the part being read; how much will come is not known without opening all."""
        part = SourceInfo(name=self._name) if self._current is None else self._current.info
        return replace(part, name=self._name, frame_count=None, duration_s=None, kind="sequence")

    def frames(self) -> Iterator[Frame]:
        try:
            part = self._current
            while part is not None:
                given = yield from self._round(part)
                if self._access.closing.is_set():
                    return
                if not given:
                    raise SourceError(f"not one of {len(self._parts)} files gave a frame", where=self._name)
                if not self._loop:
                    return
                self._upcoming.extend(self._parts)
                part = self._open_next()
        finally:
            self._access.close()

    def close(self) -> None:
        self._access.close()

    def _round(self, part: Source | None) -> Generator[Frame, None, int]:
        """The frames of `part` and of those upcoming; returns how many there were."""
        given = 0
        while part is not None:
            given += yield from self._frames_of(part)
            part = self._open_next()
        return given

    def _frames_of(self, part: Source) -> Generator[Frame, None, int]:
        first_index, first_epoch, given = self._produced, self._epoch, 0
        try:
            for frame in part.frames():
                given += 1
                self._produced = first_index + part.produced
                self._epoch = first_epoch + frame.epoch
                yield replace(frame, index=first_index + frame.index, epoch=self._epoch)
        except SourceError as error:
            logger.warning("%s; the rest of it is left out", error)
        self._produced = first_index + part.produced
        self._epoch += 1
        return given

    def _open_next(self) -> Source | None:
        """The next part that can be opened, now the current one; None if there is none, or the source is closed."""
        with self._access.turn() as is_open:
            while is_open and self._upcoming:
                try:
                    self._current = self._upcoming.popleft()()
                except SourceError as error:
                    logger.warning("%s; it is left out", error)
                else:
                    return self._current
        return None

    def _close_current(self) -> None:
        if self._current is not None:
            self._current.close()
