"""Children that crash, hang, babble or do not even start: each is told as what it is, and none is left."""

import json
import os
import subprocess
import sys
import time

import pytest

from streamer.doctor.asking import Asked, all_commands
from streamer.doctor.findings import Finding

TELLS = "import json; tell = lambda what: print(json.dumps(what), flush=True); "
NAMES = "tell({'names': ['one', 'two', 'three']}); "
GOOD = "tell({'name': 'one', 'verdict': 'ok', 'found': '1.2', 'advice': ''}); "


def told(program: str) -> list[Finding]:
    with Asked({"group": (sys.executable, "-c", TELLS + program)}, limit_s=30) as asked:
        return list(asked.findings("group"))


def test_what_is_told_is_passed_on() -> None:
    babble = "print('W0000 a library'); print('{'); print('[1]'); "
    assert told(babble + "tell({'names': ['one']}); " + babble + GOOD) == [Finding("one", "ok", "1.2")]


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
def test_a_child_that_aborts_breaks_what_it_tried_and_what_would_have_come() -> None:
    found = told(NAMES + GOOD + "import os; os.abort()")
    assert found == [
        Finding("one", "ok", "1.2"),
        Finding("two", "broken", "it ends its process by SIGABRT"),
        Finding("three", "broken", "not tried after two"),
    ]


def test_a_child_that_never_ends_is_stopped_and_what_it_told_counts() -> None:
    program = TELLS + NAMES + GOOD + "import time; time.sleep(600)"
    with Asked({"group": (sys.executable, "-c", program)}, limit_s=30) as asked:
        _, answers = asked._children["group"]
        while b"1.2" not in os.pread(answers.fileno(), 10_000, 0):
            time.sleep(0.01)
        asked._until_s = time.monotonic()  # its time is over, however fast this machine is
        found = list(asked.findings("group"))
    assert found == [
        Finding("one", "ok", "1.2"),
        Finding("two", "broken", "no answer within 30 s; from a cold disk the first time takes longer"),
        Finding("three", "broken", "not tried after two"),
    ]


def test_a_child_that_does_not_begin_breaks_its_group() -> None:
    assert told("raise SystemExit(7)") == [Finding("group", "broken", "it ends its process with code 7")]
    with Asked({"group": ("/nowhere/python",)}) as asked:
        (found,) = asked.findings("group")
    assert (found.verdict, found.found) == ("broken", "no process can be started: No such file or directory")


def test_nobody_waits_for_the_others_when_one_gives_up() -> None:
    sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
    begun_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Asked({"one": sleeper, "two": sleeper}):
        raise KeyboardInterrupt
    assert time.monotonic() - begun_s < 15


def test_secrets_and_control_characters_of_a_library_are_not_passed_on() -> None:
    nasty = "'http://me:hunter2@x \\x1b[2J\\n' + 'x' * 999"
    line = f"tell({{'name': 'one', 'verdict': 'broken', 'found': {nasty}, 'advice': ''}})"
    (found,) = told("tell({'names': ['one']}); " + line)
    assert "hunter2" not in found.found
    assert found.found.isprintable()
    assert len(found.found) <= 240


@pytest.mark.parametrize("group", ["OpenCV", "encoders", "LiteRT"])
def test_the_real_children_tell_all_that_they_say_they_will(group: str) -> None:
    done = subprocess.run(all_commands()[group], capture_output=True, check=True, timeout=50, env=dict(os.environ))
    names, *found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    assert names["names"] == [one["name"] for one in found]
    assert {one["verdict"] for one in found} <= {"ok", "missing"}
