"""A process that starts `streamer` on a model of every form with a part of it damaged, until one ends the process.

python -m tests.faults.damage_child FOLDER

Each line is the form, the part, the damage, the exit code, and how many lines of errors there were; `-` for one that
is no error of streamer's.
"""

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from streamer import cli
from tests.model_forms import FORMS, parts, save_form


def harms(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What can be made of a file, by the name of the damage."""
    chance = np.random.default_rng(len(data))
    yield "emptied", b""
    yield "one byte", data[:1]
    for percent in (10, 50, 99):
        yield f"cut at {percent} %", data[: len(data) * percent // 100]
    yield "random", chance.bytes(len(data))
    yield "random behind its head", data[:64] + chance.bytes(len(data))
    yield "zeros", bytes(len(data))
    flipped = bytearray(data)
    for place in range(0, len(data), 97):
        flipped[place] ^= 0xFF
    yield "every 97th byte turned over", bytes(flipped)


def ended(model: Path) -> tuple[int, str]:
    """Exit code and stderr of a run with a model."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        try:
            cli.main(["test:frames=1,live=no", "--no-show", "--model", str(model)])
        except SystemExit as leaving:
            return int(leaving.code or 0), err.getvalue()
    return -1, err.getvalue()


def main(folder: Path) -> None:
    for number, form in enumerate(FORMS):
        whole = save_form(form, folder / str(number))
        for part in parts(whole):
            for harm, data in harms(part.read_bytes()):
                copy = folder / "copy"
                shutil.copytree(whole.parent, copy)
                (copy / part.relative_to(whole.parent)).write_bytes(data)
                code, err = ended(copy / whole.name)
                errors = sum(line.startswith("streamer: error: ") for line in err.splitlines())
                strange = [line for line in err.splitlines() if not line.startswith("streamer: ")]
                print(form, part.suffix, harm, code, "-" if strange else errors, sep="\t", flush=True)
                shutil.rmtree(copy)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
