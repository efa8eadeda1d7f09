"""A process that damages a frozen graph or its text graph again and again, and says of each what came of it.

python -m tests.models.formats.opencv_child FOLDER pb|pbtxt FIRST LAST
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from streamer.errors import StreamerError
from streamer.models.formats.opencv_dnn import load_opencv_dnn
from tests.opencv_models import save_red_finder


def damaged(data: bytes, number: int) -> bytes:
    """`data`, harmed in one of five ways; the same for the same number."""
    chance = np.random.default_rng(number)
    first, last = sorted(int(place) for place in chance.integers(0, len(data), 2))
    match number % 5:
        case 0:
            return data[:last]
        case 1:
            return chance.bytes(int(chance.integers(1, len(data))))
        case 2:
            flipped = bytearray(data)
            flipped[first] ^= 1 << int(chance.integers(8))
            return bytes(flipped)
        case 3:
            return data[:first] + data[min(last, first + 200) :]
        case _:
            lines = data.split(b"\n")
            return b"\n".join(lines[place] for place in chance.permutation(len(lines)))


def main(folder: str, ending: str, first: str, last: str) -> None:
    whole = dict(zip(("pb", "pbtxt"), save_red_finder(Path(folder) / "whole"), strict=True))
    for number in range(int(first), int(last)):
        files = {kind: Path(folder) / f"{number}.{kind}" for kind in whole}
        for kind, path in whole.items():
            shutil.copy(path, files[kind])
        files[ending].write_bytes(damaged(whole[ending].read_bytes(), number))
        try:
            load_opencv_dnn(files["pb"], files["pbtxt"]).graph.close()
            print(number, 0, "loaded", flush=True)
        except StreamerError as error:
            print(number, error.exit_code, error, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
