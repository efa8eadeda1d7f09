"""SRT, where PyAV's FFmpeg was built without it: the system's own `ffmpeg` receives it and hands on MPEG-TS in a pipe.

It copies and decodes nothing. It gets the address on its standard input and not as an argument, which everybody on the
machine could read, for a passphrase may stand in it. It dies with the thread that reads, however that ends.
"""

import functools
import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time

from streamer.errors import SourceError, SourceLost, SourceOpenError, SourceRefused
from streamer.sources.address import Address
from streamer.text import printable, redacted

HINT = "install an ffmpeg that has it (ffmpeg -protocols), or: ffmpeg -i srt://... -c copy -f mpegts - | streamer -"

_KEPT_BYTES = 4096
"""Of what ffmpeg says, the last."""

_FORMATS = "concat,mpegts,matroska,webm,flv,h264,hevc,data"
"""What it may find in the stream: no playlists."""

_BEGIN = {"fflags": "nobuffer", "probesize": "500000", "analyzeduration": "500000"}

_DIES_WITH_US = (
    "import ctypes, os, sys\n"
    f"ctypes.CDLL(None).prctl(1, {int(signal.SIGKILL) if hasattr(signal, 'SIGKILL') else 9})\n"
    "os.getppid() == int(sys.argv[1]) or os._exit(0)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])\n"
)
"""prctl(PR_SET_PDEATHSIG), and then the program itself; not between fork and exec, where threads make it a danger."""

_WRONG = ("incorrect passphrase", "bad secret")

_SAID = (
    ("rejected", "the server refuses the connection", "is the passphrase right, and the stream id?"),
    ("timed out", "nobody answers there", "is the server running, and the port right?"),
    ("bad parameters", "this address makes no sense", "a passphrase has 10 to 79 characters"),
    ("already in use", "another program listens there", None),
    ("invalid data", "it answers, but what it sends is not a video", None),
    ("input/output error", "nobody answers there", "is the server running, and are port and passphrase right?"),
)


class SrtWay:
    """The stream at `address`, as bytes of MPEG-TS. Begins when it is made; `read` is for one thread.

    given: FFmpeg's options for what it opens.

    Raises SourceRefused: there is no ffmpeg, or it has no SRT.
    """

    format = "mpegts"

    def __init__(
        self,
        address: Address,
        given: dict[str, str],
        *,
        timeouts_s: tuple[float, float],
        closing: threading.Event,
    ) -> None:
        program = shutil.which("ffmpeg")
        if sys.platform == "win32":  # which cannot wait for two pipes
            raise SourceRefused("this PyAV has no SRT", where=address.name, hint=HINT)
        if program is None or not _has_srt(program):
            what = "neither this PyAV nor " + ("an ffmpeg here" if program is None else "the ffmpeg here") + " has SRT"
            raise SourceRefused(what, where=address.name, hint=HINT)
        self.options = {"protocol_whitelist": "", "format_whitelist": "mpegts", "analyzeduration": "1000000"}
        self._address = address
        self._first_s, self._then_s = timeouts_s
        self._closing = closing
        self._came = False
        self._late = False
        self._said = b""
        self._process = subprocess.Popen(
            [*_launcher(), program, *_arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is for us: it would be lost before it is let go
        )
        assert self._process.stdin is not None
        self._process.stdin.write(_script(address.uri, given).encode())
        self._process.stdin.close()

    @property
    def file(self) -> "SrtWay":
        return self

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, as soon as there are any; none at the end, once it is closed, or after a timeout."""
        deadline_s = time.monotonic() + (self._then_s if self._came else self._first_s)
        out, err = self._process.stdout, self._process.stderr
        assert out is not None
        assert err is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(out, selectors.EVENT_READ)
            waiting.register(err, selectors.EVENT_READ)
            while not self._late and not self._closing.is_set():  # at an end FFmpeg asks again
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    self._late = True
                    break
                for key, _ in waiting.select(left_s):
                    data = os.read(key.fd, size if size > 0 else 1 << 16)
                    if key.fileobj is out:
                        self._came = self._came or bool(data)
                        return data
                    self._said = (self._said + data)[-_KEPT_BYTES:]
                    if not data:
                        waiting.unregister(err)
        return b""

    def reason(self, _: Exception) -> SourceError | None:
        if self._late or self._closing.is_set():
            return None
        self._listen()
        said = self._said.decode(errors="replace").lower()
        if any(words in said for words in _WRONG):
            return SourceRefused("the passphrase is wrong", where=self._address.name)
        for words, what, hint in _SAID:
            if words in said:
                return SourceOpenError(what, where=self._address.name, hint=hint)
        told = printable(redacted(self._said.decode(errors="replace")).replace(self._address.uri, "..."), limit=160)
        return SourceOpenError(f"ffmpeg ended{': ' + told if told else ''}", where=self._address.name)

    def why_ended(self) -> SourceError | None:
        if self._closing.is_set():
            return None
        if self._late:
            return SourceLost(f"nothing came for {self._then_s:g} s", where=self._address.name, hint="--read-timeout")
        return None

    def close(self) -> None:
        self._process.kill()

    def join(self) -> None:
        with self._process:
            self._process.kill()

    def _listen(self) -> None:
        """Take in what it said last, once it has ended."""
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        self._said += self._process.stderr.read() or b""


@functools.cache
def _has_srt(program: str) -> bool:
    try:
        told = subprocess.run(
            [program, "-hide_banner", "-protocols"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"srt" in told.stdout.partition(b"Output:")[0].split()


def _launcher() -> list[str]:
    """What starts it so that it ends with us; elsewhere than on Linux it ends when it finds that nobody reads."""
    if not sys.platform.startswith("linux") or not sys.executable:
        return []
    return [sys.executable, "-I", "-S", "-c", _DIES_WITH_US, str(os.getpid())]


def _arguments() -> list[str]:
    return [
        *("-hide_banner", "-loglevel", "error", "-nostdin"),
        *(
            "-protocol_whitelist",
            "pipe,srt",
            "-format_whitelist",
            _FORMATS,
            "-safe",
            "0",
            "-f",
            "concat",
            "-i",
            "pipe:0",
        ),
        *("-map", "0:v:0", "-map", "0:a?", "-c", "copy"),
        *("-f", "mpegts", "-flush_packets", "1", "-muxdelay", "0", "-muxpreload", "0", "pipe:1"),
    ]


def _script(uri: str, given: dict[str, str]) -> str:
    """A list for ffmpeg's demuxer `concat`, of one address."""
    lines = ["ffconcat version 1.0", f"file {_quoted(uri)}"]
    lines += [f"option {_quoted(name)} {_quoted(value)}" for name, value in (_BEGIN | given).items()]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
