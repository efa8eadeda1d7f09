"""A monitor, or a part of one, as a live source: `screen:`, `screen:1`, `screen:1,x,y,w,h`."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

import cv2
import numpy as np
from mss import MSS, ScreenShotError

from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.errors import SourceLost, SourceOpenError
from streamer.frame import Frame, Image
from streamer.interfaces import SourceInfo
from streamer.sources.access import Access
from streamer.sources.options import DEFAULTS, SourceOptions
from streamer.sources.pacing import Pacer

DEFAULT_FPS = 30.0

_PART = re.compile(r"(?P<monitor>\d{1,3})?(?:,(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5}))?")

_SYNTAX = "screen: is the first monitor, screen:2 the second, screen:0 all of them, screen:1,x,y,w,h a part, in px"


class Grabber(Protocol):
    """What is needed of mss."""

    @property
    def monitors(self) -> list[dict[str, int]]: ...
    def grab(self, monitor: dict[str, int], /) -> object: ...
    def close(self) -> None: ...


class ScreenSource:
    """What is on the screen, taken again and again; live.

    part: what stands behind `screen:`. Of `options`, `fps` is used: how often at most, 30 if not given.
    grabber: what takes it; mss if left out.

    Raises SourceOpenError: not understood, no such monitor, beyond its edges, or no screen can be read. `frames` raises
    SourceLost when it cannot be read any more.
    """

    live = True

    def __init__(
        self,
        part: str = "",
        *,
        options: SourceOptions = DEFAULTS,
        clock: Clock | None = None,
        grabber: Grabber | None = None,
    ) -> None:
        self._name = f"screen:{part}"
        self._fps = options.fps or DEFAULT_FPS
        self._clock = clock or MonotonicClock()
        self._produced = 0
        self._first_ns: int | None = None
        match = _PART.fullmatch(part)
        if match is None:
            raise SourceOpenError("not understood", where=self._name, hint=_SYNTAX)
        try:
            self._grabber = grabber or MSS()
        except (ScreenShotError, OSError) as error:
            raise self._unreadable(error) from error
        self._access = Access(self._let_go, name=self._name)
        try:
            self._area = self._chosen(match)
            self._grab()
        except (ScreenShotError, OSError) as error:
            self._access.close()
            raise self._unreadable(error) from error
        except BaseException:
            self._access.close()
            raise

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        size_px = self._area["width"], self._area["height"]
        return SourceInfo(name=self._name, size_px=size_px, fps=self._fps, decoder="screen, by mss", kind="screen")

    def frames(self) -> Iterator[Frame]:
        pacer, due_s = Pacer(self._clock, self._access.closing), 0.0
        try:
            while pacer.wait_until(due_s):
                with self._access.turn() as is_open:
                    if not is_open:
                        return
                    frame = self._next()
                due_s += 1 / self._fps
                yield frame
        finally:
            self._access.close()

    def close(self) -> None:
        self._access.close()

    def _next(self) -> Frame:
        try:
            image = self._grab()
        except Exception as error:  # mss asserts that an X server which is gone has answered
            why = str(error) or "its display is gone"
            raise SourceLost(f"the screen cannot be read any more: {why}", where=self._name) from error
        captured_ns = self._clock.now_ns()
        self._first_ns = captured_ns if self._first_ns is None else self._first_ns
        index = self._produced
        self._produced += 1
        pts_s = (captured_ns - self._first_ns) / NS_PER_S
        return Frame(image, index=index, captured_ns=captured_ns, pts_s=pts_s, source=self._name)

    def _grab(self) -> Image:
        shot = np.asarray(self._grabber.grab(self._area))
        return np.asarray(cv2.cvtColor(shot, cv2.COLOR_BGRA2BGR), np.uint8)

    def _chosen(self, match: "re.Match[str]") -> dict[str, int]:
        monitors = self._grabber.monitors
        number = int(match["monitor"] or 1)
        sizes = [f"{monitor['width']}x{monitor['height']}" for monitor in monitors]
        if number >= len(monitors):
            here = ", ".join(f"{index} ({size})" for index, size in enumerate(sizes) if index) or "none"
            raise SourceOpenError("no such monitor", where=self._name, hint=f"here are: {here}; 0 is all of them")
        whole = monitors[number]
        if match[2] is None:
            return {side: whole[side] for side in ("left", "top", "width", "height")}
        x, y, width, height = (int(match[group]) for group in range(2, 6))
        if not (width and height) or x + width > whole["width"] or y + height > whole["height"]:
            hint = f"the monitor has {sizes[number]}"
            raise SourceOpenError("the part is empty, or goes beyond the monitor", where=self._name, hint=hint)
        return {"left": whole["left"] + x, "top": whole["top"] + y, "width": width, "height": height}

    def _unreadable(self, error: Exception) -> SourceOpenError:
        hint = "it needs a display of X11, Windows or macOS that this program may look at"
        return SourceOpenError(f"the screen cannot be read: {error}", where=self._name, hint=hint)

    def _let_go(self) -> None:
        with suppress(Exception):  # as above
            self._grabber.close()
