"""What Linux tells of a camera: its driver, its modes, and who has it open.

The structures and numbers of V4L2 are those of the kernel's header, as videodev2 has them; the two that hold a union
without a name are left out there, and stand here.
"""

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import videodev2

from streamer.sources.device_users import users_of
from streamer.sources.devices import Device, Mode
from streamer.text import printable

USUAL_SIZES_PX = (
    *((160, 120), (320, 240), (640, 360), (640, 480), (800, 600), (1024, 768), (1280, 720), (1280, 960)),
    *((1600, 1200), (1920, 1080), (2560, 1440), (2592, 1944), (3840, 2160)),
)
"""(width, height), told of a camera that takes any size in a range."""

MOST_ENTRIES = 256
"""A driver that goes on for longer is not believed."""

NO_PERMISSION = "permission denied: its group, mostly `video`, may use it: usermod -aG video $USER, and log in again"


class _SizeUnion(ctypes.Union):
    _fields_ = (("discrete", videodev2.v4l2_frmsize_discrete), ("stepwise", videodev2.v4l2_frmsize_stepwise))


class _SizeEntry(ctypes.Structure):
    """`struct v4l2_frmsizeenum`."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("size", _SizeUnion),
        ("reserved", ctypes.c_uint32 * 2),
    )


class _IntervalUnion(ctypes.Union):
    _fields_ = (("discrete", videodev2.v4l2_fract), ("stepwise", videodev2.v4l2_frmival_stepwise))


class _IntervalEntry(ctypes.Structure):
    """`struct v4l2_frmivalenum`."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("pixel_format", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("type", ctypes.c_uint32),
        ("interval", _IntervalUnion),
        ("reserved", ctypes.c_uint32 * 2),
    )


_LIST_SIZES = videodev2._IOWR("V", 74, _SizeEntry)  # noqa: SLF001 - it is exported under this name
_LIST_INTERVALS = videodev2._IOWR("V", 75, _IntervalEntry)  # noqa: SLF001


class Ask(Protocol):
    """ioctl(2): fills `entry` with the answer of the open file `fd`; raises OSError."""

    def __call__(self, fd: int, request: int, entry: Any, /) -> int: ...  # noqa: ANN401 - any of the structures


def looked_into(device: Device, *, ask: Ask = fcntl.ioctl) -> Device:
    """`device` with its driver, its modes, who uses it, and why it cannot be asked, where it cannot."""
    used_by = users_of(device.path)
    try:
        with _opened(device.path) as fd:
            capability = videodev2.v4l2_capability()
            ask(fd, videodev2.VIDIOC_QUERYCAP, capability)
            driver = printable(videodev2.arr_to_str(capability.driver))
            return replace(device, driver=driver, modes=_modes(fd, ask), used_by=used_by)
    except OSError as error:
        return replace(device, problem=_why(error), used_by=used_by)


def modes_at(path: str, *, ask: Ask = fcntl.ioctl) -> tuple[Mode, ...]:
    """The modes of the camera at `path`; none where it cannot be asked."""
    try:
        with _opened(path) as fd:
            return _modes(fd, ask)
    except OSError:
        return ()


class _opened:  # noqa: N801 - a context manager that reads as a verb
    """The file of a camera, open for questions: that disturbs nobody who has it open for pictures."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _why(error: OSError) -> str:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return NO_PERMISSION
    return "busy" if error.errno == errno.EBUSY else os.strerror(error.errno or 0)


def _modes(fd: int, ask: Ask) -> tuple[Mode, ...]:
    found = [
        Mode(_fourcc(pixel_format), size_px, *_rates(fd, ask, pixel_format, size_px))
        for pixel_format in _formats(fd, ask)
        for size_px in _sizes(fd, ask, pixel_format)
    ]
    return tuple(sorted(found, key=lambda mode: (-mode.size_px[0] * mode.size_px[1], -mode.size_px[0])))


def _formats(fd: int, ask: Ask) -> Iterator[int]:
    entry = videodev2.v4l2_fmtdesc()
    entry.type = videodev2.V4L2_BUF_TYPE_VIDEO_CAPTURE
    for _ in _entries(fd, ask, videodev2.VIDIOC_ENUM_FMT, entry):
        yield int(entry.pixelformat)


def _sizes(fd: int, ask: Ask, pixel_format: int) -> Iterator[tuple[int, int]]:
    entry = _SizeEntry()
    entry.pixel_format = pixel_format
    for _ in _entries(fd, ask, _LIST_SIZES, entry):
        if entry.type == videodev2.V4L2_FRMSIZE_TYPE_DISCRETE:
            yield entry.size.discrete.width, entry.size.discrete.height
        else:
            yield from _sizes_in_range(entry.size.stepwise)
            return


def _sizes_in_range(limits: Any) -> Iterator[tuple[int, int]]:  # noqa: ANN401 - a structure of videodev2
    """The usual sizes that are within the limits and on their steps, and the largest of all."""
    largest = limits.max_width, limits.max_height
    for width, height in USUAL_SIZES_PX:
        fits = limits.min_width <= width <= largest[0] and limits.min_height <= height <= largest[1]
        on_steps = not (
            (width - limits.min_width) % max(1, limits.step_width)
            or (height - limits.min_height) % max(1, limits.step_height)
        )
        if fits and on_steps and (width, height) != largest:
            yield width, height
    yield largest


def _rates(fd: int, ask: Ask, pixel_format: int, size_px: tuple[int, int]) -> tuple[tuple[float, ...], bool]:
    """Frames a second, the highest first; and whether they are the ends of a range."""
    entry = _IntervalEntry()
    entry.pixel_format, entry.width, entry.height = pixel_format, *size_px
    rates: set[float] = set()
    for _ in _entries(fd, ask, _LIST_INTERVALS, entry):
        if entry.type != videodev2.V4L2_FRMIVAL_TYPE_DISCRETE:
            limits = entry.interval.stepwise
            ends = {_per_second(limits.min), _per_second(limits.max)}
            return tuple(sorted(ends - {0.0}, reverse=True)), True
        rates.add(_per_second(entry.interval.discrete))
    return tuple(sorted(rates - {0.0}, reverse=True)), False


def _per_second(interval: Any) -> float:  # noqa: ANN401 - a structure of videodev2
    return round(interval.denominator / interval.numerator, 3) if interval.numerator else 0.0


def _entries(fd: int, ask: Ask, request: int, entry: Any) -> Iterator[None]:  # noqa: ANN401 - any of the structures
    """One turn for each entry of a list of the driver's; `entry` holds it. Not every driver has every list."""
    for index in range(MOST_ENTRIES):
        entry.index = index
        try:
            ask(fd, request, entry)
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.ENOTTY}:
                return
            raise
        yield


def _fourcc(pixel_format: int) -> str:
    """Four characters; behind them `-BE` for what the highest bit says, big-endian."""
    code, ending = pixel_format & 0x7FFFFFFF, "-BE" if pixel_format >> 31 else ""
    return printable("".join(chr(code >> shift & 0xFF) for shift in (0, 8, 16, 24))).strip() + ending
