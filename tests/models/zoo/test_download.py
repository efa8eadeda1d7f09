"""A file is fetched whole, taken up again where it broke off, and never waited for without end."""

import logging
import resource
import shutil
import socket
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import ModelLoadError
from streamer.models.zoo import download
from streamer.models.zoo.disk import CacheWriteError
from streamer.models.zoo.download import Patience
from tests.loopback import Fault, Web, make_certificate, serving

BODY = np.random.default_rng(4).bytes(400_000)

QUICK = Patience(silence_s=0.5, slowest_bytes_per_s=1e4, slow_for_s=0.3, retry_s=0.0)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "m.tar.gz"


def fetched(url: str, target: Path, patience: Patience = QUICK) -> bytes:
    download.download(url, target, patience=patience)
    assert {path.name for path in target.parent.iterdir()} == {target.name}
    return target.read_bytes()


def test_all_of_it_arrives_and_the_watch_is_told(web: Web, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    download.download(web.serve("m", BODY), target, watch=lambda *told: seen.append(told))
    assert target.read_bytes() == BODY
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert web.asked[0][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("fault", ["truncate", "stall", "trickle"])
def test_what_breaks_off_is_taken_up_where_it_did(
    fault: Fault, web: Web, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    began_s = time.monotonic()
    assert fetched(web.serve("m", BODY, faults=[fault, fault]), target) == BODY
    assert time.monotonic() - began_s < 5
    assert web.ranges[0] == ""
    assert len(web.ranges) == 3
    assert int(web.ranges[1].removeprefix("bytes=").rstrip("-")) >= len(BODY) // 2
    assert "it is taken up again" in caplog.text


def test_whoever_is_interrupted_goes_on_at_the_next_try(
    web: Web, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(received_bytes: int, total_bytes: int | None) -> None:
        assert total_bytes == len(BODY)
        if received_bytes >= len(BODY) // 2:
            raise KeyboardInterrupt

    url = web.serve("m", BODY, faults=["stall"])
    caplog.set_level(logging.INFO)
    with pytest.raises(KeyboardInterrupt):
        download.download(url, target, watch=interrupt)
    part = target.with_name("m.tar.gz.part")
    assert part.read_bytes() == BODY[: part.stat().st_size]
    assert "0.2 MB of m.tar.gz are kept, and the next try goes on from there" in caplog.text
    assert fetched(url, target) == BODY
    assert web.ranges == ["", f"bytes={len(BODY) // 2}-"]


FAILING: dict[str, tuple[list[Fault], str]] = {
    "it says nothing": (["silent"], "gave no answer for 0.5 s"),
    "its headers come byte by byte": (["trickled headers"], "gave no answer for 0.5 s"),
    "it is longer than it is": (["too long"] * 9, "the connection ended early"),
    "it stalls at every try": (["stall"] * 9, "not a byte for 0.5 s"),
    "it trickles at every try": (["trickle"] * 9, "bytes a second are too few"),
}


@pytest.mark.parametrize(("faults", "said"), FAILING.values(), ids=FAILING)
def test_a_server_that_does_not_give_it_is_left_in_time(faults: list[Fault], said: str, web: Web, target: Path) -> None:
    began_s = time.monotonic()
    with pytest.raises(ModelLoadError, match=said) as caught:
        download.download(web.serve("m", BODY, faults=faults), target, patience=QUICK)
    assert time.monotonic() - began_s < 8
    assert caught.value.hint
    assert not target.exists()


@pytest.mark.parametrize("fault", ["no range", "wrong range"])
def test_a_server_that_cannot_go_on_begins_again(fault: Fault, web: Web, target: Path) -> None:
    assert fetched(web.serve("m", BODY, faults=["truncate", fault]), target) == BODY


def test_a_file_that_changed_in_between_is_not_mixed(web: Web, target: Path) -> None:
    url = web.serve("m", BODY, faults=["truncate"])
    with pytest.raises(ModelLoadError, match="the connection ended early"):
        download.download(url, target, patience=Patience(retries=0))
    other = BODY[::-1]
    assert fetched(web.serve("m", other, etag='"2"'), target) == other


def test_a_file_that_became_shorter_is_fetched_anew(web: Web, target: Path) -> None:
    url = web.serve("m", BODY, faults=["truncate"])
    with pytest.raises(ModelLoadError):
        download.download(url, target, patience=Patience(retries=0))
    assert fetched(web.serve("m", BODY[:1000]), target) == BODY[:1000]


def test_what_no_server_vouches_for_is_not_added_to(web: Web, target: Path) -> None:
    url = web.serve("m", BODY, faults=["truncate"], etag="")
    with pytest.raises(ModelLoadError, match="the connection ended early"):
        download.download(url, target, patience=QUICK)
    assert fetched(url, target) == BODY
    assert web.ranges == ["", ""]


def test_nothing_at_all_is_no_file(web: Web, target: Path) -> None:
    with pytest.raises(ModelLoadError, match="the server sent nothing"):
        download.download(web.serve("m", b""), target, patience=QUICK)


@pytest.mark.parametrize(("status", "said"), [(404, "is not there"), (403, "is not given"), (503, "cannot be had now")])
def test_what_the_server_answers_is_told(status: int, said: str, web: Web, target: Path) -> None:
    with pytest.raises(ModelLoadError, match=f"{said}.*the server answered {status}"):
        download.download(web.serve("m", status=status), target)


@pytest.mark.parametrize("location", ["/real", "real", "{root}real"])
def test_redirects_on_the_web_are_followed(location: str, web: Web, target: Path) -> None:
    web.serve("real", BODY)
    assert fetched(web.serve("m", status=302, location=location.format(root=web.root)), target) == BODY


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "ftp://127.0.0.1/x",
        "data:,x",
        "",
        "http://me:pw@127.0.0.1:1/x",
        "//[/",
    ],
)
def test_redirects_away_from_the_web_are_refused(location: str, web: Web, target: Path) -> None:
    url = web.serve("m", status=302, location=location or "javascript:x")
    with pytest.raises(ModelLoadError, match=r"the server redirects to .*, which is not followed") as caught:
        download.download(url, target)
    assert "pw" not in str(caught.value)
    assert len(web.asked) == 1
    assert not target.exists()


def test_redirects_without_end_are_refused(web: Web, target: Path) -> None:
    with pytest.raises(ModelLoadError, match="redirects more than 5 times"):
        download.download(web.serve("m", status=301, location="/m"), target)


def test_credentials_go_to_their_own_server_only_and_are_shown_nowhere(
    web: Web, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as other:
        other.serve("real", BODY, faults=["truncate"])
        web.serve("m", status=302, location="/n")
        web.serve("n", status=302, location=f"{other.root}real")
        url = web.root.replace("http://", "http://me:hunter%402@") + "m?token=t0k"
        assert fetched(url, target) == BODY
        with pytest.raises(ModelLoadError) as caught:
            download.download(url.replace("/m?", "/none?"), target)
        assert [headers.get("Authorization") for _, headers in web.asked[:2]] == ["Basic bWU6aHVudGVyQDI="] * 2
        assert all("Authorization" not in headers for _, headers in other.asked)
    assert "hunter" not in caplog.text + str(caught.value)
    assert "t0k" not in caplog.text + str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1/x",
        "data:,x",
        "http:///x",
        "http://",
        "https://[::1/x",
        "http://127.0.0.1:port/x",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nHost: x",
        "http://127.0.0.1/\u0130",
        "x",
    ],
)
def test_what_is_no_address_of_the_web_is_refused(url: str, target: Path) -> None:
    with pytest.raises(ModelLoadError, match="is no address that a model is fetched from"):
        download.download(url, target)


def test_a_server_that_is_not_there_is_told(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelLoadError, match=r"127.0.0.1:1 cannot be reached: Connection refused.*--model FILE"):
        download.download("http://127.0.0.1:1/m", target)

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(ModelLoadError, match=r"the server nowhere.example is not found; is there a network\?"):
        download.download("https://nowhere.example/m", target)


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def test_https_is_checked_and_never_left_for_http(
    certificate: tuple[Path, Path], web: Web, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.serve("real", BODY)
    with serving(certificate=certificate) as safe:
        safe.serve("m", BODY, faults=["truncate"])
        safe.serve("down", status=302, location=f"{web.root}real")
        with pytest.raises(ModelLoadError, match=r"the certificate of 127.0.0.1:\d+ is not trusted"):
            download.download(f"{safe.root}m", target)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert fetched(web.serve("up", status=302, location=f"{safe.root}m"), target) == BODY
        with pytest.raises(ModelLoadError, match=r"redirects to 'http://127.0.0.1:.*not followed"):
            download.download(f"{safe.root}down", target)
        stalling = safe.serve("n", BODY, faults=["trickled headers"])
        with pytest.raises(ModelLoadError, match=r"gave no answer for 0.5 s"):
            download.download(stalling, target, patience=QUICK)
    assert {path for path, _ in web.asked} == {"/up"}


def test_what_is_too_large_is_refused_before_and_while_it_comes(
    web: Web, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 100_000)
    with pytest.raises(ModelLoadError, match=r"larger than 0.1 MB"):
        download.download(web.serve("m", BODY), target)
    assert target.with_name("m.tar.gz.part").stat().st_size == 0


def test_a_disk_without_room_is_told_before_the_first_byte(
    web: Web, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(CacheWriteError, match=r"0.4 MB are needed, 0.0 MB are free .*STREAMER_CACHE"):
        download.download(web.serve("m", BODY), target)


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_disk_that_fills_up_is_told_and_what_came_is_kept(web: Web, target: Path) -> None:
    url = web.serve("m", BODY)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(CacheWriteError, match=r"the disk is full .*make room"):
            download.download(url, target, patience=QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    part = target.with_name("m.tar.gz.part").read_bytes()
    assert 0 < len(part) <= 200_000
    assert fetched(url, target) == BODY
    assert web.ranges == ["", f"bytes={len(part)}-"]


def test_a_folder_that_is_not_there_is_told(web: Web, tmp_path: Path) -> None:
    with pytest.raises(CacheWriteError, match="cannot be written: No such file or directory"):
        download.download(web.serve("m", BODY), tmp_path / "none" / "m")
