"""A live source whose pictures are looked at: a camera that is frozen, black or covered still gives frames.

It only tells: each change is logged once, and stands in `info.detail` for as long as it lasts. `open_source` puts it
around cameras and live streams.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace

from streamer.clock import NS_PER_S
from streamer.frame import Frame
from streamer.interfaces import Audible, Source, SourceInfo
from streamer.sound import SoundLine
from streamer.sources.picture_check import PictureCheck, Trouble
from streamer.sources.reconnecting import Persistent

logger = logging.getLogger(__name__)

_WORDS: dict[Trouble, str] = {
    "frozen": "the picture does not change: is it frozen?",
    "black": "the picture is black",
    "covered": "the picture shows nothing: is the lens covered?",
}


class WatchedSource:
    """The frames of another source, as they are."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._check = PictureCheck()
        self._newest_ns = 0
        self._epoch = 0

    @property
    def live(self) -> bool:
        return self._source.live

    @property
    def info(self) -> SourceInfo:
        info, trouble = self._source.info, self._check.trouble
        if info.detail or not trouble:
            return info
        return replace(info, detail=f"{_WORDS[trouble]} ({(self._newest_ns - self._check.since_ns) // NS_PER_S} s)")

    @property
    def produced(self) -> int:
        return self._source.produced

    @property
    def sound(self) -> SoundLine | None:
        """That of the other source."""
        return self._source.sound if isinstance(self._source, Audible) else None

    def frames(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            self._look(frame)
            yield frame

    def close(self) -> None:
        self._source.close()

    def give_up_after(self, most: int | None) -> None:
        if isinstance(self._source, Persistent):
            self._source.give_up_after(most)

    def _look(self, frame: Frame) -> None:
        self._newest_ns = frame.captured_ns
        if frame.epoch != self._epoch:  # the time before says nothing of what is there now
            self._epoch, self._check = frame.epoch, PictureCheck()
        if self._check.look(frame.image, frame.captured_ns):
            trouble = self._check.trouble
            logger.warning("%s: %s", frame.source, _WORDS[trouble] if trouble else "the picture is well again")
