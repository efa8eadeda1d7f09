"""Addresses of streams: which are allowed, what FFmpeg may reach from each, and how each is shown to people."""

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from streamer.errors import SourceOpenError, SourceRefused
from streamer.sources.reach import why_refused
from streamer.text import printable, redacted

PROTOCOLS: dict[str, str] = {
    **dict.fromkeys(("rtsp", "rtsps"), "rtsp,rtsps,rtp,srtp,udp,tcp,tls"),
    **dict.fromkeys(("http", "https"), "http,https,httpproxy,tcp,tls,crypto"),
    **dict.fromkeys(("rtmp", "rtmps"), "rtmp,rtmps,tcp,tls"),
    "udp": "udp",
    "rtp": "rtp,udp",
    "tcp": "tcp",
    "srt": "srt",
}
"""By scheme: what FFmpeg may use to read it, nested playlists and redirects included. None of it reads a file."""

_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """An address that is allowed. uri: as it was written, credentials included: for FFmpeg only.

    called: what people call it, where that is not its address.
    name: for people and for `Frame.source`; user, password and secrets are masked.
    """

    uri: str
    scheme: str
    host: str
    port: int | None
    called: str = ""

    @property
    def name(self) -> str:
        return printable(redacted(self.called or self.uri), limit=256)

    @property
    def listens(self) -> bool:
        """Whether it waits for whoever sends: `udp://@:5004`, `srt://0.0.0.0:9000?mode=listener`."""
        return not self.host or "mode=listener" in urlsplit(self.uri).query.split("&")

    @property
    def protocols(self) -> str:
        """What FFmpeg may use, as its option `protocol_whitelist` has it."""
        return PROTOCOLS[self.scheme]

    @property
    def is_playlist(self) -> bool:
        """Whether it looks like HLS, which comes a segment at a time."""
        return urlsplit(self.uri).path.lower().endswith(".m3u8")

    def __repr__(self) -> str:
        return f"Address({self.name!r})"


def is_address(uri: str) -> bool:
    """Whether `uri` names a stream of a kind that is allowed."""
    match = _ADDRESS.match(uri)
    return match is not None and match["scheme"].lower() in PROTOCOLS


def parse_address(uri: str, *, called: str = "") -> Address:
    """`uri` taken apart. Raises SourceOpenError: no host, a port that is none, an address that is refused."""
    taken = _taken_apart(uri)
    if taken is None:
        raise SourceOpenError("this is no address", where=_shown(uri), hint="like rtsp://HOST:PORT/PATH")
    parts, host, port = taken
    listens = parts.scheme in {"udp", "rtp", "srt"}  # udp://@:5004 waits for whoever sends
    if not host and not (listens and port):
        raise SourceOpenError("this address has no host", where=_shown(uri), hint="like rtsp://HOST:PORT/PATH")
    if port is None and parts.scheme in {"tcp", "udp", "rtp", "srt"}:
        raise SourceOpenError("this address has no port", where=_shown(uri), hint=f"like {parts.scheme}://HOST:PORT")
    if any(character <= " " for character in uri):
        hint = "a blank is %20 there"
        raise SourceOpenError("this address has blanks or control characters", where=_shown(uri), hint=hint)
    if why := _why_refused(host):
        raise SourceRefused(f"this address is refused: {why}", where=called or _shown(uri))
    return Address(uri, parts.scheme, host, port, called)


def _taken_apart(uri: str) -> tuple[SplitResult, str, int | None] | None:
    """Its parts, host and port; None where it is no address: Python's reason holds what may be a password."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    return parts, parts.hostname or "", port


def _shown(uri: str) -> str:
    """What cannot be taken apart may hold a password anywhere."""
    shown = redacted(uri)
    rest = shown.partition("://")[2].removeprefix("***@")
    return shown if rest and "@" not in rest else f"{uri.partition(':')[0].lower()}:..."


def _why_refused(host: str) -> str | None:
    """Of what is a number already, such as 2852039166 and 0xa9fea9fe, too; names are looked up later."""
    try:
        return why_refused(ipaddress.ip_address(host), led_from=None)
    except ValueError:
        pass
    try:
        return why_refused(ipaddress.IPv4Address(socket.inet_aton(host)), led_from=None)
    except (OSError, UnicodeError):
        return None
