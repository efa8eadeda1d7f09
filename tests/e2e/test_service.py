"""A run as a service has it: settings read again, a terminal that goes, health told, the service manager told."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from streamer.cli.status import look_at

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals, /proc and ptys are those of Linux"),
    pytest.mark.usefixtures("heeded_hangup"),
]

ON_TERMINAL = (
    "import os, sys; os.open(sys.argv[1], os.O_RDWR); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)
"""The first terminal that the leader of a session opens is its own from then on."""


class Run:
    """A child in a session of its own, as services are, that detects on the test pattern and tells all it does."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        source: str = "test:size=160x120",
        before: Sequence[str] = (),
        terminal: str | None = None,
        environ: dict[str, str] | None = None,
        more: Sequence[str] = (),
    ) -> None:
        self.settings, self.health = folder / "settings.yaml", folder / "health.json"
        self.lines, self.summary, self.errors = folder / "o.jsonl", folder / "o.json", folder / "stderr.txt"
        self.settings.write_text("conf: 0.5\n")
        python = [sys.executable] if terminal is None else [sys.executable, "-c", ON_TERMINAL, terminal]
        command = [*before, *python, "-m", "tests.e2e.child", *more, "run", source, "--no-show", *arguments]
        command += ["-c", str(self.settings), "--health", str(self.health)]
        command += ["--jsonl", str(self.lines), "--summary", str(self.summary)]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                env=os.environ | (environ or {}),
            )

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            assert self.process.poll() is None, self.errors.read_text()
            time.sleep(0.02)

    def said(self) -> str:
        return self.errors.read_text()

    def newest(self) -> dict[str, Any]:
        """The last whole line of what was detected."""
        whole = self.lines.read_text().splitlines(keepends=True) if self.lines.exists() else []
        found: dict[str, Any] = json.loads(next((line for line in reversed(whole) if line.endswith("\n")), "{}"))
        return found

    def until_seen(self, count: int) -> None:
        """Frames that were detected on from now on have so many boxes."""
        self.until(lambda: self.newest().get("detected", False) and len(self.newest()["detections"]) == count)

    def ended(self) -> int:
        return self.process.wait(30)


def status(path: Path) -> tuple[int, str]:
    """As a probe has it."""
    command = [sys.executable, "-m", "streamer", "status", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    return done.returncode, done.stdout


def verdict(path: Path, *, max_age_s: float = 10.0) -> tuple[int, str]:
    """The same, quicker."""
    found = look_at(path, max_age_s=max_age_s)[1]
    return found.exit_code, found.word


def test_a_changed_file_is_taken_over_and_a_broken_one_is_not(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.until_seen(1)
        run.settings.write_text("conf: 0.95\nstride: 2\n")
        run.until_seen(0)
        run.until(lambda: "stride: changed in the settings, and taken over by a restart only" in run.said())
        run.settings.write_text("conf: 7\n")
        run.until(lambda: "settings stay as they were" in run.said())
        run.settings.write_text("conf: 0.5\n")
        run.until_seen(1)
        run.process.send_signal(signal.SIGTERM)
        assert run.ended() == 143
    assert f"{run.settings}:1: conf: '7' is not allowed" in run.said()
    assert run.said().splitlines()[-1].endswith("stopped")
    summary = json.loads(run.summary.read_text())
    assert summary["reloads"] == 2
    assert summary["settings"]["conf"] == {"value": "0.5", "origin": "file", "place": f"{run.settings}:1"}
    assert json.loads(run.health.read_text())["reloads"] == 2
    assert summary["ledger"]["balanced"]


def test_sighup_reads_the_settings_again_however_often_it_comes(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.until_seen(1)
        for count in range(1, 4):
            run.process.send_signal(signal.SIGHUP)
            run.until(lambda wanted=count: run.said().count("nothing has changed") == wanted)  # type: ignore[misc]
        run.settings.write_text("conf: 0.95\n")
        run.process.send_signal(signal.SIGHUP)
        run.until_seen(0)
        run.process.send_signal(signal.SIGINT)
        assert run.ended() == 130


def test_a_hangup_of_the_terminal_ends_the_run_and_a_signal_on_it_does_not(tmp_path: Path) -> None:
    master, slave = os.openpty()
    try:
        with Run(tmp_path, terminal=os.ttyname(slave)) as run:
            run.until_seen(1)
            run.process.send_signal(signal.SIGHUP)
            run.until(lambda: "settings read again" in run.said())
            os.close(slave)
            os.close(master)
            master = slave = -1
            assert run.ended() == 129
    finally:
        for number in (master, slave):
            if number >= 0:
                os.close(number)
    ledger = json.loads(run.summary.read_text())["ledger"]
    assert ledger["balanced"]
    assert ledger["in_flight"] == 0
    health = json.loads(run.health.read_text())
    assert (health["state"], health["exit_code"], health["error"]) == ("ended", 129, None)


def test_under_nohup_sighup_is_nothing_and_a_changed_file_still_counts(tmp_path: Path) -> None:
    with Run(tmp_path, before=("nohup",)) as run:
        run.until_seen(1)
        run.process.send_signal(signal.SIGHUP)
        run.settings.write_text("conf: 0.95\n")
        run.until_seen(0)
        run.process.send_signal(signal.SIGINT)
        assert run.ended() == 130
    assert run.said().count("settings read again") == 1


def test_status_tells_a_run_from_a_stopped_and_a_killed_one(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        run.until(lambda: verdict(run.health) == (0, "running"))
        assert status(run.health)[0] == 0
        run.process.send_signal(signal.SIGSTOP)
        written_ns = json.loads(run.health.read_text())["updated_ns"]
        while time.monotonic_ns() - written_ns < 2 * 10**9:
            time.sleep(0.05)
        assert verdict(run.health, max_age_s=1.0) == (1, "stale")
        run.process.send_signal(signal.SIGCONT)
        run.until(lambda: json.loads(run.health.read_text())["updated_ns"] != written_ns)
        run.until(lambda: verdict(run.health) == (0, "running"))
        run.process.kill()
        os.waitid(os.P_PID, run.process.pid, os.WEXITED | os.WNOWAIT)  # a zombie, as in a container without an init
        code, said = status(run.health)
        assert (code, said.split(" ")[0]) == (1, "gone")


def test_the_file_of_a_killed_run_is_taken_by_the_next_one(tmp_path: Path) -> None:
    with Run(tmp_path) as killed:
        killed.until(killed.health.exists)
        killed.process.kill()
        killed.process.wait()
    assert verdict(killed.health) == (1, "gone")
    for path in (killed.lines, killed.summary):
        path.unlink(missing_ok=True)
    with Run(tmp_path) as again:
        again.until(lambda: verdict(again.health) == (0, "running"))
        again.process.send_signal(signal.SIGTERM)
        assert again.ended() == 143
    assert verdict(again.health) == (1, "ended")


def test_a_source_that_is_waited_for_is_3_and_one_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # nobody listens: every connection is refused
        address = f"rtsp://me:hunter2@127.0.0.1:{nobody.getsockname()[1]}/cam"
        with Run(tmp_path, "--reconnect", source=address) as run:
            run.until(lambda: run.health.exists() and '"waiting"' in run.health.read_text())
            assert verdict(run.health, max_age_s=60) in {(3, "waiting"), (3, "connecting")}
            run.process.send_signal(signal.SIGTERM)
            assert run.ended() == 143
        for name in ("o.jsonl", "o.json"):
            (tmp_path / name).unlink(missing_ok=True)
        with Run(tmp_path, source=address) as run:
            assert run.ended() == 3
    health = json.loads(run.health.read_text())
    assert (health["state"], health["exit_code"]) == ("failed", 3)
    assert health["error"]
    assert "hunter2" not in run.health.read_text() + run.said()


@pytest.mark.slow
def test_the_service_manager_hears_all_of_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(50)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}

        def heard(what: str) -> str:
            while not (message := ear.recv(4096).decode()).startswith(what):
                pass
            return message

        with Run(tmp_path, environ=environ, more=("--hang-at", "150")) as run:
            heard("READY=1")
            heard("WATCHDOG=1")
            run.process.send_signal(signal.SIGHUP)
            assert "\nMONOTONIC_USEC=" in heard("RELOADING=1")
            heard("READY=1")
            heard("WATCHDOG=1")
            heard("STATUS=stalled")  # the detector hangs; from here on nothing feeds the watchdog
            told = [ear.recv(4096).decode() for _ in range(4)]  # a line each second, and nothing else
            assert all(message.startswith("STATUS=stalled: inference") for message in told), told
            assert verdict(run.health, max_age_s=60) == (1, "stalled")
            run.process.send_signal(signal.SIGTERM)
            heard("STOPPING=1")
            assert run.ended() == 143
