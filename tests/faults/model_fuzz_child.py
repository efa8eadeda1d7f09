"""A process that loads mutated models one after another as a run does, and shows them a picture, until one ends it.

python -m tests.faults.model_fuzz_child MODELS --seed S --number N [--number N ...] [--keep]

MODELS holds a folder for each whole model, named after its form, with a file `entry` that names what --model takes.
With --keep the mutated models stay, below `mutated/`. A line of each: its number, and behind a tab the outcome, the
model, the part of it that was harmed, how, and the megabytes that it took.
"""

import argparse
import faulthandler
import os
import resource
import shutil
import tempfile
import traceback
from pathlib import Path

import numpy as np

from streamer.errors import StreamerError
from streamer.models import load_detector
from streamer.models.options import ModelOptions, Runtime
from tests.faults.fuzz_child import memory_mb, reset_peak
from tests.faults.mutating import mutated
from tests.faults.rewiring import rewired
from tests.model_forms import parts

GUARD_BYTES = 24 * 10**9
"""Of address space; it keeps the machine alive if a model asks for everything."""


def load(model: Path, runtime: Runtime) -> str:
    """What came of loading it and of one picture."""
    picture = np.random.default_rng(3).integers(0, 255, (96, 128, 3), np.uint8)
    try:
        detector = load_detector(model, ModelOptions(runtime=runtime), input_size_px=(128, 96))
        try:
            (found,) = detector.detect([picture])
        finally:
            detector.close()
    except StreamerError as error:
        if "\n" in str(error):
            return f"BUG several lines: {str(error)!r}"
        return f"refused {error.exit_code}"
    assert np.isfinite(found.boxes).all()
    return "loaded"


def harm(part: Path, other: Path, seed: int, number: int, *, by_parts: bool) -> str:
    """Overwrite a part of a model with what was made of it, as bytes or by its parts where they are known; how."""
    data = part.read_bytes()
    if by_parts:
        try:
            changed = rewired(part.name, data, np.random.default_rng((seed, number)))
        except (OverflowError, TypeError, ValueError):  # a number that the format cannot write
            changed = None
        if changed is not None:
            part.write_bytes(changed)
            return "rewired"
    changed, how = mutated(data, other.read_bytes(), seed=seed, number=number)
    part.write_bytes(changed)
    return how


def trial(model: Path, runtime: Runtime) -> tuple[str, float]:
    """The outcome, and how many megabytes of memory it took at its highest."""
    reset_peak()
    before_mb = memory_mb("VmRSS")
    try:
        outcome = load(model, runtime)
    except Exception:  # noqa: BLE001 - it is what is looked for
        outcome = f"BUG {' '.join(traceback.format_exc().split())[-600:]}"
    return outcome, memory_mb("VmHWM") - before_mb


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--number", type=int, action="append", required=True)
    parser.add_argument("--runtime", default="saved")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (GUARD_BYTES, GUARD_BYTES))
    faulthandler.enable()
    folders = sorted(path for path in asked.models.iterdir() if (path / "entry").exists())
    with tempfile.TemporaryDirectory() as cache:
        os.environ["STREAMER_CACHE"] = cache
        for number in asked.number:
            whole, other = folders[number % len(folders)], folders[(number * 5 + 2) % len(folders)]
            copy = asked.models / "mutated" / str(number)
            shutil.copytree(whole, copy)
            name = (copy / "entry").read_text(encoding="utf-8")
            places = parts(copy / name)
            part = places[number // len(folders) % len(places)]
            by_parts = bool(number // len(folders) // len(places) % 2)
            how = harm(
                part,
                parts(other / (other / "entry").read_text(encoding="utf-8"))[0],
                asked.seed,
                number,
                by_parts=by_parts,
            )
            print(number, flush=True)
            outcome, peak_mb = trial(copy / name, asked.runtime)
            print(f"{number}\t{outcome}\t{whole.name}\t{part.name}\t{how}\t{peak_mb:.0f}", flush=True)
            if not asked.keep:
                shutil.rmtree(copy)


if __name__ == "__main__":
    main()
