"""SRT through the system's ffmpeg, with another ffmpeg as the camera: nothing is left, and no passphrase told."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest

from streamer.errors import SourceError, SourceOpenError, SourceRefused
from streamer.sources import SourceOptions, open_source
from streamer.sources import srt as srt_module
from streamer.sources.network import NetworkSource
from tests.streams import H264, ffmpeg, free_port, needs_ffmpeg, wait_for

SECRET = "pass:phrase/#'1"
ONCE = SourceOptions(reconnect=False, open_timeout_s=10.0, read_timeout_s=2.0)


@pytest.fixture(autouse=True)
def needs_srt() -> None:
    needs_ffmpeg()
    if not srt_module._has_srt("ffmpeg"):
        pytest.skip("needs an ffmpeg with SRT")


@contextmanager
def camera(port: int, *, mode: str = "listener", passphrase: str = SECRET) -> Iterator[subprocess.Popen[bytes]]:
    """A camera that sends to, or waits for, whoever speaks SRT at `port`."""
    more = ["-passphrase", passphrase] if passphrase else []
    uri = f"srt://127.0.0.1:{port}?mode={mode}"
    with ffmpeg(*H264, *more, "-f", "mpegts", uri) as process:
        if mode == "listener":
            wait_bound(port)
        yield process


def wait_bound(port: int) -> None:
    wanted = f":{port:04X} "
    wait_for(lambda: any(wanted in line for line in Path("/proc/net/udp").read_text().splitlines()))


def our_children(pid: int) -> list[str]:
    """The command lines of a process's children, theirs included, of all its threads."""
    lines: list[str] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            lines += [line, *our_children(int(child))]
    return lines


def test_it_is_read_as_it_comes_and_the_passphrase_is_in_no_process_list() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with camera(port):
        began = time.monotonic()
        source = open_source(f"srt://127.0.0.1:{port}?passphrase={SECRET}", ONCE)
        reading = source.frames()
        frames = list(islice(reading, 20))
        children = our_children(os.getpid())
        source.close()
    assert source.live
    assert frames[0].size_px == (160, 120)
    assert frames[0].source == f"srt://127.0.0.1:{port}?passphrase=***"
    relays = [line for line in children if "concat" in line]
    assert len(relays) == 1
    assert "phrase" not in relays[0]
    assert str(port) not in relays[0]
    print(f"srt: opened and 20 frames in {time.monotonic() - began:.2f} s")


def test_it_waits_for_a_caller() -> None:
    port = free_port(socket.SOCK_DGRAM)
    source = NetworkSource(f"srt://127.0.0.1:{port}?mode=listener&passphrase={SECRET}", options=ONCE)
    wait_bound(port)
    with camera(port, mode="caller"):
        assert len(list(islice(source.frames(), 10))) == 10
    source.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_is_killed_or_stands_still_is_lost(number: signal.Signals) -> None:
    port = free_port(socket.SOCK_DGRAM)
    with camera(port) as process:
        source = NetworkSource(f"srt://127.0.0.1:{port}?passphrase={SECRET}", options=ONCE)
        reading = source.frames()
        next(reading)
        process.send_signal(number)
        began = time.monotonic()
        with pytest.raises(SourceError, match="nothing came for 2 s"):
            list(reading)
    print(f"srt: {number.name}: noticed after {time.monotonic() - began:.2f} s (2 s is allowed)")


def test_why_there_is_none_is_told_and_the_passphrase_is_not() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with pytest.raises(SourceOpenError) as caught:
        open_source(f"srt://127.0.0.1:{port}?passphrase={SECRET}", ONCE)
    assert "phrase/" not in str(caught.value)
    with camera(port), pytest.raises(SourceOpenError) as other:
        open_source(f"srt://127.0.0.1:{port}?passphrase=another-secret", ONCE)
    assert "another" not in str(other.value)
    assert (caught.value.what, other.value.what) == ("nobody answers there", "the passphrase is wrong")


def test_it_comes_back() -> None:
    port = free_port(socket.SOCK_DGRAM)
    options = SourceOptions(open_timeout_s=10.0, read_timeout_s=2.0)
    with camera(port) as process:
        source = open_source(f"srt://127.0.0.1:{port}?passphrase={SECRET}", options)
        reading = source.frames()
        next(reading)
        process.kill()
        process.wait()
        with camera(port):
            frame = next(frame for frame in reading if frame.epoch)
        source.close()
    assert frame.epoch == 1
    assert source.info.reconnects == 1


def test_closing_ends_it_at_once_while_it_listens() -> None:
    port = free_port(socket.SOCK_DGRAM)
    source = NetworkSource(f"srt://127.0.0.1:{port}?mode=listener", options=ONCE)
    wait_bound(port)
    reader = threading.Thread(target=lambda: list(source.frames()))
    reader.start()
    began = time.monotonic()
    source.close()
    reader.join(10)
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "streamer-network"])
    print(f"srt: closed while it listened, all gone after {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began < 6


def test_it_dies_with_a_process_that_is_killed() -> None:
    port = free_port(socket.SOCK_DGRAM)
    code = f"from streamer.sources.network import NetworkSource as N; N('srt://127.0.0.1:{port}?mode=listener').wait_open()"
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        wait_bound(port)
        relays = [line for line in our_children(child.pid) if "concat" in line]
        child.kill()
    assert len(relays) == 1
    wanted = f":{port:04X} "
    wait_for(lambda: not any(wanted in line for line in Path("/proc/net/udp").read_text().splitlines()))


def test_without_an_ffmpeg_that_has_it_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceRefused, match=r"neither this PyAV nor an ffmpeg here has SRT \(install an ffmpeg"):
        open_source("srt://127.0.0.1:9", SourceOptions(reconnect=True))
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\necho 'Input:\n  tcp\nOutput:\n  srt'\n")
    fake.chmod(0o755)
    with pytest.raises(SourceRefused, match="nor the ffmpeg here has SRT"):
        open_source("srt://127.0.0.1:9", SourceOptions(reconnect=True))


def test_an_address_is_quoted_and_cannot_say_more_than_an_address() -> None:
    script = srt_module._script("srt://h:1?passphrase=it's", {"latency": "200'"})
    assert script.splitlines()[1] == r"file 'srt://h:1?passphrase=it'\''s'"
    assert script.splitlines()[-1] == r"option 'latency' '200'\'''"
