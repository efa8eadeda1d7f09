"""Servers that answer a request with bytes as they are: what cheap cameras send, no library of servers would."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[bytes], bytes]
"""What is sent for a request: its lines, up to the empty one. Nothing more is sent after an answer without length."""


class PlainServer:
    """Answers each connection's requests, one after another, and closes it where `stays` is not set."""

    def __init__(self, answer: Answer, *, stays: bool) -> None:
        self.requests: list[bytes] = []
        self._answer = answer
        self._stays = stays
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._closing.set()
        self._threads[0].join()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(0.05)
        received = b""
        with client, suppress(ConnectionError, BrokenPipeError):
            while not self._closing.is_set():
                try:
                    data = client.recv(4096)
                except TimeoutError:
                    continue
                received += data
                if not data:
                    return
                while b"\r\n\r\n" in received:
                    request, _, received = received.partition(b"\r\n\r\n")
                    self.requests.append(request)
                    self._send(client, self._answer(request))
                    if not self._stays:
                        return

    def _send(self, client: socket.socket, data: bytes) -> None:
        while data and not self._closing.is_set():
            with suppress(TimeoutError):
                data = data[client.send(data) :]


@contextmanager
def plain_server(answer: Answer, *, stays: bool = False) -> Iterator[PlainServer]:
    """A server until the block ends."""
    server = PlainServer(answer, stays=stays)
    try:
        yield server
    finally:
        server.close()


def http(body: bytes, *, kind: str = "video/mp4", with_length: bool = False) -> Answer:
    """HTTP whose end is that of the connection, and that knows no ranges."""
    length = f"Content-Length: {len(body)}\r\n" if with_length else ""
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {kind}\r\n{length}\r\n".encode()
    return lambda _: head + body
