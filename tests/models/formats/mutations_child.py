"""A process that loads damaged frozen graphs and Keras files one after another, until one ends it.

python -m tests.models.formats.mutations_child FOLDER FILE FIRST LAST
"""

import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np

from streamer.errors import StreamerError
from streamer.models.formats.loading import load
from streamer.models.formats.recognise import recognise
from streamer.models.safety.checks import check


def damaged(data: bytes, number: int) -> bytes:
    """A file, harmed in one of four ways; the same for the same number."""
    chance = np.random.default_rng(number)
    match number % 4:
        case 0:
            return data[: int(chance.integers(1, len(data)))]
        case 1:
            flipped = bytearray(data)
            for place in chance.integers(len(data), size=8):
                flipped[place] ^= 1 << int(chance.integers(8))
            return bytes(flipped)
        case 2:
            start = int(chance.integers(len(data)))
            return data[:start] + chance.bytes(64) + data[start + 64 :]
        case _:
            return _inside(data, chance) if data.startswith(b"PK") else data[: len(data) // 8] + data[len(data) // 4 :]


def _inside(data: bytes, chance: np.random.Generator) -> bytes:
    """An archive that is whole, one of whose files is not."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    harmed = members[str(chance.choice(sorted(members)))]
    for place in chance.integers(len(harmed), size=6):
        harmed[place] = int(chance.integers(256))
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, bytes(content))
    return written.getvalue()


def main(folder: str, file: str, first: str, last: str) -> None:
    whole = Path(file)
    data = whole.read_bytes()
    for number in range(int(first), int(last)):
        path = Path(folder) / f"{number}{whole.suffix}"
        path.write_bytes(damaged(data, number))
        print(number, end=" ", flush=True)
        try:
            found = recognise(path)
            check(found)
            loaded = load(found)
            shape = [known or 32 for known in loaded.signature.inputs[0].shape or (1, 32, 32, 3)]
            loaded.graph.run(np.zeros(shape, loaded.signature.inputs[0].dtype))
            loaded.graph.close()
            print("0 ran", flush=True)
        except StreamerError as error:
            print(error.exit_code, " ".join(str(error).split()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
