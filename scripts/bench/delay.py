#!/usr/bin/env python3
"""Does what a window shows of a stream grow old? A clock in the picture, read from the screen.

    python scripts/bench/delay.py [--minutes 30] [--over tcp|http|rtsp] [--fps 60] [--size 640x480] [--model M]
                                  [--json FILE] [-- ARGUMENT...]

A camera writes the monotonic clock into each picture, as black and white squares, when it makes it, and sends it with
`--fps`: H.264 in MPEG-TS over TCP or motion JPEG over HTTP by ffmpeg, or motion JPEG over RTSP by GStreamer. `streamer
run --show` watches it on a virtual display (Xvfb), as a process of its own. Twice a second the screen is taken, the
squares are read, and compared with the clock: that is the delay from the camera's eye to the person's, with encoder,
network, decoder, drawing and window. The slope is that of least squares, with its interval at 95 % by Student's t over
the medians of the minutes. The table says how old the boxes are, and the summary how many pictures the model took.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from slopes import slope

BITS = 40
"""Milliseconds in 32 bits, and their sum in 8: a picture that was torn is not believed."""

CELL_PX = 24
LEFT_PX = 40
PER_ROW = 20
EVERY_S = 0.5
START_S = 60.0
LEVELS = (24, 232)


@dataclass(slots=True)
class Seen:
    """delays_ms: (seconds since the beginning, milliseconds). unread: screens on which there was no clock to read."""

    delays_ms: list[tuple[float, float]] = field(default_factory=list)
    unread: int = 0


@dataclass(slots=True)
class Ages:
    """How old the boxes of the table's lines are."""

    ages_ms: list[float] = field(default_factory=list)

    def read(self, stdout: IO[str]) -> None:
        """Read to the end."""
        for line in stdout:
            age_ms = json.loads(line)["age_ms"]
            if age_ms is not None:
                self.ages_ms.append(age_ms)


def check(now_ms: int) -> int:
    """Eight bits that neither a black nor a white picture has by chance."""
    return sum(now_ms.to_bytes(4, "big")) & 0xFF ^ 0xA5


def burnt(ground: NDArray[np.uint8], now_ms: int) -> NDArray[np.uint8]:
    """`ground`, (H, W) uint8, with the clock in its lower part."""
    image = ground.copy()
    now_ms &= 0xFFFFFFFF
    word = now_ms << 8 | check(now_ms)
    top_px = image.shape[0] - 3 * CELL_PX
    for bit in range(BITS):
        x = LEFT_PX + bit % PER_ROW * CELL_PX
        y = top_px + bit // PER_ROW * CELL_PX
        image[y : y + CELL_PX, x : x + CELL_PX] = LEVELS[word >> bit & 1]
    return image


def read_clock(gray: NDArray[np.uint8]) -> int | None:
    """The milliseconds in a picture, (H, W) uint8 of its size when it was sent; None where they do not add up."""
    top_px = gray.shape[0] - 3 * CELL_PX
    word = 0
    for bit in range(BITS):
        x = LEFT_PX + bit % PER_ROW * CELL_PX
        y = top_px + bit // PER_ROW * CELL_PX
        middle = gray[y + 8 : y + CELL_PX - 8, x + 8 : x + CELL_PX - 8]
        word |= int(middle.mean() > 128) << bit
    now_ms = word >> 8
    return now_ms if check(now_ms) == word & 0xFF else None


def write_pictures(out: IO[bytes], *, size_px: tuple[int, int], fps: float) -> None:
    """Gray pictures with a clock and something that moves, at their time, until nobody reads."""
    width, height = size_px
    slope_of_grey = np.tile(np.linspace(70, 180, width).astype(np.uint8), (height, 1))
    began_s = time.monotonic()
    for number in range(sys.maxsize):
        time.sleep(max(0.0, began_s + number / fps - time.monotonic()))
        if time.monotonic() > began_s + (number + 1) / fps:
            continue  # a camera that is late leaves one out
        ground = slope_of_grey.copy()
        x = number * 4 % (width - 40)
        ground[60:100, x : x + 40] = 255
        try:
            out.write(burnt(ground, round(time.monotonic() * 1000)).data)
            out.flush()
        except OSError:
            return


RTSP_CAMERA = """
import sys, threading, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
port, width, height, fps = sys.argv[1:]
size = int(width) * int(height)
sources = []

def configured(_factory, media):
    source = media.get_element().get_by_name_recurse_up("clock")
    source.set_property("is-live", True); source.set_property("do-timestamp", True)
    source.set_property("format", 3); source.set_property("max-bytes", size); source.set_property("leaky-type", 2)
    sources[:] = [source]

def feed():
    while len(data := sys.stdin.buffer.read(size)) == size:
        for source in sources:
            source.emit("push-buffer", Gst.Buffer.new_wrapped(data))
    loop.quit()

server = GstRtspServer.RTSPServer.new()
server.set_address("127.0.0.1"); server.set_service(port)
factory = GstRtspServer.RTSPMediaFactory.new()
factory.set_launch(f"( appsrc name=clock caps=video/x-raw,format=GRAY8,width={width},height={height},framerate={fps}/1"
    " ! videoconvert ! video/x-raw,format=I420 ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
factory.set_shared(True)
factory.connect("media-configure", configured)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
loop = GLib.MainLoop()
threading.Thread(target=feed, daemon=True).start()
loop.run()
"""


@contextmanager
def camera(options: argparse.Namespace) -> Iterator[str]:
    """A camera with a clock in its picture; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    width, height = size_of(options)
    ffmpeg = ["ffmpeg", "-nostdin", "-loglevel", "error", "-fflags", "nobuffer", "-f", "rawvideo", "-pix_fmt", "gray"]
    ffmpeg += ["-video_size", f"{width}x{height}", "-framerate", str(options.fps), "-i", "-", "-pix_fmt", "yuv420p"]
    h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(options.fps)]
    served = {
        "tcp": (f"tcp://127.0.0.1:{port}", [*ffmpeg, *h264, "-f", "mpegts", f"tcp://127.0.0.1:{port}?listen=1"]),
        "http": (
            f"http://127.0.0.1:{port}/video",
            [*ffmpeg, "-c:v", "mjpeg", "-q:v", "4", "-f", "mpjpeg", "-listen", "1", f"http://127.0.0.1:{port}/video"],
        ),
        "rtsp": (
            f"rtsp://127.0.0.1:{port}/live",
            ["/usr/bin/python3", "-c", RTSP_CAMERA, *map(str, (port, width, height, options.fps))],
        ),
    }
    uri, command = served[options.over]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        filming = threading.Thread(
            target=write_pictures, args=(process.stdin,), kwargs={"size_px": (width, height), "fps": options.fps}
        )
        filming.start()
        try:
            yield uri
        finally:
            process.kill()
            filming.join()


@contextmanager
def display() -> Iterator[str]:
    """A virtual screen; its name."""
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1920x1080x24", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        try:
            with os.fdopen(reading) as announced:
                yield f":{announced.readline().strip()}"
        finally:
            server.terminate()


@contextmanager
def watching(uri: str, screen: str, folder: Path, options: argparse.Namespace) -> Iterator[subprocess.Popen[str]]:
    """`streamer run --show` until the block ends."""
    command = [sys.executable, "-m", "streamer", "run", uri, "--show", "--jsonl", "-", "--log-json"]
    command += ["--summary", str(folder / "summary.json"), *(["--model", options.model] if options.model else [])]
    command += options.arguments
    with (folder / "log.jsonl").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | {"DISPLAY": screen}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def xdotool(screen: str, *arguments: str) -> str:
    """What the program answers."""
    return subprocess.run(
        ["xdotool", *arguments], env=os.environ | {"DISPLAY": screen}, capture_output=True, text=True, check=False
    ).stdout


def find_window(screen: str) -> str:
    """The window's number."""
    deadline_s = time.monotonic() + START_S
    while not (found := xdotool(screen, "search", "--onlyvisible", "--name", "^streamer ").split()):
        if time.monotonic() > deadline_s:
            sys.exit("no window came")
        time.sleep(0.2)
    # OpenCV's Qt leaves one window in six black where no window manager runs, until it is put back.
    xdotool(screen, "windowunmap", "--sync", found[0], "windowmap", "--sync", found[0])
    return found[0]


def place_of(screen: str, window: str) -> dict[str, int]:
    """Where the window is now: it takes its size with the first picture."""
    lines = xdotool(screen, "getwindowgeometry", "--shell", window).split()
    place = {key: int(value) for key, value in (line.split("=") for line in lines)}
    return {"left": place["X"], "top": place["Y"], "width": place["WIDTH"], "height": place["HEIGHT"]}


def watch_screen(screen: str, window: str, process: subprocess.Popen[str], options: argparse.Namespace) -> Seen:
    """Take the screen and read the clock, to the end."""
    import cv2  # noqa: PLC0415 - where there is a display
    import mss  # noqa: PLC0415

    seen = Seen()
    began_s = time.monotonic()
    with mss.MSS(display=screen) as eye:
        while (at_s := time.monotonic() - began_s) < options.minutes * 60 and process.poll() is None:
            place = place_of(screen, window)
            taken_ms = time.monotonic() * 1000
            shot = np.asarray(eye.grab(place))
            gray = np.asarray(cv2.cvtColor(shot, cv2.COLOR_BGRA2GRAY), np.uint8)
            if gray.shape[::-1] != size_of(options):
                gray = np.asarray(cv2.resize(gray, size_of(options), interpolation=cv2.INTER_AREA), np.uint8)
            clock_ms = read_clock(gray)
            if clock_ms is None:
                seen.unread += 1
            else:
                seen.delays_ms.append((at_s, taken_ms - clock_ms))
            time.sleep(EVERY_S)
    return seen


def spread(values: Sequence[float]) -> dict[str, float]:
    """Half of them, 95 of 100, and all, are at most so much."""
    return {
        name: round(float(np.percentile(values, part)), 1) for name, part in (("p50", 50), ("p95", 95), ("max", 100))
    }


def judged(seen: Seen, ages: Ages, summary: dict[str, Any], options: argparse.Namespace) -> dict[str, object]:
    """The figures."""
    minutes: dict[int, list[float]] = {}
    for at_s, delay_ms in seen.delays_ms:
        minutes.setdefault(int(at_s // 60), []).append(delay_ms)
    medians = [statistics.median(delays) for _, delays in sorted(minutes.items())]
    per_h = slope([60.0 * minute for minute in sorted(minutes)], medians)
    delays = [delay_ms for _, delay_ms in seen.delays_ms]
    return {
        "over": options.over,
        "fps": options.fps,
        "minutes": round(seen.delays_ms[-1][0] / 60, 1),
        "screens": len(delays),
        "unread": seen.unread,
        "delay_ms": spread(delays),
        "first_minute_ms": round(medians[0], 1),
        "last_minute_ms": round(medians[-1], 1),
        "slope_ms_per_h": asdict(per_h),
        "box_age_ms": spread(ages.ages_ms),
        "detect_ms": summary["report"]["detect_ms"],
        "elapsed_s": summary["report"]["elapsed_s"],
        "ledger": summary["ledger"],
    }


def size_of(options: argparse.Namespace) -> tuple[int, int]:
    """(width, height) of the camera."""
    width, _, height = options.size.partition("x")
    return int(width), int(height)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """One run, from the camera to the figures."""
    ages = Ages()
    with ExitStack() as stack:
        screen = stack.enter_context(display())
        uri = stack.enter_context(camera(options))
        process = stack.enter_context(watching(uri, screen, folder, options))
        assert process.stdout is not None
        reader = threading.Thread(target=ages.read, args=(process.stdout,))
        reader.start()
        seen = watch_screen(screen, find_window(screen), process, options)
        process.send_signal(signal.SIGINT)
        process.wait(START_S)
        reader.join(START_S)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return judged(seen, ages, summary, options)


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--over", choices=("tcp", "http", "rtsp"), default="tcp")
    parser.add_argument("--fps", type=int, default=60)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    for program in ("Xvfb", "xdotool", "ffmpeg"):
        if shutil.which(program) is None:
            sys.exit(f"needs {program}")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options, Path(folder))
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json is not None:
        options.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
