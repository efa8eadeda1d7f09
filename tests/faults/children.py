"""Many numbered trials in child processes, each of which does several: who crashed, who hung, and what the others said.

A child prints a line `NUMBER` and flushes when it begins a trial, and `NUMBER<tab>OUTCOME` when it has done it.
"""

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

START_S = 60.0
"""How long a child may take to begin its first trial: it imports TensorFlow, perhaps."""


@dataclass
class Outcomes:
    """By the numbers of the trials. crashed: the name of the signal, or the exit code. took_s: the whole."""

    said: dict[int, str] = field(default_factory=dict)
    crashed: dict[int, str] = field(default_factory=dict)
    hung: list[int] = field(default_factory=list)
    children: int = 0
    took_s: float = 0.0
    slowest_s: float = 0.0


def run_trials(
    command: Callable[[Sequence[int]], list[str]], numbers: Sequence[int], *, hang_s: float, each: int = 50
) -> Outcomes:
    """Do all of them, at most `each` in one child; after a crash or a hang the next child goes on behind it.

    command: the arguments of Python that make a child do these numbers, in order.
    """
    outcomes = Outcomes()
    began_s = time.monotonic()
    left = list(numbers)
    while left:
        done = _child(command(left[:each]), left[:each], outcomes, hang_s)
        left = left[done:]
    outcomes.took_s = time.monotonic() - began_s
    return outcomes


def _child(arguments: list[str], numbers: Sequence[int], outcomes: Outcomes, hang_s: float) -> int:
    """How many of the numbers are settled."""
    outcomes.children += 1
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=errors) as child,
    ):
        begun = _listen(child, outcomes, hang_s)
        code = child.wait()
        errors.seek(0)
        last_words = errors.read()[-2000:]
    if begun is None:
        settled = sum(number in outcomes.said for number in numbers)
        if code or not settled:
            raise AssertionError(f"a child ended with {code} outside of any trial: {last_words}")
        return settled
    if begun not in outcomes.hung:
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        outcomes.crashed[begun] = f"{name} {last_words if code >= 0 else ''}".strip()
    return list(numbers).index(begun) + 1


def _listen(child: subprocess.Popen[bytes], outcomes: Outcomes, hang_s: float) -> int | None:
    """Take what a child says until it ends or is ended; the trial that it had begun and not done."""
    assert child.stdout is not None
    begun: int | None = None
    since_s = time.monotonic()
    patience_s = START_S
    unread = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, since_s + patience_s - time.monotonic())):
                child.kill()
                if begun is None:
                    raise AssertionError(f"a child began nothing in {patience_s:g} s")
                outcomes.hung.append(begun)
                return begun
            data = os.read(child.stdout.fileno(), 1 << 16)
            if not data:
                return begun
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                number, tab, outcome = line.decode().partition("\t")
                now_s = time.monotonic()
                if tab:
                    outcomes.said[int(number)] = outcome
                    outcomes.slowest_s = max(outcomes.slowest_s, now_s - since_s)
                begun = None if tab else int(number)
                since_s, patience_s = now_s, START_S if begun is None else hang_s
