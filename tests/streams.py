"""Cameras on this machine's network: ffmpeg as their server, motion JPEG from a web server, and a proxy with faults."""

import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, cast

import cv2
import pytest

from tests.clips import MAX_FRAMES, numbered_image

START_S = 10.0
"""How long a server may take to listen."""

PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "12"]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody listens at now."""
    with socket.socket(socket.AF_INET, kind) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def needs_ffmpeg() -> None:
    """Skip the test where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")


@contextmanager
def ffmpeg(*arguments: str, realtime: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ffmpeg with a test picture as its input, until the block ends."""
    needs_ffmpeg()
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", *(["-re"] if realtime else []), *PICTURE, *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_listening(port: int) -> None:
    """Wait until something listens at a TCP port, without connecting: ffmpeg serves one client."""
    wanted = f":{port:04X} "
    sockets = Path("/proc/net/tcp")
    wait_for(lambda: any(wanted in line and " 0A " in line for line in sockets.read_text().splitlines()))


def wait_for(condition: Callable[[], bool], *, timeout_s: float = START_S) -> None:
    """Wait for something that is outside of this process, or on another thread."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@contextmanager
def ts_server(port: int | None = None, *, seconds: float | None = None) -> Iterator[str]:
    """MPEG-TS over TCP for one client; the address."""
    port = port or free_port()
    limit = [] if seconds is None else ["-t", str(seconds)]
    with ffmpeg(*H264, *limit, "-f", "mpegts", f"tcp://127.0.0.1:{port}?listen=1"):
        wait_listening(port)
        yield f"tcp://127.0.0.1:{port}"


class _Camera(BaseHTTPRequestHandler):
    """Motion JPEG, as cheap cameras give it: each frame's number in its pixels, for as many clients as come."""

    def do_GET(self) -> None:
        server = cast("_CameraServer", self.server)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with suppress(OSError):
            for number in range(server.frames):
                if server.closing.wait(1 / server.fps):
                    break
                _, data = cv2.imencode(".jpg", numbered_image(number % MAX_FRAMES))
                jpeg = data.tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        del format, args


class _CameraServer(ThreadingHTTPServer):
    daemon_threads = False
    frames: int
    fps: float
    closing: threading.Event


@contextmanager
def mjpeg_server(port: int = 0, *, frames: int = 10**9, fps: float = 25.0) -> Iterator[str]:
    """Motion JPEG over HTTP, that ends after `frames`; the address."""
    server = _CameraServer(("127.0.0.1", port), _Camera)
    server.frames, server.fps, server.closing = frames, fps, threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/video"
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


Fault = Literal["", "swallow", "trickle", "reset", "corrupt", "lose", "silent"]

TS_PACKET_BYTES = 188


class Proxy:
    """Between a client and a server at `port`: passes bytes on, or does to them what `fault` says, at any moment.

    swallow: both sides think that they are connected. silent: not even the server is asked. trickle: a byte each tenth
    of a second. reset: breaks off with RST. corrupt: one byte of `every` bytes is turned over. lose: so many bytes are
    a packet of MPEG-TS that is left out, at random but the same each time.
    """

    def __init__(self, port: int, *, every: int = 2000) -> None:
        self.fault: Fault = ""
        self.connections = 0
        self._target = port
        self._every = every
        self._chance = random.Random(every)
        self._losing = False
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._closing.set()
        for thread in list(self._threads):
            thread.join()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if self.fault == "silent":
                self._closing.wait()
                return
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
                back = threading.Thread(target=self._pass, args=(client, server))
                back.start()
                self._pass(server, client)
                client.shutdown(socket.SHUT_RDWR)
                back.join()

    def _pass(self, taken: socket.socket, given: socket.socket) -> None:
        taken.settimeout(0.05)
        passed = 0
        with suppress(OSError):
            while not self._closing.is_set():
                if self.fault == "reset":
                    given.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    given.close()
                    return
                try:
                    data = taken.recv(1 if self.fault == "trickle" else 4096)
                except TimeoutError:
                    continue
                if not data:
                    return
                if self.fault == "swallow":
                    continue
                if self.fault == "trickle":
                    self._closing.wait(0.1)
                whole = len(data)
                if self.fault == "corrupt":
                    data = self._corrupted(data, passed)
                elif self.fault == "lose":
                    data = self._holed(data, passed)
                passed += whole
                given.sendall(data)

    def _corrupted(self, data: bytes, passed: int) -> bytes:
        broken = bytearray(data)
        for at in range(-passed % self._every, len(broken), self._every):
            broken[at] ^= 0xFF
        return bytes(broken)

    def _holed(self, data: bytes, passed: int) -> bytes:
        """Without the packets that are lost; which ones is decided where they begin."""
        kept = bytearray()
        for at, byte in enumerate(data, passed):
            if at % TS_PACKET_BYTES == 0:
                self._losing = self._chance.random() < TS_PACKET_BYTES / self._every
            if not self._losing:
                kept.append(byte)
        return bytes(kept)


@contextmanager
def proxy(port: int, *, every: int = 2000) -> Iterator[Proxy]:
    """A proxy until the block ends."""
    between = Proxy(port, every=every)
    try:
        yield between
    finally:
        between.close()


@contextmanager
def rtsp_server(port: int | None = None, *, login: tuple[str, str] | tuple[()] = ()) -> Iterator[str]:
    """GStreamer's RTSP server in a process of its own; the address. Skips the test where it is not installed.

    login: the user and the password that it asks for.
    """
    child = Path(__file__).with_name("rtsp_child.py")
    with _rtsp_child(child, port or free_port(), *login) as address:
        yield address


@contextmanager
def rtsp_server_of(clip: Path) -> Iterator[str]:
    """The same with H.264 and G.711 of a Matroska file of H.264 and PCM, from its beginning for each client."""
    with _rtsp_child(Path(__file__).with_name("rtsp_sound_child.py"), free_port(), str(clip)) as address:
        yield address


@contextmanager
def _rtsp_child(child: Path, port: int, *arguments: str) -> Iterator[str]:
    python = "/usr/bin/python3"
    wanted = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if not Path(python).exists() or subprocess.run([python, "-c", wanted], check=False, capture_output=True).returncode:
        pytest.skip("needs gir1.2-gst-rtsp-server-1.0 and python3-gi")
    with subprocess.Popen(
        [python, str(child), str(port), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        try:
            wait_listening(port)
            yield f"rtsp://127.0.0.1:{port}/live"
        finally:
            run.kill()
