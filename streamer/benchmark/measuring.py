"""The measurement: streamer and the copied loop in turns, A B A B, each run in a process of its own.

Neither warms the other: not its caches in memory, not its libraries, not its compiled functions.
"""

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from streamer.benchmark.clips import Clip, prepare
from streamer.benchmark.runs import Job, Run, StreamerRun
from streamer.clock import NS_PER_S
from streamer.errors import InternalError, StreamerError
from streamer.models import MODEL_INSIDE
from streamer.models.formats.recognise import recognise
from streamer.text import printable

JOB, OUTCOME, FIGURES = "job.pickle", "outcome.pickle", "figures.json"

Say = Callable[[str], None]
"""Takes one line of how it goes."""


def _nobody_listens(line: str) -> None:
    del line


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All runs. loops: those of the copied loop, as many as of streamer, or none; no_loop says why there are none.

    clip: what was read; asked: how it was called.
    """

    asked: str
    clip: Clip
    model: Path
    form: str
    runs: tuple[StreamerRun, ...]
    loops: tuple[Run, ...] = ()
    no_loop: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Streamer's rate for each of the loop's, pair by pair."""
        return tuple(run.fps / loop.fps for run, loop in zip(self.runs, self.loops, strict=False) if loop.fps)


def measure(
    job: Job,
    *,
    repeats: int = 5,
    frames: int | None = None,
    seconds: float | None = None,
    with_loop: bool = True,
    say: Say = _nobody_listens,
) -> Measured:
    """Run `job` and the copied loop `repeats` times in turns; what they write is removed again.

    frames, seconds: how much of the source. say: told how it goes. Raises StreamerError.
    """
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as name:
        found = recognise(MODEL_INSIDE if job.model is None else job.model)
        clip = prepare(job.source, Path(name), frames=frames, seconds=seconds)
        given = replace(job, source=clip.source, frames=clip.frames)
        no_loop = _why_no_loop(clip, form=found.form, with_loop=with_loop)
        runs: list[StreamerRun] = []
        loops: list[Run] = []
        for number in range(1, repeats + 1):
            runs.append(_run_streamer(given))
            say(f"{number} of {repeats}: streamer {runs[-1].fps:.1f} fps")
            if no_loop:
                continue
            loop = _run_loop(given, model=found.path, form=found.form)
            if isinstance(loop, str):
                no_loop = loop
                say(f"no copied loop: {no_loop}")
            else:
                loops.append(loop)
                say(f"{number} of {repeats}: copied loop {loop.fps:.1f} fps")
    return Measured(
        asked=job.source,
        clip=clip,
        model=found.path,
        form=found.form,
        runs=tuple(runs),
        loops=tuple(loops),
        no_loop=no_loop,
    )


def middle(values: Sequence[float | None]) -> float | None:
    """The median of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _why_no_loop(clip: Clip, *, form: str, with_loop: bool) -> str:
    if not with_loop:
        return "not asked for"
    return "no how-to has one for a graph of OpenCV's" if form == "opencv_dnn" else clip.no_loop


def _run_streamer(job: Job) -> StreamerRun:
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as name:
        folder = Path(name)
        (folder / JOB).write_bytes(pickle.dumps(job))
        said = _spawned("streamer.benchmark.child", name, str(time.monotonic_ns()))
        if not (folder / OUTCOME).exists():
            raise InternalError(f"the run of streamer left nothing: {said}")
        outcome = pickle.loads((folder / OUTCOME).read_bytes())  # noqa: S301 - our own child wrote it
    if isinstance(outcome, StreamerError):
        raise outcome
    assert isinstance(outcome, StreamerRun)
    return outcome


def _run_loop(job: Job, *, model: Path, form: str) -> Run | str:
    """What the loop did, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as name:
        figures_file = Path(name) / FIGURES
        arguments = [job.source, str(model), str(Path(name) / "out.mp4"), "--form", form]
        arguments += ["--conf", str(job.options.conf), "--figures", str(figures_file)]
        arguments += ["--frames", str(job.frames)] if job.frames is not None else []
        arguments += ["--signature", job.options.signature] if job.options.signature else []
        arguments += ["--show"] if job.show else []
        arguments += ["--spawned-s", str(time.monotonic_ns() / NS_PER_S)]
        said = _spawned("streamer.benchmark.copied_loop", *arguments)
        if not figures_file.exists():
            return f"it failed: {said}"
        figures = json.loads(figures_file.read_text())
    if "no_loop" in figures:
        return str(figures["no_loop"])
    return Run(
        frames=figures["frames"],
        took_s=figures["took_s"],
        cpu_ns=round(figures["cpu_s"] * NS_PER_S),
        start_up_s=figures["start_up_s"],
        peak_bytes=figures["peak_bytes"],
    )


def _spawned(module: str, *arguments: str) -> str:
    """Run a module of this package in a process of its own, to its end; the last line that it said on stderr."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    environ = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=False,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return printable(lines[-1], limit=300) if lines else f"exit code {done.returncode}"
