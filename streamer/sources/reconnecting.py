"""A live source that comes back: a camera that was pulled out, a stream whose server was restarted.

It knows neither cameras nor networks: it is given what opens the source, and opens it again whenever it is lost, until
somebody closes it. `open_source` puts it around everything live that can be lost.
"""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol, Self, runtime_checkable

from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.errors import SourceError, SourceLost, SourceRefused
from streamer.frame import Frame
from streamer.interfaces import Audible, Source, SourceInfo, SourceState
from streamer.sound import SoundLine
from streamer.sources.backoff import Backoff

logger = logging.getLogger(__name__)

STALLED_NS = 2 * NS_PER_S
"""Without a frame for so long, it is said that none comes; the source itself gives up at its own timeout."""

MOST_CAUSES = 10
"""So many causes of one absence are logged; a server that starts may change its mind with every try."""

OpenAgain = Callable[[], Source]
"""Opens the source. Raises SourceError; what it opens may still be connecting and fail at its first frame."""


@runtime_checkable
class Persistent(Protocol):
    """A source that may be told, while it goes on, when to give up; of one that never comes back it changes nothing."""

    def give_up_after(self, most: int | None) -> None:
        """After so many tries in a row that fail; None never. From any thread; holds from the next one that fails."""


@dataclass(slots=True)
class _Absence:
    """The time without frames: since when, why, and what was said of it."""

    since_ns: int
    cause: str = ""
    next_try_ns: int | None = None
    said: set[str] = field(default_factory=set)

    @classmethod
    def beginning(cls, now_ns: int, cause: SourceError | None) -> Self:
        """From the start, when `cause` has been said already."""
        return cls(now_ns) if cause is None else cls(now_ns, cause.what, said={cause.what})


class ReconnectingSource:
    """Frames of whatever `open_again` opens, as one stream.

    first: what is open already; without it the first connection is waited for like every other. cause: why it is not.
    most: so many tries in a row that fail, and it is given up; None tries for ever. chance: for the jitter.

    With each return `epoch` grows by one; `index` and `pts_s`, which is the time of the clock since the first frame, go
    on growing. A stream that ends has been lost too: live ones have no end. What is found in the place of one that was
    lost, and has an end, is not read: it was live once, and is a recording of that. What was waited for and has an end
    is read once.

    What was there once is waited for whatever is said of it meanwhile: a camera that starts may answer 401 for a while.

    `frames` raises the last SourceError when it is given up, and a SourceRefused where it never was there. `close` ends
    it in every state.
    """

    live = True

    def __init__(
        self,
        open_again: OpenAgain,
        *,
        name: str,
        first: Source | None = None,
        cause: SourceError | None = None,
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
        self._absence: _Absence | None = None if first else _Absence.beginning(self._clock.now_ns(), cause)
        self._has_end = False
        self._reconnects = 0
        self._sound: SoundLine | None = None
        self._before = 0
        self._left_out_before = 0
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
        with self._lock:
            current_left_out = 0 if self._current is None else self._current.info.left_out
            left_out = self._left_out_before + current_left_out
        return replace(
            self._info,
            frame_count=None,
            duration_s=None,
            state=state,
            detail=detail,
            reconnects=self._reconnects,
            left_out=left_out,
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
                if self._has_end:
                    return
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

    def give_up_after(self, most: int | None) -> None:
        self._most = most

    def _one_connection(self) -> Iterator[Frame]:
        """The frames until it is lost; every one is numbered as one of the whole stream."""
        source = self._opened()
        began_ns: int | None = None
        first_epoch = self._epoch + 1
        try:
            for frame in source.frames():
                if began_ns is None:
                    self._refuse_recording(source)
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

    def _refuse_recording(self, source: Source) -> None:
        if not source.live and self._first_ns is not None:
            raise SourceLost("it has ended, and what is left there is its recording", where=self._name)
        self._has_end = not source.live

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
            if self._current is not None:
                self._left_out_before += self._current.info.left_out
            self._current = None
        most = self._most
        hopeless = isinstance(cause, SourceRefused) and self._first_ns is None
        if hopeless or (most is not None and self._backoff.tries >= most):
            self._state = "failed"
            raise cause
        wait_s = self._backoff.next_s()
        now_ns = self._clock.now_ns()
        absence = self._absence
        if absence is None:
            absence = self._absence = _Absence(now_ns if self._last_ns is None else self._last_ns)
        if cause.what not in absence.said and len(absence.said) < MOST_CAUSES:
            absence.said.add(cause.what)
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
