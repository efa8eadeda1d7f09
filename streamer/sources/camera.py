"""One camera, through OpenCV: a webcam by number or by its device file.

It neither reconnects nor drops: it hands over every frame that the driver gives, when it gives it.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import cv2

from streamer.clock import NS_PER_S, Clock, MonotonicClock
from streamer.errors import SourceLost
from streamer.frame import Frame, Image
from streamer.interfaces import SourceInfo
from streamer.sources.access import Access
from streamer.sources.bgr import to_bgr
from streamer.sources.camera_controls import set_controls
from streamer.sources.camera_faults import why_no_frame, why_not_opened
from streamer.sources.camera_modes import better_fourcc, told
from streamer.sources.decoding import believable_fps
from streamer.sources.devices import Mode, modes_of
from streamer.sources.options import DEFAULTS, SourceOptions
from streamer.sources.telling import Telling

logger = logging.getLogger(__name__)

OPENING_READS = 10
"""So often a frame is tried for at opening: some cameras fail their first reads after a change of mode."""

MAX_UNUSABLE = 30
"""So many unusable frames in a row, and the camera is lost."""

_TIMEOUT_MS = 5000

_FPS_TOLERANCE = 0.5

_BACKENDS = {
    "any": cv2.CAP_ANY,
    "v4l2": cv2.CAP_V4L2,
    "msmf": cv2.CAP_MSMF,
    "dshow": cv2.CAP_DSHOW,
    "avfoundation": cv2.CAP_AVFOUNDATION,
    "gstreamer": cv2.CAP_GSTREAMER,
}


class Capture(Protocol):
    """What is needed of cv2.VideoCapture."""

    def isOpened(self) -> bool: ...  # noqa: N802 - OpenCV's name
    def get(self, prop: int, /) -> float: ...
    def set(self, prop: int, value: float, /) -> bool: ...
    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, Any]: ...
    def release(self) -> None: ...


OpenCapture = Callable[[int | str, int, list[int]], Capture]
"""Opens a device through a backend of OpenCV with parameters, as cv2.VideoCapture does."""


def open_capture(device: int | str, backend: int, parameters: list[int]) -> Capture:
    """cv2.VideoCapture."""
    return cv2.VideoCapture(device, backend, parameters)


ListModes = Callable[[int | str], Sequence[Mode]]
"""Tells the modes of a device; nothing where it cannot."""


class CameraSource:
    """A camera; live. Its mode is read from a real frame, and a warning tells where it is not the one asked for.

    device: a number, or the path of a device file. name: for people, where it has a better one than that.
    Of `options`, what concerns cameras is used. Without a `fourcc`, MJPG is asked for where it is faster at the size
    that is asked for.
    open_capture: what opens it. list_modes: what tells its modes. telling: that of the camera before it was lost.

    The frame that is read at opening is not one of `frames`. A frame without a picture is counted and left out. A new
    size starts an epoch.

    Raises SourceOpenError: no such camera, permission denied, busy, no frame. `frames` raises SourceLost when the
    camera stops giving frames, or gives 30 without a picture in a row.
    """

    live = True

    def __init__(
        self,
        device: int | str,
        *,
        name: str | None = None,
        options: SourceOptions = DEFAULTS,
        clock: Clock | None = None,
        open_capture: OpenCapture = open_capture,
        list_modes: ListModes = modes_of,
        telling: Telling | None = None,
    ) -> None:
        self._telling = telling or Telling()
        self._name = name or (f"camera {device}" if isinstance(device, int) else device)
        self._device = device
        self._clock = clock or MonotonicClock()
        self._produced = 0
        self._unusable = 0
        self._epoch = 0
        self._first_ns: int | None = None
        self._capture = open_capture(device, *_way_to_open(options))
        self._access = Access(self._capture.release, name=self._name)
        if not self._capture.isOpened():
            self._access.close()
            raise why_not_opened(device)
        self._modes = tuple(list_modes(device)) if _asks_for_a_mode(options) else ()
        try:
            self._ask(options)
            set_controls(self._capture, options.controls, name=self._name, telling=self._telling)
            self._size_px = self._first_size()
        except BaseException:
            self._access.close()
            raise
        self._fps = believable_fps(self._capture.get(cv2.CAP_PROP_FPS))
        self._warn_of_other_mode(options)

    @property
    def produced(self) -> int:
        return self._produced

    @property
    def info(self) -> SourceInfo:
        return SourceInfo(name=self._name, size_px=self._size_px, fps=self._fps, decoder="OpenCV", kind="camera")

    def frames(self) -> Iterator[Frame]:
        try:
            while not self._access.closing.is_set():
                frame = self._next()
                if frame is not None:
                    yield frame
        finally:
            self._access.close()

    def close(self) -> None:
        self._access.close()

    def _next(self) -> Frame | None:
        """The next frame; None, and counted, if it has no picture; None if the source is closed."""
        with self._access.turn() as is_open:
            if not is_open:
                return None
            grabbed = self._grab()
            captured_ns = self._clock.now_ns()
            image = self._retrieve() if grabbed else None
        if self._access.closing.is_set():
            return None
        if not grabbed:
            hint = "was it unplugged? another program may have taken it"
            raise SourceLost("the camera gives no more frames", where=self._name, hint=hint)
        return self._frame(image, captured_ns)

    def _frame(self, image: Image | None, captured_ns: int) -> Frame | None:
        index = self._produced
        self._produced += 1
        if image is None:
            self._count_unusable(index)
            return None
        self._unusable = 0
        size_px = image.shape[1], image.shape[0]
        if size_px != self._size_px:
            logger.warning("%s: the size is now %dx%d", self._name, *size_px)
            self._size_px = size_px
            self._epoch += 1
        if self._first_ns is None:
            self._first_ns = captured_ns
        return Frame(
            image,
            index=index,
            captured_ns=captured_ns,
            pts_s=(captured_ns - self._first_ns) / NS_PER_S,
            epoch=self._epoch,
            source=self._name,
        )

    def _count_unusable(self, index: int) -> None:
        self._unusable += 1
        if self._unusable == 1:
            logger.warning("%s: frame %d has no picture; such frames are left out", self._name, index)
        if self._unusable >= MAX_UNUSABLE:
            hint = "try another --fourcc or --camera-backend"
            raise SourceLost(f"{MAX_UNUSABLE} frames in a row had no picture", where=self._name, hint=hint)

    def _grab(self) -> bool:
        try:
            return self._capture.grab()
        except cv2.error as error:
            raise SourceLost("OpenCV failed to read on", where=self._name, hint=error.err) from error

    def _retrieve(self) -> Image | None:
        """The picture; None also for one that OpenCV cannot decode: a JPEG that was cut short on its way."""
        try:
            usable, image = self._capture.retrieve()
        except cv2.error:
            return None
        return to_bgr(image) if usable else None

    def _first_size(self) -> tuple[int, int]:
        """(width, height) of the first real frame; drivers do not always tell the truth about their mode."""
        for _ in range(OPENING_READS):
            image = self._retrieve() if self._grab() else None
            if image is not None:
                return image.shape[1], image.shape[0]
        raise why_no_frame(self._device, name=self._name)

    def _ask(self, options: SourceOptions) -> None:
        """Ask for a mode. The order matters: the format decides which sizes there are, and the size which rates."""
        better = better_fourcc(self._modes, options)
        if better is not None:
            logger.info("%s: %s is asked for, which is faster at this size", self._name, better)
            options = replace(options, fourcc=better)
        if options.fourcc is not None:
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*options.fourcc))
        if options.width is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, options.width)
        if options.height is not None:
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, options.height)
        if options.fps is not None:
            self._capture.set(cv2.CAP_PROP_FPS, options.fps)

    def _warn_of_other_mode(self, options: SourceOptions) -> None:
        width, height = self._size_px
        fourcc = _fourcc_name(self._capture.get(cv2.CAP_PROP_FOURCC))
        pairs: list[tuple[str, object, object]] = [("width", options.width, width), ("height", options.height, height)]
        if options.fourcc is not None:
            pairs.append(("fourcc", options.fourcc.upper(), fourcc.upper()))
        if options.fps is not None and (self._fps is None or abs(options.fps - self._fps) > _FPS_TOLERANCE):
            pairs.append(("fps", options.fps, self._fps))
        other = [(name, asked, got) for name, asked, got in pairs if asked is not None and asked != got]
        text = ""
        if other:
            asked_text = ", ".join(f"{name} {asked}" for name, asked, _ in other)
            got_text = ", ".join(f"{name} {got}" for name, _, got in other)
            has_text = f"; it has {told(self._modes)}" if self._modes else ""
            text = f"{self._name}: asked for {asked_text}; it gives {got_text}{has_text}"
        self._telling.warn("mode", text)


def _way_to_open(options: SourceOptions) -> tuple[int, list[int]]:
    """The backend and its parameters. The others refuse timeouts; V4L2 takes its own from the environment."""
    chosen = options.camera_backend
    if chosen is None:
        # Of a device file, CAP_ANY would try FFmpeg first.
        chosen = "v4l2" if sys.platform.startswith("linux") else "any"
    if chosen == "gstreamer":
        return _BACKENDS[chosen], [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS),
        ]
    return _BACKENDS[chosen], []


def _asks_for_a_mode(options: SourceOptions) -> bool:
    return (options.width, options.height, options.fps, options.fourcc) != (None, None, None, None)


def _fourcc_name(value: float) -> str:
    """The four characters of a pixel format; empty if it is none."""
    code = int(value) if 0 < value < 2**32 else 0
    return "".join(chr(code >> shift & 0xFF) for shift in (0, 8, 16, 24)) if code else ""
