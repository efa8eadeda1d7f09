#!/usr/bin/env python3
"""What is made of each model in a folder, and what it sees on photographs: a line each.

    python scripts/bench/models.py MODELS --pictures PICTURE... [--conf .5] [--labels FILE]

MODELS is searched for model files and SavedModel folders. Each is opened as `streamer run` opens it, with what is open
decided by looking at the pictures; models of any size get that of the first. The lines are those of a run, its
detections, or why it is refused.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from streamer.errors import StreamerError
from streamer.frame import Image
from streamer.models import ModelOptions, load_detector

ENDINGS = {".pb", ".keras", ".h5", ".tflite"}


def models_in(folder: Path) -> Iterator[Path]:
    """SavedModel folders and model files, in order; what is inside a SavedModel is not looked at."""
    if (folder / "saved_model.pb").is_file():
        yield folder
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from models_in(path)
        elif path.suffix in ENDINGS:
            yield path


def read(path: Path) -> Image:
    """A picture, upright."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path} is no picture")
    return image.astype(np.uint8, copy=False)


def report(model: Path, pictures: dict[str, Image], options: ModelOptions) -> None:
    """Print what is made of one model."""
    height, width = next(iter(pictures.values())).shape[:2]
    try:
        detector = load_detector(
            model, options, input_size_px=(width, height), pictures=lambda: list(pictures.values())
        )
    except StreamerError as error:
        print(f"  exit {error.exit_code}: {error}")
        return
    print(f"  {detector.describe()}")
    for name, image in pictures.items():
        (found,) = detector.detect([image])
        rows = zip(found.class_ids, found.scores, found.boxes, strict=True)
        seen = [
            f"{detector.labels.name(int(class_id))} {score:.2f} {','.join(f'{side:.0f}' for side in box)}"
            for class_id, score, box in rows
        ]
        print(f"    {name}: {len(seen)}: {'; '.join(seen[:6])}")
    detector.close()


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="+", required=True)
    parser.add_argument("--conf", type=float, default=0.5)
    parser.add_argument("--labels", type=Path)
    asked = parser.parse_args()
    pictures = {path.name: read(path) for path in asked.pictures}
    for model in models_in(asked.models):
        print(model.relative_to(asked.models))
        report(model, pictures, ModelOptions(conf=asked.conf, labels=asked.labels))


if __name__ == "__main__":
    main()
