"""A live source that ends by itself: `--duration` for cameras and the test pattern. Files see to it themselves."""

from collections.abc import Iterator
from dataclasses import replace

from streamer.clock import NS_PER_S
from streamer.frame import Frame
from streamer.interfaces import Audible, Source, SourceInfo
from streamer.sound import SoundLine


class LimitedSource:
    """Another source, for `duration_s` seconds from its first frame; then the stream has ended."""

    def __init__(self, source: Source, *, duration_s: float) -> None:
        self._source = source
        self._duration_s = duration_s
        self._left_out = 0

    @property
    def live(self) -> bool:
        return self._source.live

    @property
    def info(self) -> SourceInfo:
        info = self._source.info
        return replace(info, duration_s=min(self._duration_s, info.duration_s or self._duration_s), frame_count=None)

    @property
    def produced(self) -> int:
        return self._source.produced - self._left_out

    @property
    def sound(self) -> SoundLine | None:
        """That of the other source."""
        return self._source.sound if isinstance(self._source, Audible) else None

    def frames(self) -> Iterator[Frame]:
        first_s: float | None = None
        for frame in self._source.frames():
            time_s = frame.captured_ns / NS_PER_S if frame.pts_s is None else frame.pts_s
            first_s = time_s if first_s is None else first_s
            if time_s - first_s >= self._duration_s:
                self._left_out = self._source.produced - frame.index
                return
            yield frame

    def close(self) -> None:
        self._source.close()
