"""FFmpeg decodes in hardware without a GPU: fake_nvdec.c is built, and is a process's driver while it reads."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from streamer.pyav import av, hwdevices_available

ROOT = Path(__file__).resolve().parents[1]

LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Read:
    """What came of a source. images: a digest of each picture. error: its text, empty where there was none."""

    decoder: str
    images: list[str]
    times_s: list[float]
    error: str
    exit_code: int
    log: str


def built(folder: Path) -> Path:
    """The folder with the library; the test is skipped where it cannot be built or used."""
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None or "cuda" not in hwdevices_available():
        pytest.skip("needs Linux, a C compiler, and a PyAV that knows CUDA")
    command = [compiler, "-shared", "-fPIC", "-w", "-o", str(folder / "libcuda.so.1")]
    subprocess.run([*command, str(Path(__file__).with_name("fake_nvdec.c"))], check=True, timeout=LIMIT_S)
    (folder / "libnvcuvid.so.1").symlink_to("libcuda.so.1")
    return folder


def write_pictures(clip: Path, path: Path) -> Path:
    """What the decoder of `clip` is to give, as hardware gives it, at `path`."""
    with av.open(str(clip)) as container, path.open("wb") as file:
        for frame in container.decode(video=0):
            kind = "p010le" if frame.format.components[0].bits > 8 else "nv12"
            for plane in frame.reformat(format=kind).planes:
                row_bytes = frame.width * (2 if kind == "p010le" else 1)
                data = memoryview(plane)
                for row in range(plane.height):
                    file.write(data[row * plane.line_size :][:row_bytes])
    return path


def read(
    uri: str,
    hwaccel: str,
    *,
    driver: Path | None,
    pictures: Path | None = None,
    faults: dict[str, str] | None = None,
    piped: Path | None = None,
) -> Read:
    """Read `uri` to its end. driver: where the library is; None reads without one. faults: see fake_nvdec.c.

    piped: what comes on standard input.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(faults or {})}
    if driver is not None:
        environment["LD_LIBRARY_PATH"] = str(driver)
    if pictures is not None:
        environment["FAKE_NVDEC_PICTURES"] = str(pictures)
    command = [sys.executable, "-m", "tests.nvdec_child", uri, hwaccel]
    done = subprocess.run(
        command,
        env=environment,
        cwd=ROOT,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
        input=b"" if piped is None else piped.read_bytes(),
    )
    assert done.returncode == 0, done.stderr
    told = cast("dict[str, object]", json.loads(done.stdout))
    return Read(log=done.stderr.decode(), **told)  # type: ignore[arg-type]
