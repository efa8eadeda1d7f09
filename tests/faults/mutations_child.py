"""A process that loads damaged models one after another and says of each what came of it, until one ends it.

python -m tests.faults.mutations_child FOLDER FIRST LAST
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import StreamerError
from streamer.models import load_detector
from tests.saved_models import save_constant


def damaged(data: bytes, number: int) -> bytes:
    """The graph of a model, harmed in one of five ways; the same for the same number."""
    chance = np.random.default_rng(number)
    if number == 0:
        return b""
    match number % 5:
        case 0:
            return data[: int(chance.integers(1, len(data)))]
        case 1:
            return chance.bytes(int(chance.integers(1, 2 * len(data))))
        case 2:
            flipped = bytearray(data)
            flipped[int(chance.integers(len(data)))] ^= 1 << int(chance.integers(8))
            return bytes(flipped)
        case 3:
            return _renamed(data, chance)
        case _:
            return _unwired(data, chance)


def _renamed(data: bytes, chance: np.random.Generator) -> bytes:
    """Some letters replaced by others, which the parser has nothing against."""
    letters = [place for place, byte in enumerate(data) if chr(byte).isalpha()]
    changed = bytearray(data)
    for place in chance.choice(letters, int(chance.integers(1, 4))):
        changed[place] = int(chance.integers(ord("a"), ord("z")))
    return bytes(changed)


def _unwired(data: bytes, chance: np.random.Generator) -> bytes:
    """A graph that is well written and makes no sense: nodes without inputs, attributes or a known operation."""
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415 - dear

    model = saved_model_pb2.SavedModel.FromString(data)
    graph = model.meta_graphs[0].graph_def
    nodes: list[Any] = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    for node in chance.choice(np.array(nodes, object), int(chance.integers(1, 4))):
        match int(chance.integers(5)):
            case 0:
                del node.input[:]
            case 1:
                node.attr.clear()
            case 2:
                node.op = "NoSuchOperation"
            case 3:
                node.name = ""
            case _:
                node.input.append(node.name)
    written: bytes = model.SerializeToString()
    return written


def main(folder: str, first: str, last: str) -> None:
    whole = save_constant(Path(folder) / "whole")
    for number in range(int(first), int(last)):
        copy = Path(folder) / str(number)
        shutil.copytree(whole, copy)
        graph = copy / "saved_model.pb"
        graph.write_bytes(damaged(graph.read_bytes(), number))
        print(number, end=" ", flush=True)
        try:
            load_detector(copy, input_size_px=(64, 48)).close()
            print("0 loaded", flush=True)
        except StreamerError as error:
            print(error.exit_code, " ".join(str(error).split()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
