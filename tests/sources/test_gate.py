"""Where a stream may lead, and whom it is believed: FFmpeg itself, at servers of this machine that count who asks."""

import logging
import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import pytest

from streamer.errors import SourceError, SourceOpenError, SourceRefused
from streamer.frame import Frame
from streamer.sources import SourceOptions, dialling, open_source, resolving
from streamer.sources.dialling import Dialler
from streamer.sources.gate import Gate
from streamer.sources.proxy_request import NoRequest, heads_in
from streamer.sources.reach import IPAddress, Privacy, privacy_of, why_refused
from tests import loopback
from tests.clips import write_clip
from tests.faults.figures import report
from tests.sources.test_network import hls
from tests.streams import free_port, mjpeg_server, wait_for

ONCE = SourceOptions(reconnect=False, open_timeout_s=10.0, read_timeout_s=2.0)

HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n"
END = "\n#EXT-X-ENDLIST\n"


class Names:
    """In place of the system's look-up: a public host, which really is this machine. tried: who was connected to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = {"public.example": "93.184.216.34", "evil.example": "169.254.169.254"}
        self.tried: list[str] = []
        look_up, connect = resolving.addresses_of, Dialler._try

        def addresses_of(host: str, **how: object) -> list[IPAddress]:
            if host in self.known:
                return [ip_address(self.known[host])]
            return look_up(host, **how)  # type: ignore[arg-type]

        def tried(dialler: Dialler, ip: IPAddress, port: int, timeout_s: float) -> tuple[socket.socket | None, int]:
            self.tried.append(str(ip))
            here = ip_address("127.0.0.1") if str(ip) == "93.184.216.34" else ip
            return connect(dialler, here, port, timeout_s)

        monkeypatch.setattr(dialling, "addresses_of", addresses_of)
        monkeypatch.setattr(Dialler, "_try", tried)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def _read(uri: str) -> list[Frame]:
    with suppress(SourceError):
        return list(open_source(uri, ONCE).frames())
    return []


METADATA = (
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "evil.example"),
    *(
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fd00:ec2::254]",
    ),
    *("169.254.7.7", "[fe80::1]", "100.100.100.200"),
)


@pytest.mark.parametrize("how", ["playlist", "redirect", "key"])
def test_row_59_nothing_leads_to_where_clouds_keep_their_secrets(names: Names, how: str) -> None:
    with loopback.serving() as web:
        segment = web.serve("a.ts", b"")
        for number, host in enumerate(METADATA):
            target = f"http://{host}/latest.ts"
            page = f"{number}.m3u8"
            if how == "playlist":
                uri = web.serve(page, f"{HEAD}{target}{END}".encode())
            elif how == "key":
                key = HEAD.replace("#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF')
                uri = web.serve(page, f"{key}{segment}{END}".encode())
            else:
                uri = web.serve(page, status=302, location=target)
            with pytest.raises(SourceError, match=r"it leads to .* is refused"):
                list(open_source(uri, ONCE).frames())
        assert len({path for path, _ in web.asked if path != "/a.ts"}) == len(METADATA)
    elsewhere = set(names.tried) - {"127.0.0.1"}
    figure = f"{len(METADATA)} of {len(METADATA)} metadata and link-local hosts refused, by a {how}"
    report(59, figure, line="0 requests", passed=not elsewhere)
    assert not elsewhere


@pytest.mark.parametrize("how", ["playlist", "redirect"])
@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "10.1.2.3"])
def test_row_59_a_public_server_leads_to_nobody_in_this_network(
    names: Names, how: str, host: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    clip = write_clip(tmp_path / "clip.mkv", frames=5).read_bytes()
    with loopback.serving() as web, loopback.serving() as inside:
        port = inside.serve("clip.mkv", clip).split(":")[2].partition("/")[0]
        public = web.root.replace("127.0.0.1", "public.example")
        if how == "playlist":
            web.serve("list.m3u8", f"{HEAD}http://{host}:{port}/clip.mkv{END}".encode())
        else:
            web.serve("list.m3u8", status=302, location=f"http://{host}:{port}/clip.mkv")
        assert _read(public + "list.m3u8") == []
        assert len(web.asked) == 1
        report(
            59,
            f"a public server leads inwards: {len(inside.asked)} requests",
            line="0 requests",
            passed=not inside.asked,
        )
        assert inside.asked == []
    assert set(names.tried) == {"93.184.216.34"}
    assert "nearer to this machine" in caplog.text


def test_what_is_no_nearer_is_reached(names: Names, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", frames=5).read_bytes()
    with loopback.serving() as web, loopback.serving() as other:
        target = other.serve("clip.mkv", clip)
        home = web.serve("home", status=302, location=target)
        away = web.serve("away", status=302, location=target.replace("127.0.0.1", "public.example"))
        assert len(_read(home)) == len(_read(away)) == 5
        assert len(_read(away.replace("127.0.0.1", "public.example"))) == 5
    assert names.tried.count("93.184.216.34") == 3


def test_a_link_local_address_may_be_named_by_a_person_and_by_nobody_else() -> None:
    camera = ip_address("169.254.7.7")
    assert why_refused(camera, led_from=None) is None
    assert why_refused(camera, led_from=Privacy.THIS_MACHINE)
    assert why_refused(ip_address("169.254.169.254"), led_from=None)
    assert why_refused(ip_address("192.168.1.2"), led_from=Privacy.PRIVATE) is None
    assert why_refused(ip_address("127.0.0.1"), led_from=Privacy.PRIVATE)


@pytest.mark.parametrize(
    ("address", "privacy"),
    [
        *(("8.8.8.8", Privacy.PUBLIC), ("2001:4860:4860::8888", Privacy.PUBLIC), ("192.168.1.9", Privacy.PRIVATE)),
        *(("100.64.1.1", Privacy.PRIVATE), ("fd12::1", Privacy.PRIVATE), ("::ffff:10.0.0.1", Privacy.PRIVATE)),
        *(("::1", Privacy.THIS_MACHINE), ("::", Privacy.THIS_MACHINE), ("0.0.0.0", Privacy.THIS_MACHINE)),
        *(("::127.0.0.1", Privacy.THIS_MACHINE), ("64:ff9b::7f00:1", Privacy.THIS_MACHINE)),
    ],
)
def test_how_near_an_address_is(address: str, privacy: Privacy) -> None:
    assert privacy_of(ip_address(address)) is privacy


def test_a_camera_that_takes_one_connection_is_asked_once() -> None:
    accepted: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                accepted.append(client.recv(4096))
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            listener.settimeout(0.2)
            with suppress(TimeoutError):
                listener.accept()[0].close()
                accepted.append(b"again")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SourceOpenError, match="404"):
            open_source(f"http://anna:s3cret@127.0.0.1:{port}/video?a=b", ONCE)
        thread.join()
    assert len(accepted) == 1
    head = accepted[0].decode()
    assert head.startswith("GET /video?a=b HTTP/1.1\r\n")
    assert "roxy" not in head
    assert f"Host: 127.0.0.1:{port}\r\n" in head


def test_nobody_else_gets_through_the_gate(names: Names) -> None:
    closing = threading.Event()
    dialler = Dialler("camera", options={}, own=None, timeout_s=1.0, closing=closing)
    gate = Gate(dialler, closing=closing)
    port = int(gate.proxy.rpartition(":")[2])
    answers = []
    for more in (b"", b"Proxy-Authorization: Basic c3RyZWFtZXI6Z3Vlc3M=\r\n", b"Proxy-Authorization: \xff\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET http://127.0.0.1:1/ HTTP/1.1\r\n" + more + b"\r\n")
            answers.append(client.recv(4096)[:12])
    gate.close()
    gate.join()
    assert answers == [b"HTTP/1.1 407"] * 3
    assert names.tried == []


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1", b"GET ftp://a/ HTTP/1.1", b"GET http://a:x/ HTTP/1.1", b"no", b""])
def test_what_is_no_request_to_a_proxy_is_refused(data: bytes) -> None:
    with pytest.raises(NoRequest):
        heads_in(data + b"\r\n\r\n")


def test_a_head_is_read_whole_and_changed_for_the_server() -> None:
    first = b"GET http://[::1]:81?x=1 HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic x"
    heads, rest = heads_in(first + b"\r\n\r\nGET http://h/b HT")
    assert [(head.host, head.port, head.password) for head in heads] == [("::1", 81, b"Basic x")]
    assert heads[0].of_origin() == b"GET /?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"
    assert rest == b"GET http://h/b HT"


class Proxy(threading.Thread):
    """Somebody's proxy, that wants a password. asked: the first line of each request, and its password."""

    def __init__(self) -> None:
        super().__init__()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://u:p%40ss@127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[tuple[bytes, bytes]] = []

    def run(self) -> None:
        with self._listener, suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client:
                    data = client.recv(65536)
                    if not data:
                        return
                    (head,), _rest = heads_in(data)
                    self.asked.append((data.partition(b"\r\n")[0], head.password))
                    client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def end(self) -> None:
        with socket.create_connection(self._listener.getsockname()):
            pass
        self.join()


def test_the_proxy_of_the_environment_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy()
    proxy.start()
    monkeypatch.setenv("http_proxy", proxy.address)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    with loopback.serving() as web:
        for uri in ("http://camera.invalid/a", web.serve("b", status=404)):
            with pytest.raises(SourceOpenError, match="404"):
                open_source(uri, ONCE)
        with pytest.raises(SourceOpenError):
            open_source("https://camera.invalid/a", ONCE)
        assert [path for path, _ in web.asked] == ["/b"]
        assert os.environ["no_proxy"]
        monkeypatch.delenv("http_proxy")
        with pytest.raises(SourceOpenError, match="404"):
            open_source(
                "http://c.invalid/", SourceOptions(reconnect=False, source_options=(f"http_proxy={proxy.address}",))
            )
    proxy.end()
    password = b"Basic dTpwQHNz"
    assert proxy.asked == [
        (b"GET http://camera.invalid:80/a HTTP/1.1", password),
        (b"CONNECT camera.invalid:443 HTTP/1.1", password),
        (b"GET http://c.invalid:80/ HTTP/1.1", password),
    ]


def test_closing_ends_what_passes_and_leaves_no_thread() -> None:
    with mjpeg_server() as uri:
        source = open_source(uri, ONCE)
        frames = source.frames()
        next(frames)
        source.close()
        wait_for(lambda: not [t for t in threading.enumerate() if t.name.startswith(("streamer-gate", "streamer-net"))])


@contextmanager
def _certified(folder: Path) -> Iterator[tuple[loopback.Web, str]]:
    """A server whose certificate is its own, and the option that has it trusted."""
    try:
        certificate = loopback.make_certificate(folder)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    with loopback.serving(certificate=certificate) as web:
        yield web, f"ca_file={certificate[0]}"


def test_a_certificate_is_looked_at_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", frames=5).read_bytes()
    with _certified(tmp_path) as (web, known):
        uri = web.serve("clip.mkv", clip)
        for options in (("tls_verify=0",), (known,), ("tls_verify=1", known)):
            assert len(list(open_source(uri, SourceOptions(source_options=options)).frames())) == 5
        asked = len(web.asked)
        with pytest.raises(SourceRefused, match=r"the certificate is not trusted: self.signed.*tls_verify=0"):
            open_source(uri, ONCE)
        assert len(web.asked) == asked


def test_the_certificate_of_what_a_playlist_names_is_looked_at_too(tmp_path: Path) -> None:
    playlist = hls(tmp_path)
    with _certified(tmp_path) as (secure, known), loopback.serving() as web:
        for path in sorted(tmp_path.glob("vod*.ts")):
            secure.serve(path.name, path.read_bytes())
        text = re.sub(r"(?m)^(vod.*ts)$", rf"{secure.root}\1", playlist.read_text())
        uri = web.serve("list.m3u8", text.encode())
        with pytest.raises(SourceError, match=r"whose certificate is not trusted: self.signed"):
            list(open_source(uri, ONCE).frames())
        assert secure.asked == []
        assert len(list(open_source(uri, SourceOptions(source_options=(known,))).frames())) == 100
        assert len(list(open_source(uri, SourceOptions(source_options=("tls_verify=0",))).frames())) == 100


def test_a_server_whose_certificate_cannot_be_looked_at_is_not_believed(tmp_path: Path) -> None:
    """Who stands between may break off the look, and let the stream through."""
    try:
        certificate = loopback.make_certificate(tmp_path)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    came: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            for number in range(10):
                client, _ = listener.accept()
                with client, suppress(OSError):
                    client.settimeout(5)
                    if number % 2:
                        with context.wrap_socket(client, server_side=True) as secure:
                            came.append(secure.recv(64))

    with socket.create_server(("127.0.0.1", 0)) as listener, loopback.serving() as web:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        target = f"https://127.0.0.1:{listener.getsockname()[1]}/a.ts"
        uri = web.serve("list.m3u8", f"{HEAD}{target}\n#EXTINF:3,\n{target}?2{END}".encode())
        assert _read(uri) == []
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert [data for data in came if data] == []


@pytest.mark.parametrize("scheme", ["rtsps", "rtmps"])
def test_the_certificates_of_rtsps_and_rtmps_are_looked_at(scheme: str, tmp_path: Path) -> None:
    try:
        certificate = loopback.make_certificate(tmp_path)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    came: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    client.settimeout(5)
                    with context.wrap_socket(client, server_side=True) as secure:
                        came.append(secure.recv(64))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        uri = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/live/a"
        with pytest.raises(SourceRefused, match=r"the certificate is not trusted: self.signed"):
            open_source(uri, ONCE)
        assert [data for data in came if data] == []
        for option in (f"ca_file={certificate[0]}", "tls_verify=0"):
            with pytest.raises(SourceOpenError) as caught:
                open_source(uri, SourceOptions(reconnect=False, source_options=(option,)))
            assert "trusted" not in str(caught.value)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len([data for data in came if data]) == 2


def test_a_server_that_refuses_is_told_as_such_through_the_gate() -> None:
    with pytest.raises(SourceOpenError, match="connection refused"):
        open_source(f"http://127.0.0.1:{free_port()}/", ONCE)
