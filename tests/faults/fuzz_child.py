"""A process that reads mutated clips one after another as a run does, until one of them ends the process.

python -m tests.faults.fuzz_child CLIPS --seed S --number N [--number N ...] [--keep]

CLIPS is a folder of whole clips. With --keep the mutated clips stay there, below `mutated/`. A line of each: its
number, and behind a tab the outcome, the clip, the harm, how many frames came and the megabytes that it took.
"""

import argparse
import contextlib
import faulthandler
import io
import resource
import time
import traceback
from itertools import islice
from pathlib import Path
from unittest import mock

from streamer import cli
from streamer.errors import StreamerError
from streamer.sources import open_source
from tests.e2e.child import DescribedDetector
from tests.faults.mutating import mutated

MOST_FRAMES = 60
MOST_S = 4.0
"""No more is read of a clip: what is to be found is found in its first pictures."""

EVERY = 20
"""So many clips, and one goes through the whole command line, with a recording and a table."""

GUARD_BYTES = 12 * 10**9
"""Of address space; it keeps the machine alive if a clip makes a decoder ask for everything."""


def read(path: Path) -> tuple[str, int]:
    """The outcome of opening and reading, and how many frames came."""
    frames = 0
    try:
        source = open_source(str(path))
        try:
            until_s = time.monotonic() + MOST_S
            for frame in islice(source.frames(), MOST_FRAMES):
                frames += 1
                assert frame.image.ndim == 3
                if time.monotonic() > until_s:
                    break
        finally:
            source.close()
    except StreamerError as error:
        if "\n" in str(error):
            return f"BUG several lines: {str(error)!r}", frames
        return f"refused {error.exit_code}", frames
    return "read", frames


def run(path: Path) -> tuple[str, int]:
    """The same through the command line; the outcome is its exit code."""
    outputs = [str(path.with_suffix(".out.mp4")), "--jsonl", str(path.with_suffix(".jsonl")), "--force"]
    err = io.StringIO()
    with (
        contextlib.redirect_stderr(err),
        mock.patch("streamer.cli.parts.load_detector", return_value=DescribedDetector()),
    ):
        try:
            cli.main([str(path), *outputs, "--no-show", "--duration", "2", "--model", "."])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    if code not in {0, 3, 5} or "Traceback" in err.getvalue():
        return f"BUG {code} {' '.join(err.getvalue().split())[-400:]}", 0
    return f"run {code}", 0


def reset_peak() -> None:
    """Let `VmHWM`, the most memory so far, begin anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def memory_mb(name: str) -> float:
    """`VmRSS` or `VmHWM` of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def trial(path: Path, *, whole: bool) -> tuple[str, int, float]:
    """Outcome, frames, and how many megabytes of memory it took at its highest."""
    reset_peak()
    before_mb = memory_mb("VmRSS")
    try:
        outcome, frames = (run if whole else read)(path)
    except Exception:  # noqa: BLE001 - it is what is looked for
        outcome, frames = f"BUG {' '.join(traceback.format_exc().split())[-400:]}", 0
    return outcome, frames, memory_mb("VmHWM") - before_mb


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--number", type=int, action="append", required=True)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (GUARD_BYTES, GUARD_BYTES))
    faulthandler.enable()
    clips = sorted(path for path in asked.clips.iterdir() if path.is_file())
    folder = asked.clips / "mutated"
    folder.mkdir(exist_ok=True)
    for number in asked.number:
        whole, other = clips[number % len(clips)], clips[(number * 7 + 3) % len(clips)]
        data, harm = mutated(whole.read_bytes(), other.read_bytes(), seed=asked.seed, number=number)
        path = folder / f"{number}{whole.suffix}"
        path.write_bytes(data)
        print(number, flush=True)
        outcome, frames, peak_mb = trial(path, whole=number % EVERY == EVERY - 1)
        print(f"{number}\t{outcome}\t{whole.name}\t{harm}\t{frames}\t{peak_mb:.0f}", flush=True)
        for made in folder.glob(f"{number}.*"):
            if not asked.keep:
                made.unlink()


if __name__ == "__main__":
    main()
