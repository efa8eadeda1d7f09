"""The machine itself: Python and its packages, processors and memory, disks, cameras, GPUs, fonts. All of it is quick.

Every folder that is looked into is an argument, so that a test can have a machine of its own.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from streamer.doctor.findings import Finding, found
from streamer.models.zoo.cache import VARIABLE, Cache

LITTLE_ROOM_BYTES = 1_000_000_000
LITTLE_MEMORY_BYTES = 2_000_000_000

_PACKAGES = ("numpy", "av", "tensorflow", "openvino", "ai-edge-litert", "pydantic", "typer")
_OPENCV_WHEELS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_FONTS_LIMIT_S = 3.0


def machine_findings() -> Iterator[Finding]:
    """Everything of the machine that needs no library of ours. What cannot even be looked at is told as broken."""
    checks = (packages, processors, memory, disk, cache, cameras, gpu, fonts)
    yield found("Python", "ok", f"{platform.python_version()}, {platform.platform()}")
    for check in checks:
        try:
            yield check()
        except (OSError, ValueError) as error:
            yield found(check.__name__, "broken", f"{type(error).__name__}: {error}")


def packages(names: tuple[str, ...] = _PACKAGES) -> Finding:
    """The versions of what streamer stands on; two wheels of OpenCV overwrite each other's files."""
    wheels = [name for name in _OPENCV_WHEELS if _version(name)]
    listed = ", ".join(f"{name} {number}" for name in (*wheels, *names) if (number := _version(name)))
    if len(wheels) > 1:
        advice = f"pip uninstall {' '.join(wheels)}; pip install opencv-python"
        return found("packages", "broken", f"{' and '.join(wheels)} are one too many", advice)
    return found("packages", "ok", listed)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def processors(groups: Path = Path("/sys/fs/cgroup")) -> Finding:
    """The processors that this process may use, and how much of them its control group allows."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _text(groups / "cpu.max").strip().partition(" ")
    limited = quota.isdigit() and period.isdigit() and int(period) > 0
    limit = f", limited to {int(quota) / int(period):g} by its control group" if limited else ""
    return found("processors", "ok", f"{usable} of {os.cpu_count()} may be used{limit}")


def memory(information: Path = Path("/proc/meminfo"), groups: Path = Path("/sys/fs/cgroup")) -> Finding:
    """The memory of the machine, and how much of it the control group allows."""
    sizes = {line.split(":")[0]: line.split()[1] for line in _text(information).splitlines() if len(line.split()) > 1}
    if not {"MemTotal", "MemAvailable"} <= sizes.keys():
        return found("memory", "ok", "this system does not say how much there is")
    free, total = int(sizes["MemAvailable"]) * 1024, int(sizes["MemTotal"]) * 1024
    text, limit = f"{_in_gb(free)} of {_in_gb(total)} are free", _text(groups / "memory.max").strip()
    if limit.isdigit() and int(limit) < total:
        used = _text(groups / "memory.current").strip()
        free = min(free, int(limit) - int(used or 0))
        text += f", limited to {_in_gb(int(limit))} by its control group"
    advice = "TensorFlow alone takes about 500 MB: end other programs" if free < LITTLE_MEMORY_BYTES else ""
    return found("memory", "ok", text, advice)


def disk(folder: Path | None = None) -> Finding:
    """The room where recordings go when no other folder is named, and whether files can be made there."""
    here = Path.cwd() if folder is None else folder
    return _room("disk here", here, "go to a folder of yours, or give OUT in one")


def cache() -> Finding:
    """Whether models can be kept, and how much of them is."""
    kept = Cache()
    place = next(folder for folder in (kept.root, *kept.root.parents) if folder.exists())
    finding = _room("cache", place, f"{VARIABLE} names another folder")
    if finding.verdict != "ok":
        return finding
    size_bytes = sum(path.lstat().st_size for path in kept.root.rglob("*") if path.is_file())
    models = len(kept.keys())
    return found("cache", "ok", f"{kept.root}: {models} model{'' if models == 1 else 's'}, {size_bytes / 1e6:.1f} MB")


def _room(name: str, folder: Path, advice: str) -> Finding:
    try:
        free_bytes = shutil.disk_usage(folder).free
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return found(name, "broken", f"{folder}: nothing can be written: {error.strerror}", advice)
    if free_bytes < LITTLE_ROOM_BYTES:
        return found(name, "broken", f"{folder}: only {_in_gb(free_bytes)} are free", f"make room, or {advice}")
    return found(name, "ok", f"{folder}: {_in_gb(free_bytes)} are free")


def cameras(devices: Path = Path("/dev"), known: Path = Path("/sys/class/video4linux")) -> Finding:
    """The video devices of Linux, and whether this user may open them."""
    if not sys.platform.startswith("linux"):
        return found("cameras", "ok", "this system says so only when one is opened: streamer 0")
    nodes = sorted(devices.glob("video[0-9]*"), key=lambda node: (len(node.name), node.name))
    if not nodes:
        return found(
            "cameras", "missing", f"there is no {devices}/video*", "plug one in; test: is a source without one"
        )
    titles = ", ".join(f"{node} ({_text(known / node.name / 'name').strip() or 'no name'})" for node in nodes)
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        advice = "usermod -aG video $USER, and log in again"
        return found("cameras", "broken", f"{', '.join(map(str, closed))}: permission denied", advice)
    return found("cameras", "ok", titles)


def gpu(devices: Path = Path("/dev")) -> Finding:
    """The GPUs of Linux that a library may reach."""
    nodes = [*devices.glob("nvidia[0-9]*"), *devices.glob("dri/renderD*"), *devices.glob("kfd")]
    if not nodes:
        return found("GPU", "missing", "none is seen here; models and encoders run on the processor")
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        advice = "usermod -aG render,video $USER, and log in again"
        return found("GPU", "broken", f"{', '.join(map(str, closed))}: permission denied", advice)
    return found("GPU", "ok", ", ".join(map(str, sorted(nodes))))


def fonts(program: str = "fc-list") -> Finding:
    """The fonts that the window's own texts are drawn with; what streamer draws needs none."""
    if not sys.platform.startswith("linux"):
        return found("fonts", "ok", "the system's own")
    advice = "apt install fontconfig fonts-dejavu-core"
    try:
        done = subprocess.run(
            [program, ":", "family"], capture_output=True, timeout=_FONTS_LIMIT_S, check=False, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return found("fonts", "missing", f"there is no {program}: Qt may complain of fonts", advice)
    except (OSError, subprocess.TimeoutExpired) as error:
        return found("fonts", "broken", error, advice)
    families = len(set(done.stdout.splitlines()))
    return found("fonts", "ok" if families else "missing", f"{families} families", "" if families else advice)


def _in_gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
