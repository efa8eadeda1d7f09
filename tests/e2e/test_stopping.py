"""Ctrl-C in every state of a source: the process is gone within six seconds, and nothing of it is left."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests import loopback
from tests.sources.test_network import hls
from tests.streams import (
    H264,
    ffmpeg,
    free_port,
    mjpeg_server,
    proxy,
    rtsp_server,
    ts_server,
    wait_for,
    wait_listening,
)

LINE_S = 6.0
NOISE = 3.0
"""The machine is shared: times are printed, and held to so many times their line."""


class Run:
    """`streamer SOURCE --jsonl` in a process of its own, with a detector that is there."""

    def __init__(
        self, folder: Path, source: str, *more: str, before: tuple[str, ...] = (), stdin: int = subprocess.DEVNULL
    ) -> None:
        self.lines, self.errors, self.summary = folder / "a.jsonl", folder / "stderr.txt", folder / "a.json"
        command = [*before, sys.executable, "-m", "tests.e2e.child", "run", source, "--no-show", "-v", *more]
        command += ["--jsonl", str(self.lines), "--summary", str(self.summary), "--force"]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=errors)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def wait_said(self, pattern: str) -> None:
        def said() -> bool:
            return re.search(pattern, self.errors.read_text()) is not None

        wait_for(lambda: said() or self.process.poll() is not None, timeout_s=40)
        assert self.process.poll() is None, self.errors.read_text()

    def wait_frames(self, count: int) -> None:
        wait_for(lambda: self.lines.exists() and self.lines.read_bytes().count(b"\n") >= count, timeout_s=40)

    def stop(self, what: str, *, number: int = signal.SIGINT) -> float:
        """Press Ctrl-C; seconds until it is gone."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(30)
        took_s = time.monotonic() - began
        print(f"stop: {what}: {took_s:.2f} s ({LINE_S:g} s)")
        assert code == 128 + number, self.errors.read_text()
        assert took_s < LINE_S * NOISE
        return took_s


@contextmanager
def silent_server() -> Iterator[tuple[int, Callable[[], bool]]]:
    """A server that accepts and never answers: its port, and whether somebody has connected."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server.settimeout(0)
        came: list[socket.socket] = []

        def asked() -> bool:
            with suppress(BlockingIOError):
                came.append(stack.enter_context(server.accept()[0]))
            return bool(came)

        yield server.getsockname()[1], asked


@pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "tcp"])
@pytest.mark.parametrize("more", [(), ("--reconnect",)])
def test_the_first_connection_to_a_server_that_never_answers(
    scheme: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    """Over TLS it is the handshake that hangs."""
    with silent_server() as (port, asked):
        uri = f"{scheme}://127.0.0.1:{port}/live/a"
        with Run(tmp_path, uri, "--open-timeout", "60", *more) as run:
            wait_for(asked, timeout_s=40)
            run.stop(f"first connection, {scheme} {' '.join(more)}")


@pytest.mark.parametrize("uri", ["udp://@:{port}", "srt://:{port}?mode=listener"])
def test_the_first_connection_where_nobody_sends(uri: str, tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    wanted = f":{port:04X} "
    tables = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
    with Run(tmp_path, uri.format(port=port), "--open-timeout", "60") as run:

        def bound() -> bool:
            return any(wanted in table.read_text() for table in tables)

        wait_for(lambda: bound() or run.process.poll() is not None, timeout_s=40)
        if run.process.poll() is not None:
            pytest.skip("needs an ffmpeg with SRT")
        run.stop(uri.partition(":")[0])
    wait_for(lambda: not bound())


class NameServer(threading.Thread):
    """Answers so many questions of `camera.test` with 127.0.0.1, and then nothing any more."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.asked = 0
        self._answers = answers
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))

    def run(self) -> None:
        while True:
            query, client = self._socket.recvfrom(512)
            if not query:
                self._socket.close()
                return
            self.asked += 1
            if self.asked <= self._answers:
                end = query.index(b"\0", 12) + 5
                is_a = query[end - 4 : end - 2] == b"\0\1"
                found = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x7f\0\0\1" if is_a else b""
                head = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0"
                self._socket.sendto(head + query[12:end] + found, client)

    def end(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", ("127.0.0.1", 53))
        self.join()


@contextmanager
def name_server(folder: Path, answers: int) -> Iterator[tuple[NameServer, tuple[str, ...]]]:
    """A name server that falls silent, and what has a command ask it."""
    if os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("needs root, for a name server of its own")
    resolv = folder / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    mount = f'mount --bind {resolv} /etc/resolv.conf && exec "$@"'
    before = ("unshare", "-m", "sh", "-c", mount, "sh")
    if subprocess.run([*before, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs a mount namespace")
    try:
        server = NameServer(answers)
    except OSError:
        pytest.skip("needs port 53")
    server.start()
    try:
        yield server, before
    finally:
        server.end()


@pytest.mark.parametrize(("scheme", "answers"), [("http", 0), ("rtsp", 0), ("rtsp", 2), ("rtmp", 2)])
def test_a_name_that_nobody_tells(scheme: str, answers: int, tmp_path: Path) -> None:
    """With two answers, to A and AAAA, our own look-up ends and FFmpeg's hangs."""
    uri = f"{scheme}://camera.test:9/live/a"
    with (
        name_server(tmp_path, answers) as (server, before),
        Run(tmp_path, uri, "--open-timeout", "60", before=before) as run,
    ):
        wait_for(lambda: server.asked > answers or run.process.poll() is not None, timeout_s=40)
        assert run.process.poll() is None, run.errors.read_text()
        run.stop(f"look-up, {scheme}, {'FFmpeg' if answers else 'our own'}")


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_in_the_middle_of_a_stream_over_tcp_that_stands_still(tmp_path: Path) -> None:
    port = free_port()
    with ffmpeg(*H264, "-f", "mpegts", f"tcp://127.0.0.1:{port}?listen=1") as server:
        wait_listening(port)
        with Run(tmp_path, f"tcp://127.0.0.1:{port}", "--read-timeout", "60") as run:
            run.wait_frames(10)
            with stopped(server):
                wait_still(run)
                run.stop("stalled, tcp")


def wait_still(run: Run) -> None:
    """Wait until no frame has come for half a second."""
    seen = [(0, time.monotonic())]

    def still() -> bool:
        count = run.lines.read_bytes().count(b"\n")
        if count != seen[0][0]:
            seen[0] = count, time.monotonic()
        return time.monotonic() - seen[0][1] > 0.5

    wait_for(still, timeout_s=20)


def test_in_the_middle_of_a_stream_over_udp_that_stands_still(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with (
        ffmpeg(*H264, "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316") as server,
        Run(tmp_path, f"udp://@:{port}", "--read-timeout", "60") as run,
    ):
        run.wait_frames(10)
        with stopped(server):
            wait_still(run)
            run.stop("stalled, udp")


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_in_the_middle_of_rtsp_that_stands_still(transport: str, tmp_path: Path) -> None:
    with rtsp_server() as uri:
        server = _child_that_listens(int(uri.split(":")[2].partition("/")[0]))
        with Run(tmp_path, uri, "--read-timeout", "60", "--rtsp-transport", transport) as run:
            run.wait_frames(10)
            os.kill(server, signal.SIGSTOP)
            try:
                wait_still(run)
                run.stop(f"stalled, rtsp over {transport}")
            finally:
                os.kill(server, signal.SIGCONT)


def _child_that_listens(port: int) -> int:
    """The child of ours whose command line has the port."""
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            if str(port).encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return int(child)
    raise AssertionError("the server is not there")


def test_in_the_middle_of_motion_jpeg_that_stands_still(tmp_path: Path) -> None:
    with mjpeg_server() as uri, proxy(int(uri.split(":")[2].partition("/")[0])) as between:
        through = f"http://127.0.0.1:{between.port}/video"
        with Run(tmp_path, through, "--read-timeout", "60") as run:
            run.wait_frames(10)
            between.fault = "swallow"
            wait_still(run)
            run.stop("stalled, motion JPEG")


@pytest.mark.parametrize("what", ["playlist", "segment"])
def test_in_the_middle_of_hls_whose_next_part_never_comes(what: str, tmp_path: Path) -> None:
    playlist = hls(tmp_path, seconds=6).read_text()
    live = playlist.replace("#EXT-X-ENDLIST", "").replace("#EXT-X-PLAYLIST-TYPE:VOD", "")
    with loopback.serving() as web:
        for path in sorted(tmp_path.glob("vod*.ts")):
            web.serve(path.name, path.read_bytes())
        if what == "segment":
            web.pages["/vod2.ts"].faults.append("silent")
        uri = web.serve("live.m3u8", live.encode())
        with Run(tmp_path, uri, "--read-timeout", "60") as run:
            run.wait_frames(10)
            if what == "playlist":
                web.pages["/live.m3u8"].faults.extend(["silent"] * 20)
                asked = sum(path == "/live.m3u8" for path, _ in web.asked)
                wait_for(lambda: sum(path == "/live.m3u8" for path, _ in web.asked) > asked, timeout_s=30)
            else:
                wait_for(lambda: any(path == "/vod2.ts" for path, _ in web.asked), timeout_s=30)
            run.stop(f"HLS, {what} that hangs")


def test_while_it_waits_for_its_next_try(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with ts_server() as uri:
            run = stack.enter_context(Run(tmp_path, uri))
            run.wait_frames(5)
        run.wait_said(r"next try in [2-9]\.")
        run.stop("waiting")
    assert json.loads(run.summary.read_text())["ledger"]["balanced"]


def test_a_pipe_that_says_nothing(tmp_path: Path) -> None:
    silent, mouth = os.pipe()
    try:
        with Run(tmp_path, "-", stdin=silent) as run:
            wait_for(lambda: _waits_in_pyav(run.process.pid), timeout_s=40)
            run.stop("silent pipe")
    finally:
        os.close(silent)
        os.close(mouth)


def _waits_in_pyav(pid: int) -> bool:
    """Whether PyAV is loaded, and the main thread waits for something."""
    with suppress(OSError):
        loaded = b"libavformat" in Path(f"/proc/{pid}/maps").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return loaded and state == "S"
    return False


HANGING_CAMERA = """
import ctypes, sys
import cv2
from pathlib import Path
class Hangs:
    def __init__(self, *arguments):
        Path(sys.argv.pop(1)).touch() if len(sys.argv) > 1 else None
        libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
        libc.pthread_mutex_lock(mutex)
        libc.pthread_mutex_lock(mutex)
cv2.VideoCapture = Hangs
from tests.e2e.child import main
main(sys.argv[2:])
"""


def test_a_camera_whose_driver_hangs_as_it_is_opened(tmp_path: Path) -> None:
    """Not even a signal gets through to the thread that stands there."""
    opened = tmp_path / "opened"
    device = tmp_path / "video0"
    device.touch()
    command = [sys.executable, "-c", HANGING_CAMERA, str(opened), "run", "0", "--no-show", "--jsonl", "a.jsonl"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, env=environment) as process:
        try:
            wait_for(lambda: opened.exists() or process.poll() is not None, timeout_s=40)
            assert process.poll() is None
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            code = process.wait(30)
            took_s = time.monotonic() - began
        finally:
            process.kill()
    print(f"stop: a camera that hangs as it is opened: {took_s:.2f} s ({LINE_S:g} s)")
    assert code == 130
    assert took_s < LINE_S * NOISE
