"""What may be asked of a source. Plain data: it opens nothing, and needs neither OpenCV nor PyAV."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from streamer.errors import ConfigError

RtspTransport = Literal["tcp", "udp"]

CameraBackend = Literal["any", "v4l2", "msmf", "dshow", "avfoundation", "gstreamer"]

CAMERA_CONTROLS = (
    *("auto_exposure", "auto_white_balance", "autofocus", "backlight", "brightness", "contrast", "exposure", "focus"),
    *("gain", "gamma", "hue", "iris", "pan", "saturation", "sharpness", "tilt", "white_balance", "zoom"),
)
"""What `--camera-control` knows."""

MAX_PIXELS = 50_000_000
"""Of a picture, if nothing else is asked for; 8K video has 33 million."""

_SWITCHED = {"on": 1.0, "yes": 1.0, "true": 1.0, "off": 0.0, "no": 0.0, "false": 0.0}
_TIMEOUTS = ("open_timeout_s", "read_timeout_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How to read a source; each field is the flag of the same name, and None leaves the choice to the source.

    width, height: pixels asked of a camera. fps: frames a second asked of a camera.
    fourcc: four characters, the pixel format asked of a camera: `MJPG`, `YUYV`.
    camera_backend: which of OpenCV's ways to a camera is taken.
    camera_control: `exposure=100`, `autofocus=off`, ...: in the driver's own numbers.
    source_options: `NAME=VALUE`, what only some kinds of source know; of a stream, what FFmpeg's demuxers do.
    start_s, end_s: the part of a file that is read, seconds since its first frame; `end_s` itself is left out.
    duration_s: the longest part that is read, seconds from `start_s`.
    stride: every how manyth frame is read.
    loop: begin again at the end, for ever.
    realtime: read a file at its own speed, as if it were live.
    rtsp_transport: how the pictures of an RTSP stream travel; over UDP they may be lost on the way.
    open_timeout_s, read_timeout_s: how long a stream may say nothing, at opening and afterwards.
    reconnect: whether a live stream or a camera that is lost is opened again: None does so once it was there, True
        also waits for one that is not there at the start.
    max_pixels: larger pictures, of files and streams, are refused before they are decoded.
    reconnect_max: so many failed tries in a row, and it is given up; None never gives up.

    Raises ConfigError for a value out of range.
    """

    width: int | None = None
    height: int | None = None
    fps: float | None = None
    fourcc: str | None = None
    camera_backend: CameraBackend | None = None
    camera_control: tuple[str, ...] = ()
    source_options: tuple[str, ...] = ()
    start_s: float | None = None
    end_s: float | None = None
    duration_s: float | None = None
    stride: int = 1
    loop: bool = False
    realtime: bool = False
    rtsp_transport: RtspTransport = "tcp"
    open_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    reconnect: bool | None = None
    reconnect_max: int | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for name in ("width", "height", "fps", "duration_s", "stride", "max_pixels", *_TIMEOUTS):
            self._check(name, above_zero=True)
        for name in ("start_s", "end_s"):
            self._check(name, above_zero=False)
        if self.reconnect_max is not None and self.reconnect_max < 0:
            raise ConfigError(f"reconnect_max must be 0 or more, not {self.reconnect_max}")
        if any(option.strip().startswith("protocol_") for option in self.source_options):
            raise ConfigError("what a stream may reach is not for source_options to say")
        if self.fourcc is not None and (len(self.fourcc) != 4 or not self.fourcc.isascii()):
            raise ConfigError(f"fourcc is four characters such as MJPG, not {self.fourcc!r}")
        # Refused here, not when something is open.
        _ = self.controls, pairs_of(self.source_options, what="source_options")
        if self.end_s is not None and self.end_s <= (self.start_s or 0.0):
            raise ConfigError(f"end ({self.end_s:g} s) must come after start ({self.start_s or 0.0:g} s)")

    @property
    def stop_s(self) -> float:
        """Where reading stops by `end_s` and `duration_s` together: seconds since the file's first frame."""
        by_end = math.inf if self.end_s is None else self.end_s
        by_duration = math.inf if self.duration_s is None else (self.start_s or 0.0) + self.duration_s
        return min(by_end, by_duration)

    @property
    def controls(self) -> tuple[tuple[str, float], ...]:
        """`camera_control` as names and values; of one that is given twice, the last. Raises ConfigError."""
        return tuple(dict(map(_control, self.camera_control)).items())

    def _check(self, name: str, *, above_zero: bool) -> None:
        value = getattr(self, name)
        if value is None or (math.isfinite(value) and (value > 0 if above_zero else value >= 0)):
            return
        raise ConfigError(f"{name} must be {'more than 0' if above_zero else '0 or more'}, not {value}")


def pairs_of(texts: Sequence[str], *, what: str) -> tuple[tuple[str, str], ...]:
    """`name=value` taken apart. what: whose they are, for the error. Raises ConfigError for what is no such pair."""
    pairs = []
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ConfigError(f"{what} is NAME=VALUE, not {text!r}")
        pairs.append((name, value))
    return tuple(pairs)


def _control(text: str) -> tuple[str, float]:
    ((name, value),) = pairs_of([text], what="camera_control")
    known = name.lower().replace("-", "_")
    if known not in CAMERA_CONTROLS:
        raise ConfigError(f"camera_control knows no {name!r}", hint=f"it knows {', '.join(CAMERA_CONTROLS)}")
    try:
        number = _SWITCHED[value.lower()] if value.lower() in _SWITCHED else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"camera_control {name} takes a number, on or off, not {value!r}")
    return known, number


DEFAULTS = SourceOptions()
"""Nothing asked for."""
