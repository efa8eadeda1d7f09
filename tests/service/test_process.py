"""Whether a process is still there is told without being fooled by its number."""

import os
import subprocess
import sys

import pytest

from streamer.service.process import ProcessId, presence, this_process

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells it on Linux only")


def test_a_process_is_there_until_it_ends_and_a_zombie_is_gone() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        known = this_process().model_copy(update={"pid": child.pid, "started_ticks": _started(child.pid)})
        assert presence(known) == "there"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has taken note
        assert presence(known) == "gone"
    assert presence(known) == "gone"


def test_a_number_that_was_given_again_is_another_process() -> None:
    me = this_process()
    assert presence(me) == "there"
    assert me.started_ticks is not None
    assert presence(me.model_copy(update={"started_ticks": me.started_ticks - 1})) == "gone"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"boot_id": "another"}, "gone"),
        ({"pid_space": "pid:[1]"}, "unknown"),
        ({"pid": 0}, "gone"),
        ({"pid": -1}, "gone"),
        ({"pid": 2**40}, "gone"),
    ],
)
def test_what_cannot_be_this_machines_process_is_not_there(change: dict[str, object], expected: str) -> None:
    assert presence(this_process().model_copy(update=change)) == expected


def test_a_name_with_brackets_and_spaces_hides_nothing() -> None:
    """The name stands before the fields that are read: `10 (a) Z 1 (b) R 1 ...`."""
    naming = (
        "import ctypes, sys; ctypes.CDLL(None).prctl(15, b') Z 1 (x', 0, 0, 0); print(flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", naming], stdin=pipe, stdout=pipe) as child:
        assert child.stdout is not None
        child.stdout.readline()
        known = ProcessId.model_validate(this_process().model_dump() | {"pid": child.pid, "started_ticks": None})
        assert presence(known) == "there"
        child.communicate()


def _started(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return int(file.read().rpartition(")")[2].split()[19])
