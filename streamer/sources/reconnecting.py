"""A live source that comes back: a camera that was pulled out, a stream whose server was restarted.

It knows neither cameras nor networks: it is given what opens the source, and opens it again whenever it is lost, until
somebody closes it. `open_source` puts it around everything live that can be lost.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.errors import SourceError, SourceLost
from streamer.frame import Frame
from streamer.interfaces import Audible, Source, SourceInfo, SourceState
from streamer.sound import SoundLine
from streamer.sources.backoff import Backoff

logger = logging.getLogger(__name__)

STALLED_NS = 2 * NS_PER_S
"""Without a frame for so long, it is said that none comes; the source itself gives up at its own timeout."""

OpenAgain = Callable[[], Source]
"""Opens the source. Raises SourceError; what it opens may still be connecting and fail at its first frame."""


@dataclass(slots=True)
class _Absence:
    """The time without frames: since when, why, and whether that was said."""

    since_ns: int
    cause: str = ""
    next_try_ns: int | None = None


class ReconnectingSource:
    """Frames of whatever `open_again` opens, as one stream.

    first: what is open already; without it the first connection is waited for like every other.
    most: so many tries in a row that fail, and it is given up; None tries for ever. chance: for the jitter.

    With each return `epoch` grows by one; `index` and `pts_s`, which is the time of the clock since the first frame, go
    on growing. A stream that ends has been lost too: live ones have no end.

    `frames` raises the last SourceError when it is given up. `close` ends it in every state.
    """

    live = True

    def __init__(
        self,
        open_again: OpenAgain,
        *,
        name: str,
        first: Source | None = None,
        most: int | None = None,
        clock: Clock | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._open_again = open_again
        self._name = name
        self._most = most
        self._clock = clock or MonotonicClock()
        self._backoff = Backoff(chance)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._current = first
        self._info = SourceInfo(name, kind="stream") if first is None else first.info
        self._state: SourceState = "connecting"
        self._absence: _Absence | None = None if first else _Absence(self._clock.now_ns())
        self._reconnects = 0
        self._sound: SoundLine | None = None
        self._before = 0
        self._produced = 0
        self._epoch = -1
        self._first_ns: int | None = None
        self._last_ns: int | None = None

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        """That of what is or was open last, with the state; from any thread."""
        state, detail = self._state_now()
        return replace(
            self._info, frame_count=None, duration_s=None, state=state, detail=detail, reconnects=self._reconnects
        )

    @property
    def sound(self) -> SoundLine | None:
        """That of the connection that is open, or was last."""
        return self._sound

    def frames(self) -> Iterator[Frame]:
        try:
            while not self._closing.is_set():
                cause: SourceError = SourceLost("the stream ended", where=self._name)
                try:
                    yield from self._one_connection()
                except SourceError as error:
                    cause = error
                if not self._closing.is_set():
                    self._wait(cause)
        finally:
            self.close()

    def close(self) -> None:
        self._closing.set()
        with self._lock:
            current = self._current
        if current is not None:
            current.close()
        if self._state != "failed":
            self._state = "ended"

    def _one_connection(self) -> Iterator[Frame]:
        """The frames until it is lost; every one is numbered as one of the whole stream."""
        source = self._opened()
        began_ns: int | None = None
        first_epoch = self._epoch + 1
        try:
            for frame in source.frames():
                if began_ns is None:
                    began_ns = frame.captured_ns
                    self._came(source)
                self._last_ns = frame.captured_ns
                self._epoch = first_epoch + frame.epoch
                self._produced = self._before + source.produced
                yield self._renumbered(frame)
        finally:
            source.close()
            self._before = self._produced = self._before + source.produced
            if began_ns is not None and self._last_ns is not None:
                self._backoff.gave_frames((self._last_ns - began_ns) / NS_PER_S)

    def _opened(self) -> Source:
        with self._lock:
            source, self._current = self._current, None
        self._state = "connecting"
        if source is None:
            source = self._open_again()
        with self._lock:
            self._current = source
        if self._closing.is_set():
            source.close()
        return source

    def _came(self, source: Source) -> None:
        """The first frame of a connection is there."""
        self._info = source.info
        self._sound = source.sound if isinstance(source, Audible) else None
        self._state = "running"
        absence, self._absence = self._absence, None
        if self._first_ns is not None:
            self._reconnects += 1
        if absence is not None:
            away_s = (self._clock.now_ns() - absence.since_ns) / NS_PER_S
            logger.warning("%s: %s after %.1f s", self._name, "back" if self._reconnects else "there", away_s)

    def _renumbered(self, frame: Frame) -> Frame:
        if self._first_ns is None:
            self._first_ns = frame.captured_ns
        return replace(
            frame,
            index=self._produced - 1,
            epoch=self._epoch,
            pts_s=(frame.captured_ns - self._first_ns) / NS_PER_S,
        )

    def _wait(self, cause: SourceError) -> None:
        """Wait until the next try is due, or it is closed. Raises `cause` when there is no next try."""
        with self._lock:
            self._current = None
        if self._most is not None and self._backoff.tries >= self._most:
            self._state = "failed"
            raise cause
        wait_s = self._backoff.next_s()
        now_ns = self._clock.now_ns()
        absence = self._absence
        if absence is None:
            absence = self._absence = _Absence(now_ns if self._last_ns is None else self._last_ns)
        if cause.what != absence.cause:
            logger.warning("%s; it is tried again until it is there", cause)
        absence.cause, absence.next_try_ns = cause.what, now_ns + round(wait_s * NS_PER_S)
        logger.debug("%s: next try in %.1f s", self._name, wait_s)
        self._state = "waiting"
        self._clock.wait(self._closing, wait_s)

    def _state_now(self) -> tuple[SourceState, str]:
        """The state, and what there is to say of it."""
        state, absence, last_ns, now_ns = self._state, self._absence, self._last_ns, self._clock.now_ns()
        if state == "running" and last_ns is not None and now_ns - last_ns > STALLED_NS:
            return "stalled", f"no frame for {(now_ns - last_ns) // NS_PER_S} s"
        if absence is None or state in {"running", "ended"}:
            return state, ""
        parts = [f"no signal for {(now_ns - absence.since_ns) // NS_PER_S} s", absence.cause]
        if state == "waiting" and absence.next_try_ns is not None:
            parts.append(f"next try in {max(0, absence.next_try_ns - now_ns) / NS_PER_S:.0f} s")
        return state, ", ".join(filter(None, parts))
