"""Which cameras there are, and what each can give: as data. It opens none of them for pictures.

cv2-enumerate-cameras finds them, on Linux, Windows and macOS, under the numbers that OpenCV has for them; on Linux
v4l2.py asks each for its driver and its modes. Called by `streamer devices`, and by `open_source` for `cam:`.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from streamer.errors import SourceOpenError
from streamer.sources.options import CameraBackend
from streamer.text import printable

# ruff: noqa: PLC0415 - one system's way to its cameras cannot be imported on another; OpenCV is dear


@dataclass(frozen=True, slots=True)
class Mode:
    """One size in one pixel format.

    fourcc: four characters: `MJPG`, `YUYV`. size_px: (width, height).
    fps: the rates there are, the highest first; empty where the driver does not say.
    any_between: whether `fps` is the two ends of a range.
    """

    fourcc: str
    size_px: tuple[int, int]
    fps: tuple[float, ...] = ()
    any_between: bool = False

    @property
    def size(self) -> str:
        """`1280x720`."""
        return f"{self.size_px[0]}x{self.size_px[1]}"

    @property
    def best_fps(self) -> float:
        """The highest rate; 0 where the driver does not say."""
        return max(self.fps, default=0.0)


@dataclass(frozen=True, slots=True)
class Device:
    """One camera.

    index: OpenCV's number for it, with `backend`. path: its file on Linux, a name of the system's elsewhere.
    driver: empty where only Linux would tell. modes: the largest first; empty where they cannot be asked for.
    problem: why it cannot be used, or not be asked; empty where nothing is known against it.
    used_by: programs that have it open, as far as this user may see.
    """

    index: int
    name: str
    path: str
    backend: CameraBackend
    driver: str = ""
    modes: tuple[Mode, ...] = ()
    problem: str = ""
    used_by: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """For people: `0 HD Webcam (/dev/video0)`."""
        return f"{self.index} {self.name} ({self.path})"


ListDevices = Callable[[CameraBackend | None], Sequence[Device]]
"""Lists the cameras that a backend of OpenCV knows; None is the usual one of the system."""


def list_devices(backend: CameraBackend | None = None) -> list[Device]:
    """Every camera of this machine, by index.

    backend: whose numbers are asked for on Windows, `msmf` or `dshow`. What is told of modes, drivers and programs is
    told on Linux only.

    Raises SourceOpenError: the cameras of this system cannot be listed.
    """
    from cv2_enumerate_cameras import enumerate_cameras, supported_backends

    chosen = backend if backend in {"msmf", "dshow"} else _usual_backend()
    number = _number_of(chosen)
    if number not in supported_backends:
        raise SourceOpenError("the cameras of this system cannot be listed", where=sys.platform, hint="try 0, 1, ...")
    found = sorted(enumerate_cameras(number), key=lambda camera: camera.index)
    named = [Device(camera.index, printable(camera.name or "no name"), camera.path or "", chosen) for camera in found]
    if chosen != "v4l2":
        return named
    from streamer.sources.v4l2 import looked_into

    return [looked_into(device) for device in named]


def modes_of(device: int | str) -> tuple[Mode, ...]:
    """What the camera can give, the largest first: a number or a path; nothing where that cannot be asked."""
    if not sys.platform.startswith("linux"):
        return ()
    from streamer.sources.v4l2 import modes_at

    return modes_at(f"/dev/video{device}" if isinstance(device, int) else device)


def find_device(wanted: str, devices: Sequence[Device]) -> Device:
    """The camera that `wanted` means: its index, its path, its name, or a part of its name, in any case of letters.

    Raises SourceOpenError: none is meant, or several are; both say which there are.
    """
    where, words = f"cam:{wanted}", wanted.strip().casefold()
    here = "; ".join(device.title for device in devices)
    if not words:
        raise SourceOpenError("a camera's index, path or part of its name goes here", where=where, hint=here or None)
    path = os.path.realpath(wanted.strip())  # those of /dev/v4l/by-id are links
    exact = [device for device in devices if words == str(device.index) or device.path in {wanted.strip(), path}]
    whole = [device for device in devices if words == device.name.casefold()]
    part = [device for device in devices if words in device.name.casefold()]
    fitting = exact or whole or part
    if not devices:
        raise SourceOpenError("no camera was found", where=where, hint="streamer devices says what to try")
    if not fitting:
        raise SourceOpenError("no camera is called like this", where=where, hint=f"here are: {here}")
    if len(fitting) > 1:
        names = "; ".join(device.title for device in fitting)
        hint = f"give more of the name, the index or the path: {names}"
        raise SourceOpenError(f"{len(fitting)} cameras are called like this", where=where, hint=hint)
    return fitting[0]


def _usual_backend() -> Literal["v4l2", "msmf", "avfoundation"]:
    if sys.platform == "win32":
        return "msmf"
    return "avfoundation" if sys.platform == "darwin" else "v4l2"


def _number_of(backend: CameraBackend) -> int:
    import cv2

    numbers = {
        "v4l2": cv2.CAP_V4L2,
        "msmf": cv2.CAP_MSMF,
        "dshow": cv2.CAP_DSHOW,
        "avfoundation": cv2.CAP_AVFOUNDATION,
    }
    return numbers[backend]
