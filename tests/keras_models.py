"""Keras files that tests make for themselves: a small network with raw heads, and what strangers do to files."""

import json
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamer.models.runtimes.tensorflow import import_tensorflow

Model = Any
"""Keras comes without types."""

SIZE_PX = (48, 32)
"""(width, height) of what the network takes."""

WEIGHTS = 3 * 3 * 3 * 8 + 8 + 4 * 8 + 8 * 4 + 4 + 8 * 2 + 2
"""Of conv, norm, boxes and scores."""


def network(*, named_outputs: bool = True, dtype: str = "float32", any_size: bool = False) -> Model:
    """A network with two raw heads: boxes [N,h,w,4] and scores [N,h,w,2].

    named_outputs: as a dictionary; otherwise a list, whose names are those of the last layers.
    """
    tensorflow = import_tensorflow()
    keras = tensorflow.keras
    keras.utils.set_random_seed(4)
    width, height = SIZE_PX
    shape = (None, None, 3) if any_size else (height, width, 3)
    image = keras.Input(shape, name="image", dtype=dtype)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", kernel_regularizer="l2", name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    boxes = keras.layers.Conv2D(4, 1, name="boxes")(x)
    scores = keras.layers.Conv2D(2, 1, activation="sigmoid", name="scores")(x)
    return keras.Model(image, {"b": boxes, "s": scores} if named_outputs else [boxes, scores])


def save_keras(path: Path, model: Model | None = None) -> Path:
    """A .keras or .h5 file, by the ending of `path`."""
    with writing():
        (model or network(named_outputs=path.suffix == ".keras")).save(str(path))
    return path


@contextmanager
def writing() -> Iterator[None]:
    """Keras 3.15 warns of itself with numpy 2, and of .h5, while it writes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def with_lambda(canary: Path) -> Model:
    """A model whose Lambda makes a file when it is run."""
    keras = import_tensorflow().keras
    image = keras.Input((4, 4, 3))
    code = f"lambda x: (__import__('pathlib').Path({str(canary)!r}).touch(), x * 2)[1]"
    return keras.Model(image, keras.layers.Lambda(eval(code), output_shape=(4, 4, 3), name="deed")(image))


def edit_keras(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change the description in a .keras or .h5 file."""
    if path.suffix == ".h5":
        import h5py  # noqa: PLC0415 - dear

        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)
        return path
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def joined(path: Path, *parts: Path) -> Path:
    """Files one behind the other in one file."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def behind(front: bytes, inner: Path, path: Path) -> Path:
    """A file with other bytes in front of it; HDF5 is looked for at 0, 512, 1024 and so on."""
    path.write_bytes(front + inner.read_bytes())
    return path


def layer(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The description of a layer, in that of a model."""
    found: dict[str, Any] = next(known for known in config["config"]["layers"] if known["config"]["name"] == name)
    return found
