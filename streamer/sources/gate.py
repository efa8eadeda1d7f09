"""The gate through which a stream over HTTP passes: a proxy of our own, between FFmpeg and everybody that it asks.

FFmpeg follows redirects and playlists by itself, and nothing in it can be told where they may lead. What it can be told
is a proxy: playlists, their segments and keys, and redirects are all asked for there. Names are looked up here, which
can be given up and FFmpeg's own look-up cannot, and closing the gate ends every read.

It listens on this machine only, and wants a password that only this process knows. Bytes pass as they are.
"""

import base64
import hmac
import logging
import os
import secrets
import selectors
import socket
import struct
import threading
from contextlib import suppress

from streamer.errors import SourceError, SourceOpenError, SourceRefused
from streamer.sources.dialling import Dialler, Upstream, through
from streamer.sources.proxy_request import Head, NoRequest, heads_in

logger = logging.getLogger(__name__)

_READ_BYTES = 1 << 16

_ASKS_FOR_PASSWORD = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=streamer\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)
_REFUSES = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FAILS = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Gate:
    """Open from when it is made until `close`. dialler: connects, and judges. closing: set before it is closed.

    failure: the last reason for which somebody was not reached; an OSError, or a SourceError for people.
    """

    def __init__(self, dialler: Dialler, *, closing: threading.Event) -> None:
        self.failure: SourceError | OSError | None = None
        self._dialler = dialler
        self._closing = closing
        self._password = secrets.token_urlsafe(16)
        self._lock = threading.Lock()
        self._closed = False
        self._open: set[socket.socket] = set()
        self._said: set[str] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept, name="streamer-gate")]
        self._threads[0].start()

    @property
    def proxy(self) -> str:
        """FFmpeg's option `http_proxy`; holds the password."""
        return f"http://streamer:{self._password}@127.0.0.1:{self._port}"

    def close(self) -> None:
        """Let go of everybody. Idempotent, from any thread; it does not wait."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for opened in self._open:
                with suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)
        self._dialler.close()
        with suppress(OSError), socket.socket() as knock:  # so that the thread that accepts looks up
            knock.settimeout(1)
            knock.connect(("127.0.0.1", self._port))

    def join(self) -> None:
        """Wait for its threads, once it is closed."""
        self._threads[0].join()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with self._listener:
            while not self._closed:
                try:
                    client, _ = self._listener.accept()
                except OSError as error:  # no descriptor is left
                    self._fail(error)
                    return
                thread = threading.Thread(target=self._serve, args=(client,), name="streamer-gate")
                self._threads = [known for known in self._threads if known.is_alive()] + [thread]
                thread.start()

    def _enter(self, opened: socket.socket) -> None:
        with self._lock:
            self._open.add(opened)
            if self._closed:
                with suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)

    def _leave(self, opened: socket.socket) -> None:
        with self._lock:
            self._open.discard(opened)
        opened.close()

    def _serve(self, client: socket.socket) -> None:
        self._enter(client)
        try:
            head, rest = self._first_head(client)
            if head is None:
                return
            if not hmac.compare_digest(head.password, self._expected):
                client.sendall(_ASKS_FOR_PASSWORD)
                return
            self._pass(client, head, rest)
        except NoRequest:
            logger.debug("the gate was asked for something that is no request")
        except OSError as error:
            logger.debug("the gate: %s", os.strerror(error.errno or 0))
        finally:
            self._leave(client)

    @property
    def _expected(self) -> bytes:
        return b"Basic " + base64.b64encode(f"streamer:{self._password}".encode())

    def _first_head(self, client: socket.socket) -> tuple[Head | None, bytes]:
        data = b""
        while not self._closed:
            more = client.recv(_READ_BYTES)
            if not more:
                break
            heads, data = heads_in(data + more)
            if heads:
                return heads[0], data
        return None, b""

    def _pass(self, client: socket.socket, head: Head, rest: bytes) -> None:
        try:
            server = self._dialler.dial(head.host, head.port, tls=head.connects)
        except (SourceError, OSError) as error:
            self._fail(error)
            client.sendall(_REFUSES if isinstance(error, SourceRefused) else _FAILS)
            return
        self._enter(server)
        try:
            upstream = self._dialler.upstream(head.host, tls=head.connects)
            if head.connects and upstream is not None:
                through(server, head.host, head.port, upstream)
            if head.connects:
                client.sendall(_CONNECTED)
                server.sendall(rest)
            else:
                server.sendall(_asked(head, upstream))
            self._relay(client, server, head, upstream)
        except ConnectionResetError:  # told on as it came: an end would be taken for the end of the stream
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            self._leave(server)

    def _relay(self, client: socket.socket, server: socket.socket, first: Head, upstream: Upstream | None) -> None:
        pending = b""
        with selectors.DefaultSelector() as waiting:
            for opened in (client, server):
                waiting.register(opened, selectors.EVENT_READ)
            while not self._closed:
                for key, _ in waiting.select():
                    data = self._received(key.fileobj is client, client, server)
                    if not data:
                        return
                    if key.fileobj is server:
                        client.sendall(data)
                    elif first.connects:
                        server.sendall(data)
                    else:
                        heads, pending = heads_in(pending + data)
                        for head in heads:
                            if (head.host, head.port) != (first.host, first.port):
                                return  # a server that was not judged
                            server.sendall(_asked(head, upstream))

    def _received(self, from_client: bool, client: socket.socket, server: socket.socket) -> bytes:  # noqa: FBT001
        if not from_client:
            return server.recv(_READ_BYTES)
        try:
            return client.recv(_READ_BYTES)
        except ConnectionResetError:  # FFmpeg closes what it has not read
            return b""

    def _fail(self, error: SourceError | OSError) -> None:
        if self._closing.is_set():
            return
        self.failure = error
        if isinstance(error, SourceOpenError) and error.what.startswith("it leads to") and str(error) not in self._said:
            self._said.add(str(error))
            logger.warning("%s", error)


def _asked(head: Head, upstream: Upstream | None) -> bytes:
    """The request as the server wants it; a proxy before it wants the whole address."""
    return head.of_origin() if upstream is None else head.of_proxy(upstream.authorization)
