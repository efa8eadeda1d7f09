"""Requests as FFmpeg makes them of a proxy, taken apart. Plain bytes; it connects to nobody."""

from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_BYTES = 1 << 18
"""Of a request's head: FFmpeg's longest address is 4096 bytes, a person's headers may be longer."""

_HOP_BY_HOP = (b"proxy-authorization:", b"proxy-connection:")


class NoRequest(Exception):
    """These bytes are no request to a proxy."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of one request. host: without brackets. connects: whether it asks for a tunnel, for TLS.

    password: what stands in its Proxy-Authorization.
    """

    method: bytes
    target: bytes
    version: bytes
    lines: tuple[bytes, ...]
    host: str
    port: int

    @property
    def connects(self) -> bool:
        return self.method == b"CONNECT"

    @property
    def password(self) -> bytes:
        for line in self.lines:
            name, _, value = line.partition(b":")
            if name.lower() == b"proxy-authorization":
                return value.strip()
        return b""

    def of_origin(self) -> bytes:
        """As the server itself is asked."""
        authority_and_path = self.target.partition(b"://")[2]
        at = min((at for mark in b"/?" if (at := authority_and_path.find(bytes([mark]))) >= 0), default=-1)
        path = authority_and_path[at:] if at >= 0 else b"/"
        return self._with(path if path.startswith(b"/") else b"/" + path, b"")

    def of_proxy(self, authorization: bytes) -> bytes:
        """As another proxy is asked. authorization: a line for it, or nothing."""
        return self._with(self.target, authorization)

    def _with(self, target: bytes, more: bytes) -> bytes:
        kept = [line for line in self.lines if not line.lower().startswith(_HOP_BY_HOP)]
        first = b" ".join((self.method, target, self.version))
        return b"\r\n".join([first, *kept]) + b"\r\n" + more + b"\r\n"


def heads_in(data: bytes) -> tuple[list[Head], bytes]:
    """The whole heads in `data`, and what is behind them. Raises NoRequest, of a body too: FFmpeg only reads."""
    heads: list[Head] = []
    while True:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            break
        heads.append(_head(head))
        data = rest
        if heads[-1].connects:
            break
    if len(data) > LONGEST_BYTES:
        raise NoRequest
    return heads, data


def _head(text: bytes) -> Head:
    first, *lines = text.split(b"\r\n")
    try:
        method, target, version = first.split(b" ")
        tunnel = method == b"CONNECT"
        parts = urlsplit((b"//" + target if tunnel else target).decode("latin-1"))
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise NoRequest from None
    if not host or not (tunnel or parts.scheme.lower() == "http"):
        raise NoRequest
    return Head(method, target, version, tuple(lines), host, port)
