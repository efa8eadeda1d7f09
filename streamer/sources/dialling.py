"""Connecting on behalf of a stream: where it leads is looked up, judged, and connected to by that very address.

What is judged is what is connected to: a name that has another address a moment later leads nowhere else. Called by
gate.py.
"""

import base64
import errno
import os
import selectors
import socket
import threading
import time
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from streamer.errors import SourceOpenError, SourceRefused
from streamer.sources.reach import IPAddress, Privacy, privacy_of, why_refused
from streamer.sources.resolving import NotResolved, addresses_of
from streamer.sources.trust import HINT, why_untrusted
from streamer.text import printable

_POLL_S = 0.05
_LOOK_UP = 0.8
"""Of the timeout: before FFmpeg's own is over, which knows no reason."""

_NEXT_S = 1.5
"""So long an address may say nothing before the next one of the same name is tried."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """The proxy that stands between this network and the others."""

    host: str
    port: int
    credentials: str

    @property
    def authorization(self) -> bytes:
        """A line of a request's head; nothing where it wants no password."""
        if not self.credentials:
            return b""
        coded = base64.b64encode(self.credentials.encode()).decode()
        return f"Proxy-Authorization: Basic {coded}\r\n".encode()


class Dialler:
    """Opens connections to servers; the first one is the address itself, the others are led to by what it sends.

    name: of the stream, for errors. options: FFmpeg's, of which those of TLS and of a proxy count.
    own: host and port of the address, whose certificate FFmpeg looks at itself; None where it has none.
    """

    def __init__(
        self,
        name: str,
        *,
        options: dict[str, str],
        own: tuple[str, int] | None,
        timeout_s: float,
        closing: threading.Event,
    ) -> None:
        self._name = name
        self._options = options
        self._timeout_s = timeout_s
        self._closing = closing
        self._led_from: Privacy | None = None
        self._first: frozenset[IPAddress] = frozenset()
        self._trusted = {own} if own else set()
        self._lock = threading.Lock()
        self._asking: socket.socket | None = None

    def close(self) -> None:
        """Let a look at a certificate that is under way end; `closing` ends the rest."""
        with self._lock, suppress(OSError):
            if self._asking is not None:
                self._asking.shutdown(socket.SHUT_RDWR)

    def upstream(self, host: str, *, tls: bool) -> Upstream | None:
        """The proxy on the way to `host`, by `http_proxy` of the options or of the environment; None without."""
        known = urllib.request.getproxies_environment()
        given = self._options.get("http_proxy")
        if given is None and not urllib.request.proxy_bypass(host):
            given = known.get("https" if tls else "http") or known.get("http")
        parts = urlsplit(given or "")
        if parts.scheme != "http" or not parts.hostname:
            return None
        return Upstream(parts.hostname, parts.port or 80, _credentials(parts))

    def dial(self, host: str, port: int, *, tls: bool) -> socket.socket:
        """A connection to `host`, or to the proxy before it. Raises SourceOpenError."""
        upstream = self.upstream(host, tls=tls)
        allowed = self._allowed(host, through_proxy=upstream is not None)
        if tls and self._options.get("tls_verify") == "1" and (host, port) not in self._trusted:
            self._check_certificate(host, port, allowed, upstream)
        opened = self._reached(host, port, allowed, upstream)
        if self._led_from is None:
            self._first = frozenset(allowed)
            self._led_from = max(map(privacy_of, allowed), default=Privacy.PUBLIC)
        return opened

    def _allowed(self, host: str, *, through_proxy: bool) -> list[IPAddress]:
        """The addresses of `host` that may be reached; none where only the proxy knows them."""
        try:
            found = addresses_of(host, timeout_s=_LOOK_UP * self._timeout_s, closing=self._closing)
        except NotResolved as error:
            if through_proxy:
                return []
            raise SourceOpenError(error.what, where=self._name, hint=error.hint) from None
        why = {ip: None if ip in self._first else why_refused(ip, led_from=self._led_from) for ip in found}
        allowed = [ip for ip in found if why[ip] is None]
        if found and not allowed:
            leads = "this address" if self._led_from is None else f"it leads to {printable(host)}, and that"
            raise SourceRefused(f"{leads} is refused: {why[found[0]]}", where=self._name)
        return allowed

    def _reached(self, host: str, port: int, allowed: list[IPAddress], upstream: Upstream | None) -> socket.socket:
        if upstream is None:
            return self._connected(host, port, allowed)
        try:
            proxies = addresses_of(upstream.host, timeout_s=self._timeout_s, closing=self._closing)
        except NotResolved as error:
            raise SourceOpenError(f"the proxy: {error.what}", where=self._name, hint=error.hint) from None
        return self._connected(f"the proxy {upstream.host}", upstream.port, proxies)

    def _connected(self, host: str, port: int, addresses: list[IPAddress]) -> socket.socket:
        deadline_s = time.monotonic() + self._timeout_s
        problem = errno.ETIMEDOUT
        for number, ip in enumerate(addresses, start=1):
            left_s = deadline_s - time.monotonic()
            opened, problem = self._try(ip, port, left_s if number == len(addresses) else min(left_s, _NEXT_S))
            if opened is not None:
                return opened
        raise Unreached(problem, host, port)

    def _try(self, ip: IPAddress, port: int, timeout_s: float) -> tuple[socket.socket | None, int]:
        """A connection, or why there is none: an errno."""
        opened = socket.socket(socket.AF_INET if ip.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        opened.settimeout(0)
        deadline_s = time.monotonic() + timeout_s
        problem = opened.connect_ex((str(ip), port))
        with selectors.DefaultSelector() as waiting:
            waiting.register(opened, selectors.EVENT_WRITE)
            while problem in {errno.EINPROGRESS, errno.EWOULDBLOCK}:
                if waiting.select(_POLL_S):
                    problem = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                elif self._closing.is_set() or time.monotonic() > deadline_s:
                    problem = errno.ETIMEDOUT
        if problem:
            opened.close()
            return None, problem
        opened.settimeout(None)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened, 0

    def _check_certificate(self, host: str, port: int, allowed: list[IPAddress], upstream: Upstream | None) -> None:
        """FFmpeg looks at the certificate of the address itself, and at none that its playlist names (FFmpeg 8.1)."""
        with self._reached(host, port, allowed, upstream) as opened:
            opened.settimeout(self._timeout_s)
            with self._lock:
                self._asking = opened
            try:
                if upstream is not None:
                    through(opened, host, port, upstream)
                why = why_untrusted(opened, host, self._options)
            finally:
                with self._lock:
                    self._asking = None
        if why is not None:
            what = f"it leads to {printable(host)}, whose certificate is not trusted: {why}"
            raise SourceRefused(what, where=self._name, hint=HINT)
        self._trusted.add((host, port))


class Unreached(OSError):
    """Nobody could be connected to."""

    def __init__(self, number: int, host: str, port: int) -> None:
        super().__init__(number, f"{os.strerror(number)}: {printable(host)}:{port}")


def through(opened: socket.socket, host: str, port: int, upstream: Upstream) -> None:
    """Have the proxy at the other end connect to `host`. Raises OSError where it does not."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    opened.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n".encode() + upstream.authorization + b"\r\n")
    head = b""
    while b"\r\n\r\n" not in head:
        data = opened.recv(1)  # what comes behind the head is the server's
        if not data or len(head) > 1 << 16:
            raise OSError(errno.ECONNRESET, "the proxy broke off")
        head += data
    if b" 200" not in head.partition(b"\r\n")[0]:
        raise OSError(errno.EACCES, "the proxy refuses it")


def _credentials(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
