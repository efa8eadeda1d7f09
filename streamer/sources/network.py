"""A stream from the network: RTSP, MJPEG or a file over HTTP, HLS, MPEG-TS over UDP and TCP, RTMP.

It is read by PyAV and not by OpenCV, whose FFmpeg gives no reason when it fails, and can neither be told per stream
what it may reach nor be let go while it reads. It does not come back by itself: reconnecting.py does.
"""

import logging
from collections.abc import Iterator

from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.frame import Frame, Image
from streamer.interfaces import SourceInfo
from streamer.sound import SoundLine
from streamer.sources.address import parse_address
from streamer.sources.connection import Connection, Picture
from streamer.sources.options import DEFAULTS, SourceOptions
from streamer.sources.streams import Facts
from streamer.sources.timeline import Timeline

logger = logging.getLogger(__name__)


class NetworkSource:
    """One connection to the stream at `uri`, begun when this is made; `frames` waits for it, `wait_open` too.

    called: its name for people, where that is not its address. Of `options`, what concerns streams is used.

    A stream is live: its newest frames are given, those that come while the caller is busy are left out and counted,
    and `pts_s` is when they came. What has an end (a file over HTTP, HLS that is complete) is not live: nothing is
    lost, and `pts_s` is that of the media.

    Raises SourceOpenError for an address that is refused. `wait_open` and `frames` raise SourceOpenError: refused, no
    such host, 401, 403, 404, no answer, not a video; `frames` raises SourceLost when nothing comes any more. A live
    stream that its server closes ends.
    """

    def __init__(
        self, uri: str, *, called: str = "", options: SourceOptions = DEFAULTS, clock: Clock | None = None
    ) -> None:
        self._address = parse_address(uri, called=called)
        self._clock = clock or MonotonicClock()
        self._produced = 0
        self._epoch = 0
        self._size_px: tuple[int, int] | None = None
        self._first_ns: int | None = None
        self._connection = Connection(self._address, options, self._clock)

    @property
    def live(self) -> bool:
        """True until it is known better."""
        facts = self._connection.facts
        return facts is None or facts.live

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        facts = self._connection.facts
        if facts is None:
            return SourceInfo(self._address.name, decoder="PyAV", kind="stream")
        return SourceInfo(
            name=self._address.name,
            size_px=self._size_px or facts.size_px,
            fps=facts.fps,
            duration_s=facts.duration_s,
            decoder=self._connection.decoder,
            kind="stream",
            left_out=self._connection.left_out,
        )

    @property
    def sound(self) -> SoundLine | None:
        """That of a live stream; None where it has none, or is not open yet."""
        return self._connection.sound

    def wait_open(self) -> None:
        """Wait until it is open, or closed by another thread. Raises SourceOpenError; it is closed then."""
        try:
            self._connection.wait_open()
        except BaseException:
            self.close()
            raise

    def frames(self) -> Iterator[Frame]:
        try:
            facts = self._connection.wait_open()
            if facts is not None:
                yield from self._frames(facts)
        finally:
            self.close()

    def close(self) -> None:
        self._connection.close()

    def _frames(self, facts: Facts) -> Iterator[Frame]:
        timeline = Timeline(name=self._address.name, fps=facts.fps)
        try:
            for picture in self._connection.pictures():
                image = self._connection.image(picture)
                self._produced = picture.index + 1
                if image is not None:
                    yield self._frame(picture, image, None if facts.live else timeline)
        finally:
            if not self._connection.closed:
                self._produced = self._connection.produced

    def _frame(self, picture: Picture, image: Image, timeline: Timeline | None) -> Frame:
        size_px = image.shape[1], image.shape[0]
        if self._first_ns is None:
            self._first_ns = picture.captured_ns
        elif size_px != self._size_px:
            logger.warning("%s: the size is now %dx%d", self._address.name, *size_px)
            self._epoch += 1
        self._size_px = size_px
        if timeline is None:
            pts_s = (picture.captured_ns - self._first_ns) / NS_PER_S
        else:
            pts_s = timeline.place(float("nan") if picture.frame.time is None else picture.frame.time)
        return Frame(
            image,
            index=picture.index,
            captured_ns=picture.captured_ns,
            pts_s=pts_s,
            epoch=self._epoch,
            source=self._address.name,
        )
