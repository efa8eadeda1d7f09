"""What systemd is told of a service of Type=notify: that it is ready, moves, reads its settings again, or stops.

The protocol is that of sd_notify(3): lines in a datagram to the socket that NOTIFY_SOCKET names. It never waits, and
what cannot be sent is tried again or left: a service manager that does not listen must not hold up a run.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Mapping

from streamer.clock import NS_PER_S
from streamer.frame import Status
from streamer.text import printable, redacted

logger = logging.getLogger(__name__)

STATUS_CHARS = 200
_STATUS_NS = NS_PER_S
_AWAITED = frozenset({"connecting", "waiting"})


class ServiceManager:
    """The one that started this process, if it wants to be told; else nothing is sent.

    `ready` is said when the first frame has come, or when the first connection of a source is being waited for, which
    is what --reconnect asks for: all that can fail at the start has not. The watchdog is fed from the loop that looks
    after the stages, and only while none of them stands still: a source that is waited for is well.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._feed_ns = _feed_ns(environ)
        self._fed_ns: int | None = None
        self._said = ""
        self._said_ns: int | None = None
        self._ready = False
        self._stopping = ""
        self._lock = threading.Lock()

    def tell(self, status: Status, text: str, *, now_ns: int) -> None:
        """The run as it is. text: the same in a line. From the loop that supervises, several times a second."""
        if self._address is None:
            return
        if not self._ready and (status.ledger.produced or status.state in _AWAITED):
            self._ready = self._send("READY=1")
        if status.state == "draining":
            self.stopping(text)
        elif self._said_ns is None or (text != self._said and now_ns - self._said_ns >= _STATUS_NS):
            self._said, self._said_ns = text, now_ns
            self._send(_status_line(text))
        fed = self._fed_ns is not None and self._feed_ns is not None and now_ns - self._fed_ns < self._feed_ns
        if self._feed_ns is not None and not fed and not status.stalls and self._send("WATCHDOG=1"):
            self._fed_ns = now_ns

    def reloading(self) -> None:
        """Settings are being read again; `reloaded` has to follow. Nothing is said before the service is ready."""
        if self._ready:
            self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self) -> None:
        """They have been read, or refused."""
        if self._ready:
            self._send("READY=1")

    def stopping(self, text: str, *, well: bool = False) -> None:
        """The run ends, and why. well: it has done what it was for, be it so short that it never said `ready`."""
        if well and not self._ready:
            self._ready = self._send("READY=1")
        if text != self._stopping:
            self._stopping = text
            self._send(f"STOPPING=1\n{_status_line(text)}")

    def _send(self, message: str) -> bool:
        if self._address is None:
            return False
        try:
            with self._lock, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)  # noqa: FBT003 - the socket's own signature
                out.sendto(message.encode(), self._address)
        except OSError as error:
            logger.debug("the service manager was not told %s: %s", message.partition("=")[0], error)
            return False
        return True


def _address(named: str) -> str | None:
    """That of a socket in the file system, or, behind an @, of an abstract one."""
    if named and named[0] not in "/@":
        logger.warning("NOTIFY_SOCKET names a kind of socket that is not known: the service manager is not told")
    if not named or named[0] not in "/@" or not hasattr(socket, "AF_UNIX"):
        return None
    return "\0" + named[1:] if named[0] == "@" else named


def _feed_ns(environ: Mapping[str, str]) -> int | None:
    """How often the watchdog is fed: four times in its time. None where none waits for this process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        watchdog_us = int(environ.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return watchdog_us * 1000 // 4 if watchdog_us > 0 else None


def _status_line(text: str) -> str:
    return f"STATUS={printable(redacted(text), limit=STATUS_CHARS)}"
