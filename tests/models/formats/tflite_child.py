"""Loads a .tflite file with bytes of it changed, over and over, and runs what loads: what crashes ends this process.

It prints how many were loaded and run, how many were refused, and how many failed when they ran.
"""

import random
import sys
from pathlib import Path

import numpy as np

from streamer.errors import ModelError, ModelLoadError, SignatureError
from streamer.models.formats.tflite import load_tflite

MUTATIONS = 50


def mutated(content: bytes, dice: random.Random) -> bytes:
    """The file cut short, or with one to twenty of its bytes or words changed."""
    if dice.random() < 0.2:
        return content[: dice.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(dice.choice((1, 4, 20))):
        at = dice.randrange(len(changed) - 4)
        changed[at : at + 4] = dice.choice(
            (bytes(4), b"\xff\xff\xff\xff", dice.randbytes(4), dice.randbytes(1) + changed[at + 1 : at + 4])
        )
    return bytes(changed)


def outcome(path: Path) -> str:
    """What becomes of one file."""
    try:
        loaded = load_tflite(path)
    except (ModelLoadError, SignatureError):
        return "refused"
    try:
        (image,) = loaded.signature.inputs
        loaded.graph.run(np.zeros([n or 8 for n in image.shape or ()], np.float32))
    except ModelError:
        return "failed"
    finally:
        loaded.graph.close()
    return "loaded"


def main(path: Path) -> None:
    """All of them; the same ones every time."""
    content = path.read_bytes()
    dice = random.Random(11)
    outcomes = []
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(content, dice))
        outcomes.append(outcome(path))
    print(*(outcomes.count(what) for what in ("loaded", "refused", "failed")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
