"""Write the trained weights where export.py finds them without PyTorch: one .npz, with a probe to check the port by.

    python -m train_detector.dump checkpoints/best.pt weights.npz

It holds the averaged weights by their names, the network's shape and training's record as JSON, an input, and what
every unit answers to it: the proof that the Keras twin computes the same, layer by layer.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from train_detector import checkpoint
from train_detector.network import ConvUnit, Head, InvertedResidual, SeparableUnit

PROBE_SIZE_PX = (96, 160)
"""Height and width: small, and not square, so that no axis can be mistaken for another."""

PROBED = (ConvUnit, InvertedResidual, SeparableUnit, Head)

Arrays = dict[str, npt.NDArray[np.generic]]


def dump(weights_path: Path, npz_path: Path) -> None:
    """Convert a checkpoint."""
    state = checkpoint.load(weights_path)
    network = checkpoint.load_network(weights_path)
    arrays: Arrays = {f"weights/{name}": value.numpy() for name, value in state["mean"].items()}
    record = {key: state[key] for key in ("config", "plan", "progress")}
    arrays["record"] = np.array(json.dumps(record))
    arrays.update(_probe(network))
    np.savez(npz_path, **arrays)  # type: ignore[arg-type]


@torch.inference_mode()
def _probe(network: nn.Module) -> Arrays:
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (1, PROBE_SIZE_PX[0] // 8, PROBE_SIZE_PX[1] // 8, 3)).repeat(8, 1).repeat(8, 2)
    image = np.clip(coarse + random.normal(0, 20, coarse.shape), 0, 255).astype(np.float32)
    answers: Arrays = {}
    hooks = [
        module.register_forward_hook(_keep(answers, name))
        for name, module in network.named_modules()
        if isinstance(module, PROBED)
    ]
    logits, encoded = network(torch.from_numpy(image).permute(0, 3, 1, 2))
    for hook in hooks:
        hook.remove()
    return {"probe_input": image, "probe_logits": logits.numpy(), "probe_boxes": encoded.numpy(), **answers}


def _keep(answers: Arrays, name: str) -> Callable[[nn.Module, object, Tensor | tuple[Tensor, ...]], None]:
    def hook(_module: nn.Module, _inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        outputs = (output,) if isinstance(output, Tensor) else output
        for index, tensor in enumerate(outputs):
            suffix = f":{index}" if len(outputs) > 1 else ""
            answers[f"probe/{name}{suffix}"] = tensor.permute(0, 2, 3, 1).contiguous().numpy()

    return hook


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("npz", type=Path)
    arguments = parser.parse_args()
    dump(arguments.weights, arguments.npz)


if __name__ == "__main__":
    main()
