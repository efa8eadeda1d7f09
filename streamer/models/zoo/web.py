"""Questions to servers of the web: over http and https only, never from https down to http, each bounded in time.

What becomes of an answer is not its matter. Called by download.py.
"""

import http.client
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from streamer.errors import ModelLoadError
from streamer.text import printable, redacted

SCHEMES = ("http", "https")

MAX_REDIRECTS = 5

BY_HAND = "it can be fetched by other means, too, and the file given: --model FILE"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class RangeRefused(Exception):
    """The server has no such part of the file."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of a server; no user and no password are in `url`."""

    url: str
    headers: Mapping[str, str]

    @property
    def server(self) -> str:
        """The name and port that are asked, for people."""
        return printable(urlsplit(self.url).netloc)

    @property
    def origin(self) -> tuple[str, str]:
        """Scheme and server: credentials stay with them."""
        parts = urlsplit(self.url)
        return parts.scheme, parts.netloc

    def with_headers(self, headers: Mapping[str, str]) -> "Asking":
        """The same with more headers."""
        return Asking(self.url, {**self.headers, **headers})


def asking_for(url: str) -> Asking:
    """What is asked for `url`, with the credentials in it in a header of their own. Raises ModelLoadError."""
    asking = _at(url)
    if asking is None:
        raise ModelLoadError(
            "is no address that a model is fetched from", where=url, hint="https://... and http://... are"
        )
    return asking


def _at(url: str, *, base: str = "") -> Asking | None:
    try:
        url = urljoin(base, url)
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in SCHEMES or not host or not url.isascii() or not url.isprintable() or " " in url:
        return None
    place = f"[{host}]" if ":" in host else host
    bare = parts._replace(netloc=place if port is None else f"{place}:{port}", fragment="")
    headers = {"User-Agent": "streamer", "Accept-Encoding": "identity"}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(credentials).decode()}"
    return Asking(urlunsplit(bare), headers)


def opened(asking: Asking, *, silence_s: float) -> http.client.HTTPResponse:
    """The answer, or that from where the server redirects to. Raises ModelLoadError, RangeRefused."""
    asked = asking
    for _ in range(MAX_REDIRECTS + 1):
        try:
            request = Request(asked.url, headers=dict(asked.headers))  # noqa: S310 - asking_for looks at the scheme
            response = _opener().open(request, timeout=silence_s)
        except HTTPError as error:
            with error:
                if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in asked.headers:
                    raise RangeRefused from error
                if error.code not in _REDIRECTS:
                    raise _told_status(asking, error) from error
                asked = _redirected(asked, error.headers.get("Location", ""), first=asking)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _told_failure(asked, error, silence_s) from error
        else:
            assert isinstance(response, http.client.HTTPResponse)
            return response
    raise ModelLoadError(f"the server redirects more than {MAX_REDIRECTS} times", where=asking.url)


def _redirected(asked: Asking, location: str, *, first: Asking) -> Asking:
    """`asked` at the place that it is sent to; never away from the web, and never from https down to http."""
    following = _at(location, base=asked.url)
    if following is None or asked.origin[0] == "https" != following.origin[0] or "Authorization" in following.headers:
        place = printable(redacted(location), limit=200)
        raise ModelLoadError(f"the server redirects to {place!r}, which is not followed", where=first.url)
    kept = {n: v for n, v in asked.headers.items() if n != "Authorization" or following.origin == asked.origin}
    return following.with_headers(kept)


def _told_status(asking: Asking, error: HTTPError) -> ModelLoadError:
    what = {
        404: "is not there",
        410: "is not there any more",
        401: "needs a password",
        403: "is not given to everybody",
    }
    said = what.get(error.code, "cannot be had now" if error.code >= 500 else "is not given")
    answer = f"{error.code} {printable(str(error.reason))}".strip()
    return ModelLoadError(f"{said}: the server answered {answer}", where=asking.url, hint=BY_HAND)


def _told_failure(asking: Asking, error: Exception, silence_s: float) -> ModelLoadError:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, socket.gaierror):
        what = f"the server {asking.server} is not found; is there a network?"
    elif isinstance(reason, TimeoutError):
        what = f"{asking.server} gave no answer for {silence_s:g} s"
    elif isinstance(reason, ssl.SSLCertVerificationError):
        what = f"the certificate of {asking.server} is not trusted: {printable(reason.verify_message)}"
    elif isinstance(reason, OSError):
        what = f"{asking.server} cannot be reached: {printable(reason.strerror or str(reason))}"
    else:
        what = f"{asking.server} does not answer as a server of the web does"
    return ModelLoadError(f"it could not be fetched: {what}", where=asking.url, hint=BY_HAND)


def _opener() -> OpenerDirector:
    """Http, https and the proxies of the environment; no files, no FTP, no redirects of its own."""
    opener = OpenerDirector()
    for handler in (ProxyHandler(), _Http(), _Https(), HTTPDefaultErrorHandler(), HTTPErrorProcessor()):
        opener.add_handler(handler)
    return opener


class _HttpConnection(http.client.HTTPConnection):
    """Its timeout is for each byte; this bounds the headers as a whole, which a server might give one by one."""

    def getresponse(self) -> http.client.HTTPResponse:
        with _Deadline(self.sock, self.timeout):
            return super().getresponse()


class _HttpsConnection(http.client.HTTPSConnection):
    def getresponse(self) -> http.client.HTTPResponse:
        with _Deadline(self.sock, self.timeout):
            return super().getresponse()


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_HttpConnection, req)


class _Https(HTTPSHandler):
    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_HttpsConnection, req)


class _Deadline:
    """Ends what waits on a socket after `timeout_s`; the block raises TimeoutError then."""

    def __init__(self, sock: socket.socket, timeout_s: float | None) -> None:
        self._sock = sock
        self._passed = threading.Event()
        self._timer = threading.Timer(timeout_s or 0.0, self._end)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._passed.is_set():
            raise TimeoutError

    def _end(self) -> None:
        self._passed.set()
        with suppress(OSError):
            # Not SSLSocket's own, which takes the ground from under a read in another thread.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
