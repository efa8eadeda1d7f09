"""A web server on this machine that serves bytes and breaks off as it is told, and the archives that it serves."""

import io
import ssl
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, cast

Fault = Literal[
    "", "silent", "trickled headers", "stall", "trickle", "truncate", "too long", "too short", "no range", "wrong range"
]


@dataclass
class Page:
    """What is at a path. faults: for the first requests, one each; afterwards nothing is wrong."""

    body: bytes = b""
    status: int = 200
    location: str = ""
    etag: str = '"1"'
    faults: list[Fault] = field(default_factory=list)
    half: threading.Event = field(default_factory=threading.Event)
    """Set once a faulty answer has given the first half of the body."""


class Web:
    """The server. asked: the path and the headers of each request."""

    def __init__(self, server: "_Server", *, scheme: str) -> None:
        self._server = server
        self.root = f"{scheme}://127.0.0.1:{server.server_address[1]}/"
        self.pages = server.pages
        self.asked = server.asked

    @property
    def ranges(self) -> list[str]:
        """The range that each request asked for; empty for all."""
        return [headers.get("Range", "") for _, headers in self.asked]

    def serve(self, path: str, body: bytes = b"", **page: object) -> str:
        """Put a page at `path`; its address."""
        self.pages[f"/{path}"] = Page(body, **page)  # type: ignore[arg-type]
        return self.root + path


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = cast("_Server", self.server)
        server.asked.append((self.path, dict(self.headers.items())))
        page = server.pages.get(self.path.partition("?")[0], Page(status=404))
        fault = page.faults.pop(0) if page.faults else ""
        try:
            self._answer(page, fault, server.closing)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        del format, args

    def _answer(self, page: Page, fault: Fault, closing: threading.Event) -> None:
        if fault == "silent":
            closing.wait()
        elif fault == "trickled headers":
            self._trickle(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, closing)
        else:
            offset = self._begin(page, fault)
            body = page.body[offset:]
            if fault in {"stall", "trickle", "truncate"}:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                page.half.set()
            if fault == "stall":
                closing.wait()
            elif fault == "trickle":
                self._trickle(body[len(body) // 2 :], closing)
            elif fault != "truncate":
                self.wfile.write(body[:-1000] if fault == "too short" else body)

    def _begin(self, page: Page, fault: Fault) -> int:
        wanted = self.headers.get("Range", "bytes=0-") if self.headers.get("If-Range") == page.etag else "bytes=0-"
        offset = 0 if fault == "no range" else int(wanted.removeprefix("bytes=").rstrip("-"))
        if offset >= len(page.body) > 0:
            self.send_response(416)
            self.end_headers()
            return len(page.body)
        self.send_response(206 if offset else page.status)
        size = len(page.body) - offset + {"too long": 1000, "too short": -1000}.get(fault, 0)
        self.send_header("Content-Length", str(size))
        self.send_header("ETag", page.etag)
        if page.location:
            self.send_header("Location", page.location)
        if offset:
            claimed = 1 if fault == "wrong range" else offset
            self.send_header("Content-Range", f"bytes {claimed}-{len(page.body) - 1}/{len(page.body)}")
        self.end_headers()
        return offset

    def _trickle(self, data: bytes, closing: threading.Event) -> None:
        for byte in data:
            if closing.wait(0.02):
                break
            self.wfile.write(bytes([byte]))
            self.wfile.flush()


@contextmanager
def serving(*, certificate: tuple[Path, Path] | None = None) -> Iterator[Web]:
    """A server until the block ends. certificate: files of a certificate and its key, for https."""
    server = _Server()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Web(server, scheme="http" if certificate is None else "https")
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1, and its key. Raises FileNotFoundError without openssl."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    """An archive of files, as the zoo packs them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The same as .zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def tree_tar_gz(folder: Path, *, inside: str) -> bytes:
    """An archive of all files of a folder, in a folder called `inside`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tar_gz({f"{inside}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files})
