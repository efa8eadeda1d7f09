"""The machine that figures were measured on, in words that name nobody's."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

PACKAGES = ("opencv-python", "av", "tensorflow")


def described() -> str:
    """Such as `Linux x86_64, 2 CPUs (Intel Xeon), 8 GB, Python 3.11.7, opencv-python 5.0, av 18.1, tensorflow 2.21`."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    parts = [f"{platform.system()} {platform.machine()}", f"{cpus} CPUs{_model()}", *_memory()]
    return ", ".join([*parts, f"Python {platform.python_version()}", *versions])


def load() -> float:
    """How many processes wanted to run at once, on the average of the last five minutes."""
    return round(os.getloadavg()[1], 1) if hasattr(os, "getloadavg") else 0.0


def at_load(loads: Sequence[float]) -> str:
    """Such as `at a load of 1 to 3`: how quiet it was at the end of each run."""
    low, high = (f"{value:.0f}" for value in (min(loads), max(loads)))
    return f"at a load of {low if low == high else f'{low} to {high}'}"


def _model() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return f" ({' '.join(line.partition(':')[2].split())})"
    return ""


def _memory() -> list[str]:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return [f"{int(line.split()[1]) / 2**20:.0f} GB"]
    return []


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
