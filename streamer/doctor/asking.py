"""Checks that load libraries, each group in a process of its own: one that aborts or never ends takes nobody along.

A child says what it will try, and tells each finding as soon as it has it. What libraries print besides is passed over;
what has not been told when a child ends, or when its time is over, is what ended it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Self, cast

from streamer.doctor.findings import Finding, Verdict, found

LIMIT_S = 13.0
"""How long all children may take together; TensorFlow alone takes five to eight seconds from a warm disk."""

Commands = Mapping[str, tuple[str, ...]]
"""The programs that tell, by what they are called where they do not even begin."""

GROUPS = ("TensorFlow", "OpenVINO", "LiteRT", "OpenCV", "encoders", "encoders in hardware", "decoders in hardware")
"""What there is to ask; the slowest comes first."""

_ROOT = str(Path(__file__).resolve().parents[2])
"""The directory that holds the package."""

_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENCV_LOG_LEVEL": "OFF"}


def all_commands() -> Commands:
    """The program for each group."""
    return {group: (sys.executable, "-P", "-m", "streamer.doctor.child", group) for group in GROUPS}


class Asked:
    """Children that are at work, from the beginning of the `with` until its end at the latest."""

    def __init__(self, commands: Commands, *, limit_s: float = LIMIT_S) -> None:
        self._commands = commands
        self._limit_s = limit_s
        self._stack = ExitStack()
        self._children: dict[str, tuple[subprocess.Popen[bytes] | OSError, IO[bytes]]] = {}

    def __enter__(self) -> Self:
        self._until_s = time.monotonic() + self._limit_s
        with ExitStack() as stack:
            for group, command in self._commands.items():
                answers = stack.enter_context(tempfile.TemporaryFile())
                self._children[group] = _started(command, answers, stack), answers
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_about: object) -> None:
        self._stack.close()

    def findings(self, group: str) -> Iterator[Finding]:
        """What a child tells, once it has ended."""
        child, answers = self._children[group]
        ending = self._ending(child)
        answers.seek(0)
        lines = list(_lines(answers.read()))
        told = {str(line["name"]): _finding(line) for line in lines if "verdict" in line}
        names = next((cast("list[str]", line["names"]) for line in lines if "names" in line), [group])
        untold = [name for name in names if name not in told]
        for name in names:
            if name in told:
                yield told[name]
            else:
                yield found(name, "broken", ending if name == untold[0] else f"not tried after {untold[0]}")

    def _ending(self, child: "subprocess.Popen[bytes] | OSError") -> str:
        """How a child ended, in words for what it has not told."""
        if isinstance(child, OSError):
            return f"no process can be started: {child.strerror}"
        try:
            code = child.wait(timeout=max(0.0, self._until_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            _end(child)
            return f"no answer within {self._limit_s:g} s; from a cold disk the first time takes longer"
        return f"it ends its process by {_signal_name(-code)}" if code < 0 else f"it ends its process with code {code}"


def _started(command: tuple[str, ...], answers: IO[bytes], stack: ExitStack) -> "subprocess.Popen[bytes] | OSError":
    path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH", "")]))
    try:
        child = subprocess.Popen(
            command,
            env={**os.environ, **_QUIET, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=answers,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent
        )
    except OSError as error:
        return error
    stack.callback(_end, child)
    return child


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.kill()
        child.wait()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _lines(answers: bytes) -> Iterator[dict[str, object]]:
    for line in answers.splitlines():
        try:
            told: object = json.loads(line)
        except ValueError:
            continue  # a library's own
        if isinstance(told, dict):
            yield told


def _finding(line: Mapping[str, object]) -> Finding:
    return found(str(line["name"]), cast("Verdict", line["verdict"]), line["found"], str(line.get("advice", "")))
