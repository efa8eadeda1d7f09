"""Why a camera cannot be opened, as far as the system can tell: OpenCV only says that it is not."""

import errno
import os
import sys
from pathlib import Path

from streamer.errors import SourceOpenError
from streamer.sources.device_users import users_of

_DEVICES = Path("/dev")

_BUSY = "another program may be using it"


def why_not_opened(device: int | str) -> SourceOpenError:
    """The error for a camera that does not open: no such device, no permission, busy, or no camera that gives video."""
    if not sys.platform.startswith("linux"):
        return SourceOpenError("this camera cannot be opened", where=f"camera {device}", hint=f"is it there? {_BUSY}")
    path = _path_of(device)
    if is_missing(device):
        return SourceOpenError("no such camera", where=str(path), hint=_cameras_here())
    problem = _try_open(path)
    if problem in {errno.EACCES, errno.EPERM}:
        hint = "its group, mostly `video`, may use it: usermod -aG video $USER, and log in again"
        return SourceOpenError("permission denied", where=str(path), hint=hint)
    if problem == errno.EBUSY:
        return SourceOpenError("busy", where=str(path), hint=_busy(path))
    if problem is not None:
        return SourceOpenError(os.strerror(problem), where=str(path))
    hint = f"{_busy(path)}, or it gives no video: many cameras have a second device for metadata; {_cameras_here()}"
    return SourceOpenError("this camera cannot be opened", where=str(path), hint=hint)


def is_missing(device: int | str) -> bool:
    """Whether the system says that there is no such camera. OpenCV, asked for one, complains on stderr each time."""
    return sys.platform.startswith("linux") and not _path_of(device).exists()


def why_no_frame(device: int | str, *, name: str) -> SourceOpenError:
    """The error for a camera that opens, and then gives nothing."""
    hint = f"{_busy(_path_of(device))}; or try another --width, --height and --fourcc, or another USB port"
    return SourceOpenError("the camera opens but gives no frame", where=name, hint=hint)


def _path_of(device: int | str) -> Path:
    return _DEVICES / f"video{device}" if isinstance(device, int) else Path(device)


def _busy(path: Path) -> str:
    users = users_of(str(path))
    return f"in use by {', '.join(users)}" if users else _BUSY


def _try_open(path: Path) -> int | None:
    """The errno of opening the device for a moment; None if it opens."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        return error.errno
    return None


def _cameras_here() -> str:
    found = sorted(_DEVICES.glob("video[0-9]*"), key=lambda path: (len(path.name), path.name))
    return f"here are {', '.join(map(str, found))}" if found else "no camera is plugged in: there is no /dev/video*"
