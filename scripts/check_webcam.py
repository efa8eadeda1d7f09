#!/usr/bin/env python3
"""Checks what only a camera can show: the list, a run at 640x480, a mode that is refused, controls, unplug and return.

python scripts/check_webcam.py [--camera INDEX|PATH|NAME] [--with-model] [--vm PROGRAM]

It takes a camera of this machine. Where there is none, it boots one that has real V4L2 drivers in an emulator, which
takes minutes, if PROGRAM is there: `webcam-vm`, looked for in $WEBCAM_VM and beside the project. Where neither is
there, it says so and ends well. A line for each check; it ends with 1 if one failed.
"""

import argparse
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from streamer.errors import SourceError, SourceLost, SourceOpenError
from streamer.sources.camera import CameraSource
from streamer.sources.devices import Device, find_device, list_devices
from streamer.sources.options import SourceOptions

ROOT = Path(__file__).resolve().parents[1]

BESIDE = ROOT.parent / "shared" / "tools" / "webcam-vm" / "webcam-vm"

VM_LIMIT_S = 840

UNPLUG_LIMIT_S = 3.0

RETURN_LIMIT_S = 2.0

FREEZE_LIMIT_S = 3.0
"""V4L2's own limit is 2 s, which streamer asks for before OpenCV is loaded."""


class Failed(Exception):
    """What was seen is not what should be."""


class Skipped(Exception):
    """It cannot be tried here."""


Check = Callable[[Device], str]
"""Tries one thing and says what it saw. Raises Failed or Skipped."""


def devices_are_listed(camera: Device) -> str:
    """Its driver and modes are told, and are those that v4l2-ctl tells, where there is one."""
    if not camera.modes:
        raise Failed(f"{camera.title} has no modes: {camera.problem or 'no reason is told'}")
    told = {(mode.fourcc, mode.size) for mode in camera.modes}
    summary = f"{camera.title}, driver {camera.driver}, {len(camera.modes)} modes, {camera.modes[0].size} the largest"
    if shutil.which("v4l2-ctl") is None:
        return f"{summary}; there is no v4l2-ctl to compare with"
    text = subprocess.run(
        ["v4l2-ctl", "-d", camera.path, "--list-formats-ext"], capture_output=True, text=True, check=True
    ).stdout
    others, fourcc = set(), ""
    for line in text.splitlines():
        if "'" in line:
            fourcc = line.split("'")[1].strip() + ("-BE" if "-BE" in line else "")
        elif "Size: Discrete" in line:
            others.add((fourcc.replace("-BE-BE", "-BE").replace(" -BE", "-BE"), line.split()[-1]))
    if others and others != told:
        raise Failed(f"{summary}; v4l2-ctl differs in {sorted(others ^ told)[:4]}")
    return f"{summary}; v4l2-ctl tells the same {len(others)}"


def it_runs_at_640x480(camera: Device) -> str:
    """Thirty frames, in order, of that size."""
    with closing(_opened(camera, SourceOptions(width=640, height=480))) as source:
        frames = list(islice(source.frames(), 30))
    if {frame.size_px for frame in frames} != {(640, 480)} or source.produced != 30:
        raise Failed(f"{source.produced} frames of {sorted({frame.size_px for frame in frames})}")
    seconds = (frames[-1].captured_ns - frames[0].captured_ns) / 1e9
    return f"30 frames of 640x480 in {seconds:.1f} s, {29 / seconds:.1f} fps"


def another_mode_is_warned_of_once(camera: Device) -> str:
    """Of a size that it has not, one warning, with what there is; the real size is used."""
    with _logged() as lines, closing(_opened(camera, SourceOptions(width=1234, height=567))) as source:
        frame = next(source.frames())
    if len(lines) != 1 or "it has" not in lines[0] or frame.size_px != source.info.size_px:
        raise Failed(f"{len(lines)} warnings: {lines}")
    return f"{frame.size_px[0]}x{frame.size_px[1]} instead; said: {lines[0]}"


def controls_are_read_back(camera: Device) -> str:
    """A brightness that is taken, and one that is not."""
    with _logged() as taken:
        _opened(camera, SourceOptions(camera_control=("brightness=100",))).close()
    if taken:
        raise Skipped(f"no brightness here: {taken[0]}")
    with _logged() as refused:
        _opened(camera, SourceOptions(camera_control=("brightness=100000",))).close()
    if len(refused) != 1:
        raise Failed(f"100000 was taken: {refused}")
    return refused[0]


def unplugged_it_is_lost_and_comes_back(camera: Device) -> str:
    """Lost in time, refused while it is away, there again in time."""
    with closing(_opened(camera, SourceOptions(width=640, height=480))) as source:
        lost_s = _lost_after(source, "unplug", limit_s=UNPLUG_LIMIT_S)
    try:
        _opened(camera, SourceOptions()).close()
    except SourceOpenError as error:
        said = str(error)
    else:
        raise Failed("it could be opened while it was unplugged")
    _disturb("plug")
    back_s = _frame_again_after(camera)
    if back_s > RETURN_LIMIT_S:
        raise Failed(f"its first frame came {back_s:.1f} s after it had returned")
    return f"lost after {lost_s:.2f} s; meanwhile: {said}; a frame {back_s:.2f} s after it was plugged in"


def frozen_it_is_lost(camera: Device) -> str:
    """No frames arrive: V4L2's own limit ends the wait."""
    with closing(_opened(camera, SourceOptions(width=640, height=480))) as source:
        try:
            lost_s = _lost_after(source, "freeze", limit_s=FREEZE_LIMIT_S)
        finally:
            _disturb("thaw")
    return f"lost after {lost_s:.2f} s; a frame {_frame_again_after(camera):.2f} s after it thawed"


def the_program_runs(camera: Device) -> str:
    """`streamer cam:NAME OUT`, with the model inside, as it was saved: what is fastest in an emulator says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mp4"
        asked = ["--no-show", "--duration", "2", "--width", "640", "--height", "480", "--runtime", "saved"]
        command = [sys.executable, "-m", "streamer", f"cam:{camera.name}", str(out), *asked]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        last = (done.stderr.splitlines() or [""])[-1]
        if done.returncode or not out.exists():
            raise Failed(f"exit code {done.returncode}: {last}")
        return f"{out.stat().st_size} bytes; {last}"


CHECKS: tuple[Check, ...] = (
    devices_are_listed,
    it_runs_at_640x480,
    another_mode_is_warned_of_once,
    controls_are_read_back,
    unplugged_it_is_lost_and_comes_back,
    frozen_it_is_lost,
)


def main() -> int:
    """Check here or in the emulator; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--camera", default=None, help="its index, path, or a part of its name; the first if left out")
    parser.add_argument("--with-model", action="store_true", help="run the whole program too; minutes in the emulator")
    parser.add_argument("--vm", type=Path, default=Path(os.environ.get("WEBCAM_VM", BESIDE)), help="webcam-vm")
    asked = parser.parse_args()
    cameras = list_devices()
    if cameras:
        camera = cameras[0] if asked.camera is None else find_device(asked.camera, cameras)
        return checked(camera, (*CHECKS, the_program_runs) if asked.with_model else CHECKS)
    if reason := _why_no_vm(asked.vm):
        print(f"skipped: there is no camera here, and {reason}")
        return 0
    return _in_vm(asked.vm, ["--with-model"] if asked.with_model else [])


def checked(camera: Device, checks: Sequence[Check]) -> int:
    """Each of `checks` on `camera`, a line each; 1 if one failed."""
    code = 0
    for check in checks:
        try:
            verdict, said = "ok", check(camera)
        except Skipped as reason:
            verdict, said = "skipped", str(reason)
        except (Failed, SourceError, subprocess.SubprocessError) as error:
            verdict, said, code = "FAILED", str(error), 1
        print(f"{verdict:<8} {check.__name__.replace('_', ' ')}: {said}", flush=True)
    return code


def _opened(camera: Device, options: SourceOptions) -> CameraSource:
    return CameraSource(camera.index, name=camera.name, options=options)


def _disturb(how: str) -> None:
    if shutil.which("camera") is None:
        raise Skipped("only the emulator has a camera that can be unplugged by a program")
    subprocess.run(["camera", how], check=True, timeout=30)


def _lost_after(source: CameraSource, how: str, *, limit_s: float) -> float:
    """Seconds from the disturbance to SourceLost; the frames that were on their way come first."""
    reading = source.frames()
    next(reading)
    _disturb(how)
    begun_s = time.monotonic()
    try:
        while time.monotonic() - begun_s < 10 * limit_s:
            next(reading)
    except SourceLost:
        lost_s = time.monotonic() - begun_s
        if lost_s > limit_s:
            raise Failed(f"lost only after {lost_s:.1f} s") from None
        return lost_s
    raise Failed(f"not lost in {10 * limit_s:g} s")


def _frame_again_after(camera: Device) -> float:
    """Seconds until it gives a frame; opened again and again, as who waits for it would."""
    begun_s = time.monotonic()
    while True:
        try:
            with closing(_opened(camera, SourceOptions(width=640, height=480))) as source:
                next(source.frames())
                return time.monotonic() - begun_s
        except SourceError:
            if time.monotonic() - begun_s > 10 * RETURN_LIMIT_S:
                raise
            time.sleep(0.1)


@contextmanager
def _logged() -> Iterator[list[str]]:
    """The warnings of streamer, as they come."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, room = Kept(logging.WARNING), logging.getLogger("streamer")
    room.addHandler(handler)
    try:
        yield lines
    finally:
        room.removeHandler(handler)


def _why_no_vm(program: Path) -> str:
    if not program.is_file():
        return f"no webcam-vm at {program}"
    if shutil.which("qemu-system-x86_64") is None:
        return "webcam-vm needs qemu-system-x86_64"
    return ""


def _in_vm(program: Path, arguments: Sequence[str]) -> int:
    """The same again, in the emulator."""
    print("there is no camera here: booting one in the emulator, which takes minutes", flush=True)
    subprocess.run([program, "build"], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as out:
        started = [str(program), "run", "--out", out, "--timeout", str(VM_LIMIT_S), "--"]
        inside = ["env", f"PYTHONPATH={ROOT}", sys.executable, str(Path(__file__).resolve()), *arguments]
        return subprocess.run([*started, *inside], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
