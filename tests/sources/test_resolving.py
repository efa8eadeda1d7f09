"""Names that nobody tells: a look-up that hangs is given up, and closing does not wait for it."""

import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from streamer.errors import SourceOpenError
from streamer.sources import SourceOptions, open_source
from streamer.sources.network import NetworkSource
from streamer.sources.resolving import NotResolved, addresses_of
from tests.streams import wait_for


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A name server that never answers, until the test is over. Set once it was asked."""
    asked, over = threading.Event(), threading.Event()

    def hangs(*_: object, **__: object) -> list[object]:
        asked.set()
        assert over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", hangs)
        yield asked
        over.set()
        wait_for(lambda: not [t for t in threading.enumerate() if t.name == "streamer-lookup"])


@pytest.mark.parametrize("scheme", ["http", "https", "rtsp", "tcp", "rtmp"])
@pytest.mark.usefixtures("silence")
def test_a_look_up_that_hangs_is_given_up_and_said(scheme: str) -> None:
    began = time.monotonic()
    with pytest.raises(SourceOpenError, match=r"nobody tells the address of camera.test within"):
        open_source(f"{scheme}://camera.test:9/live/a", SourceOptions(reconnect=False, open_timeout_s=1.0))
    print(f"{scheme}: a look-up that hangs is given up after {time.monotonic() - began:.2f} s (1 s)")


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_closing_does_not_wait_for_a_look_up(scheme: str, silence: threading.Event) -> None:
    source = NetworkSource(f"{scheme}://camera.test:9/live/a", options=SourceOptions(open_timeout_s=60.0))
    assert silence.wait(10)
    began = time.monotonic()
    source.close()
    wait_for(lambda: not [t for t in threading.enumerate() if t.name in {"streamer-network", "streamer-gate"}])
    print(f"{scheme}: gone {time.monotonic() - began:.2f} s after it was closed")


def test_numbers_in_every_spelling_are_what_the_system_takes_them_for() -> None:
    closing = threading.Event()
    for text in ("127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost"):
        assert ip_address("127.0.0.1") in addresses_of(text, timeout_s=10, closing=closing)
    with pytest.raises(NotResolved, match=r"no such host: no-such-host\.invalid"):
        addresses_of("no-such-host.invalid", timeout_s=10, closing=closing)
    with pytest.raises(NotResolved, match="no such host"):
        addresses_of("a" * 300, timeout_s=10, closing=closing)
