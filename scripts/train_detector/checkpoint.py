"""What a training run leaves on disk so that it can go on, and so that its weights can be judged and exported."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from train_detector.network import Detector, NetworkConfig

State = dict[str, Any]


def save(path: Path, state: State) -> None:
    """Write all or nothing: a crash in the middle leaves the previous file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    torch.save(state, unfinished)
    unfinished.replace(path)


def load(path: Path) -> State:
    """Plain values and tensors only; nothing of the file is executed."""
    state: State = torch.load(path, map_location="cpu", weights_only=True)
    return state


def describe(network: Detector) -> State:
    """The shape of a network, in plain values."""
    return dataclasses.asdict(network.config)


def load_network(path: Path, *, mean: bool = True) -> Detector:
    """A network for use: the moving average of the weights, or the weights themselves."""
    state = load(path)
    network = Detector(NetworkConfig.from_dict(state["config"]))
    network.load_state_dict(state["mean" if mean else "network"])
    return network.eval()
