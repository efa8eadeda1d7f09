"""How FFmpeg gets at an address: by itself, through the gate, or through a program that knows what PyAV does not.

Called by connection.py, on its thread; `close` comes from any.
"""

import errno
import functools
import os
import socket
import threading
from contextlib import suppress
from typing import Protocol

from streamer.errors import SourceError, SourceOpenError, SourceRefused
from streamer.pyav import av
from streamer.sources.address import Address
from streamer.sources.dialling import Dialler
from streamer.sources.gate import Gate
from streamer.sources.network_faults import error_number
from streamer.sources.reach import why_refused
from streamer.sources.resolving import NotResolved, addresses_of
from streamer.sources.srt import SrtWay
from streamer.sources.trust import HINT, OVER_TLS, tls_options, why_untrusted

_ONCE_MORE_S = 2.0

_PORTS = {"https": 443, "rtsps": 322, "rtmps": 443}


class Readable(Protocol):
    """What PyAV reads in place of an address."""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""


class Way(Protocol):
    """A way to one stream, for one connection.

    file: what PyAV opens. format: what it is, None where that is to be found out. options: FFmpeg's.
    """

    @property
    def file(self) -> "str | Readable": ...
    @property
    def format(self) -> str | None: ...
    @property
    def options(self) -> dict[str, str]: ...
    def reason(self, error: Exception) -> SourceError | OSError | None:
        """What is better known here than in FFmpeg of why it failed with `error`."""

    def why_ended(self) -> SourceError | None:
        """Why what was open came to its end, where it did not end by itself."""

    def close(self) -> None:
        """Let it go: reads end. Idempotent, from any thread."""

    def join(self) -> None:
        """Wait until all of it has ended, once it is closed."""


def way_to(
    address: Address, options: dict[str, str], *, timeouts_s: tuple[float, float], closing: threading.Event
) -> Way:
    """The way to `address`. options: FFmpeg's. timeouts_s: for opening, and for each read.

    Raises SourceOpenError: no such host, refused, no program for it.
    """
    timeout_s, _ = timeouts_s
    if address.scheme in OVER_TLS | {"http"}:
        # A page without TLS may lead to one with it.
        options = tls_options(options)
    if address.scheme in {"http", "https"}:
        return _Gated(address, options, timeout_s=timeout_s, closing=closing)
    if address.host and not address.listens:
        _judge(address, timeout_s=timeout_s, closing=closing)
    if address.scheme == "srt" and not _pyav_has_srt():
        given = {name: value for name, value in options.items() if name != "protocol_whitelist"}
        return SrtWay(address, given, timeouts_s=timeouts_s, closing=closing)
    return _Direct(address, options, timeout_s=timeout_s)


class _Direct:
    """FFmpeg does it all."""

    format = None

    def __init__(self, address: Address, options: dict[str, str], *, timeout_s: float) -> None:
        self.file = address.uri
        self.options = options
        self._address = address
        self._timeout_s = timeout_s

    def reason(self, error: Exception) -> SourceError | None:
        return _distrust(error, self._address, self.options, timeout_s=self._timeout_s)

    def why_ended(self) -> None: ...
    def close(self) -> None: ...
    def join(self) -> None: ...


class _Gated:
    """Through a gate of its own."""

    format = None

    def __init__(
        self, address: Address, options: dict[str, str], *, timeout_s: float, closing: threading.Event
    ) -> None:
        _gate_for_all()
        own = (address.host, address.port or 443) if address.scheme == "https" else None
        dialler = Dialler(address.name, options=options, own=own, timeout_s=timeout_s, closing=closing)
        self._gate = Gate(dialler, closing=closing)
        self._address = address
        self._timeout_s = timeout_s
        self.file = address.uri
        self.options = options | {"http_proxy": self._gate.proxy}

    def reason(self, error: Exception) -> SourceError | OSError | None:
        known = self._gate.failure
        return known or _distrust(error, self._address, self.options, timeout_s=self._timeout_s)

    def why_ended(self) -> None: ...
    def close(self) -> None:
        self._gate.close()

    def join(self) -> None:
        self._gate.join()


@functools.cache
def _pyav_has_srt() -> bool:
    try:
        av.open("srt://")  # no address: it is refused, by SRT itself or because it is not there
    except av.ProtocolNotFoundError:
        return False
    except (av.FFmpegError, OSError, ValueError):
        return True
    return True


def _gate_for_all() -> None:
    """FFmpeg would go by the gate to hosts in `no_proxy`, which counts here for the proxy behind the gate.

    Python's own copy of the environment keeps it; programs that are started from here do not get it.
    """
    if "no_proxy" in os.environ:
        os.unsetenv("no_proxy")


def _judge(address: Address, *, timeout_s: float, closing: threading.Event) -> None:
    """Look the host up before FFmpeg does, which can neither give that up nor say that there is none."""
    try:
        found = addresses_of(address.host, timeout_s=timeout_s, closing=closing)
    except NotResolved as error:
        raise SourceOpenError(error.what, where=address.name, hint=error.hint) from None
    for ip in found:
        if why := why_refused(ip, led_from=None):
            raise SourceRefused(f"this address is refused: {why}", where=address.name)


def _distrust(error: Exception, address: Address, options: dict[str, str], *, timeout_s: float) -> SourceError | None:
    """Whether it is the certificate: FFmpeg says "I/O error" of that as of all else, so it is looked at once more."""
    if address.scheme not in OVER_TLS or options.get("tls_verify") != "1" or error_number(error) != errno.EIO:
        return None
    place = address.host, address.port or _PORTS[address.scheme]
    with suppress(OSError), socket.create_connection(place, timeout=min(timeout_s, _ONCE_MORE_S)) as opened:
        if why := why_untrusted(opened, address.host, options):
            return SourceRefused(f"the certificate is not trusted: {why}", where=address.name, hint=HINT)
    return None
