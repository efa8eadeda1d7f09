"""Streams of real servers on this machine: what is refused, what none can reach, and what is never told."""

import logging
from contextlib import suppress
from pathlib import Path

import pytest

from streamer.errors import ConfigError, SourceError, SourceOpenError
from streamer.frame import Frame
from streamer.sources import SourceOptions, open_source
from streamer.sources.network import NetworkSource
from tests import loopback
from tests.clips import write_clip
from tests.faults.figures import report
from tests.plain_server import plain_server
from tests.sources.reading import ONCE, PATIENT, some
from tests.streams import (
    free_port,
    mjpeg_server,
    rtsp_server,
)


def test_rtsp_gets_the_password_and_says_when_it_is_wrong() -> None:
    with rtsp_server(login=("anna", "s3cret")) as uri:
        known = uri.replace("rtsp://", "rtsp://anna:s3cret@")
        (frame,) = some(open_source(known, PATIENT), 1)
        assert frame.source == uri.replace("rtsp://", "rtsp://***@")
        for other in (uri, known.replace("s3cret", "guess")):
            with pytest.raises(SourceOpenError, match="401: it wants a user and a password"):
                open_source(other, PATIENT)


def _web_error(status: int) -> str:
    with loopback.serving() as web, pytest.raises(SourceOpenError) as caught:
        open_source(web.serve("stream", status=status), ONCE)
    return caught.value.what


def test_why_it_cannot_be_opened_is_told() -> None:
    told = [_web_error(status) for status in (401, 403, 404, 500)]
    for uri in (f"tcp://127.0.0.1:{free_port()}", "http://no-such-host.invalid/", "rtsp://no-such-host.invalid/"):
        with pytest.raises(SourceOpenError) as caught:
            open_source(uri, ONCE)
        told.append(caught.value.what)
    with loopback.serving() as web:
        with pytest.raises(SourceOpenError) as caught:
            open_source(web.serve("page", b"<html>a page</html>" * 99), ONCE)
        told.append(caught.value.what)
    report(12, f"{len(set(told))} texts for 7 reasons", line="each its own", passed=len(set(told)) == 7)
    begins = ["401", "403", "404", "the server has", "connection refused", "no such host", "no such host", "it answers"]
    assert [text.startswith(begin) for text, begin in zip(told, begins, strict=True)] == [True] * 8


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("http://", "no host"),
        ("rtsp:///path", "no host"),
        ("http://a:99999/", "no address"),
        ("tcp://[::1", "no address"),
        ("http://a/\r\nX: y", "control characters"),
        ("http://169.254.169.254/latest/meta-data", "refused"),
        ("http://[::ffff:169.254.169.254]/", "refused"),
        ("http://2852039166/", "refused"),
        ("rtsp://0251.0376.0251.0376/live", "refused"),
        ("tcp://0xa9fea9fe:80", "refused"),
        ("http://[64:ff9b::a9fe:a9fe]/", "refused"),
        ("http://100.100.100.200/", "refused"),
    ],
)
def test_addresses_that_are_none_are_refused_unasked(uri: str, text: str) -> None:
    with pytest.raises(SourceOpenError, match=text):
        NetworkSource(uri)
    if "169.254" in uri:
        report(59, "169.254.169.254: refused unasked", line="10/10 refused", passed=True)


def _what_is_read(uri: str) -> list[Frame]:
    with suppress(SourceError):
        return list(open_source(uri, ONCE).frames())
    return []


def test_a_stream_reaches_no_file_and_no_other_protocol(tmp_path: Path) -> None:
    secret = write_clip(tmp_path / "secret.ts", frames=30)
    asked: list[str] = []
    with loopback.serving() as web, loopback.serving() as other:
        hit = other.serve("hit.ts", secret.read_bytes())
        head = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n"
        lists = {
            "file.m3u8": f"{head}file://{secret}\n#EXT-X-ENDLIST\n",
            "path.m3u8": f"{head}{secret}\n#EXT-X-ENDLIST\n",
            "concat.m3u8": f"{head}concat:{secret}\n#EXT-X-ENDLIST\n",
            "data.m3u8": f"{head}data:video/mp2t;base64,AAAA\n#EXT-X-ENDLIST\n",
            "tcp.m3u8": f"{head}{hit.replace('http:', 'gopher:')}\n#EXT-X-ENDLIST\n",
            "concat.txt": f"ffconcat version 1.0\nfile '{secret}'\n",
        }
        addresses = [web.serve(name, text.encode()) for name, text in lists.items()]
        addresses.append(web.serve("sent.ts", status=302, location=f"file://{secret}"))
        read = {uri: len(_what_is_read(uri)) for uri in addresses}
        asked += [path for path, _ in other.asked]
        local = tmp_path / "local.m3u8"
        local.write_text(f"{head}{hit}\n#EXT-X-ENDLIST\n")
        read[str(local)] = len(_what_is_read(str(local)))
        asked += [path for path, _ in other.asked]
    refused = sum(frames == 0 for frames in read.values())
    figure = f"{refused} of {len(read)} lists and redirects refused, {len(asked)} requests elsewhere"
    report(59, figure, line="10/10 refused, 0 requests", passed=refused == len(read) and not asked)
    assert set(read.values()) == {0}, read
    assert asked == []


def test_what_a_stream_may_reach_cannot_be_widened_by_options() -> None:
    with pytest.raises(ConfigError, match="reach"):
        SourceOptions(source_options=("protocol_whitelist=file",))


SECRETS = ["rtsp://anna:s3cret@127.0.0.1:{port}/live", "http://anna:s3/cr@et@127.0.0.1:{port}/a?token=s3cret"]


@pytest.mark.parametrize("pattern", SECRETS)
def test_the_password_is_never_told(pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    uri = pattern.format(port=free_port())
    with pytest.raises(SourceOpenError) as caught:
        open_source(uri, ONCE)
    chain, error = "", caught.value
    cause: BaseException | None = error
    while cause is not None:
        chain += repr(cause) + str(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    assert "s3" not in chain + caplog.text


def test_the_password_is_sent_and_in_no_name_of_the_frames() -> None:
    with mjpeg_server() as uri:
        source = open_source(uri.replace("http://", "http://anna:s3cret@") + "?token=s3cret", PATIENT)
        (frame,) = some(source, 1)
    assert "s3cret" not in f"{source.info}{frame!r}"
    assert "127.0.0.1" in source.info.name


def test_a_way_of_sending_that_a_server_does_not_know_is_named() -> None:
    sdp = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track=0\r\n"

    def answer(request: bytes) -> bytes:
        method, number = request.split()[0], request.lower().partition(b"cseq:")[2].split()[0]
        status = b"461 Unsupported transport" if method == b"SETUP" else b"200 OK"
        body = sdp if method == b"DESCRIBE" else b""
        head = b"RTSP/1.0 %b\r\nCSeq: %b\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n"
        return head % (status, number, len(body)) + body

    told = r"does not send pictures this way \(--rtsp-transport udp, or tcp\)"
    with plain_server(answer, stays=True) as server, pytest.raises(SourceOpenError, match=told):
        open_source(f"rtsp://127.0.0.1:{server.port}/live", SourceOptions(reconnect=False))
