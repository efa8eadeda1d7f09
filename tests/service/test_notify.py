"""What a service manager hears, on real sockets."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from streamer.frame import Ledger, Status
from streamer.service.notify import ServiceManager

S = 10**9
RUNNING = Status(state="running", ledger=Ledger(produced=1))


class Ear:
    """The service manager's end of the socket."""

    def __init__(self, address: str) -> None:
        self.environ = {"NOTIFY_SOCKET": address.replace("\0", "@")}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(0)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ear]:
    made = Ear(str(tmp_path / "notify") if request.param == "path" else f"\0streamer-test-{os.getpid()}")
    yield made
    made.close()


def test_it_is_ready_with_the_first_frame_and_says_so_once(ear: Ear) -> None:
    manager = ServiceManager(ear.environ)
    manager.tell(Status(), "starting", now_ns=0)
    assert ear.heard() == ["STATUS=starting"]
    manager.tell(RUNNING, "1 frame", now_ns=S)
    assert ear.heard() == ["READY=1", "STATUS=1 frame"]
    manager.tell(RUNNING, "1 frame", now_ns=2 * S)
    assert ear.heard() == []


@pytest.mark.parametrize("state", ["connecting", "waiting"])
def test_a_source_that_is_waited_for_is_ready(ear: Ear, state: str) -> None:
    ServiceManager(ear.environ).tell(Status(state=state), state, now_ns=0)
    assert "READY=1" in ear.heard()


def test_the_watchdog_is_fed_four_times_in_its_time_while_the_stages_move(ear: Ear) -> None:
    manager = ServiceManager(ear.environ | {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())})
    fed = 0
    for quarter in range(40):
        manager.tell(RUNNING, "", now_ns=quarter * S // 4)
        fed += ear.heard().count("WATCHDOG=1")
    assert fed == 10


def test_the_watchdog_starves_while_a_stage_of_ours_stands_still(ear: Ear) -> None:
    manager = ServiceManager(ear.environ | {"WATCHDOG_USEC": "4000000"})
    stalled = Status(state="stalled", stalls="inference (detect, 3 s)", ledger=Ledger(produced=1))
    for second in range(10):
        manager.tell(stalled, "stalled", now_ns=second * S)
    assert "WATCHDOG=1" not in ear.heard()
    manager.tell(RUNNING, "moves", now_ns=11 * S)
    assert "WATCHDOG=1" in ear.heard()


def test_a_lost_source_feeds_the_watchdog(ear: Ear) -> None:
    manager = ServiceManager(ear.environ | {"WATCHDOG_USEC": "4000000"})
    manager.tell(Status(state="waiting", detail="no signal for 300 s"), "waiting", now_ns=0)
    assert "WATCHDOG=1" in ear.heard()


@pytest.mark.parametrize("extra", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}])
def test_no_watchdog_is_fed_that_nobody_keeps_for_us(ear: Ear, extra: dict[str, str]) -> None:
    manager = ServiceManager(ear.environ | extra)
    manager.tell(RUNNING, "runs", now_ns=0)
    assert "WATCHDOG=1" not in ear.heard()


def test_a_reload_is_told_with_its_time_and_its_end(ear: Ear) -> None:
    manager = ServiceManager(ear.environ)
    manager.reloading()
    manager.reloaded()
    assert ear.heard() == []  # nobody waits for a reload of what is not ready
    manager.tell(RUNNING, "", now_ns=0)
    ear.heard()
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.reloading()
    manager.reloaded()
    reloading, ready = ear.heard()
    first, second = reloading.splitlines()
    assert (first, ready) == ("RELOADING=1", "READY=1")
    name, _, value = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before_us <= int(value) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_the_end_is_told_once_and_its_reason_without_secrets_or_lines(ear: Ear) -> None:
    manager = ServiceManager(ear.environ)
    draining = Status(state="draining")
    manager.tell(draining, "draining", now_ns=0)
    manager.tell(draining, "draining", now_ns=S)
    assert ear.heard() == ["STOPPING=1\nSTATUS=draining"]
    manager.stopping("rtsp://me:hunter2@cam/1:\nREADY=1 gone")
    assert ear.heard() == ["STOPPING=1\nSTATUS=rtsp://***@cam/1: READY=1 gone"]


def test_a_run_that_ends_well_before_it_said_ready_was_ready(ear: Ear) -> None:
    ServiceManager(ear.environ).stopping("failed")
    assert ear.heard() == ["STOPPING=1\nSTATUS=failed"]
    ServiceManager(ear.environ).stopping("ended", well=True)
    assert ear.heard() == ["READY=1", "STOPPING=1\nSTATUS=ended"]


def test_a_manager_that_does_not_listen_holds_nobody_up_and_hears_of_it_later(ear: Ear) -> None:
    manager = ServiceManager(ear.environ)
    filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    filler.settimeout(0)
    address = ear.environ["NOTIFY_SOCKET"].replace("@", "\0")
    with filler, suppress(BlockingIOError):
        while True:
            filler.sendto(b"X", address)
    manager.tell(RUNNING, "", now_ns=0)
    assert "READY=1" not in ear.heard()
    manager.tell(RUNNING, "", now_ns=S)
    assert "READY=1" in ear.heard()


def test_without_a_manager_nothing_is_said_and_of_an_unknown_one_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    for address in ("", "vsock:2:1234"):
        manager = ServiceManager({"NOTIFY_SOCKET": address})
        manager.tell(RUNNING, "", now_ns=0)
        manager.reloading()
        manager.stopping("")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_socket_that_has_gone_is_no_error(tmp_path: Path) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    manager.tell(RUNNING, "", now_ns=0)
    manager.stopping("")
