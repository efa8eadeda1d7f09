"""What --blur face hides of the labelled faces of a split, by the score from which on and the margin.

    python -m bench.people.hidden --data ../../shared/datasets/people/val [--model DIR]

A face counts as hidden where all from its eyes to its mouth lies under a grown box: the middle eight tenths of it
across, from two to nine tenths down. Pictures are 320x320, letterboxed; faces of 24 px and more.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bench.people.figures import LARGE_FACE_PX, number, table
from bench.people.split import CLASSES, Floats, Found, Picture, read_split
from bench.people.subjects import FACE, open_subject

SIDE_PX = 320
CONFS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.5)
MARGINS = (0.0, 0.1, 0.25, 0.4)


def covered(picture: Picture, found: Found, *, conf: float, margin: float) -> npt.NDArray[np.bool_]:
    """(H, W) which pixels are hidden."""
    width, height = picture.size_px
    mask = np.zeros((height, width), np.bool_)
    for x1, y1, x2, y2 in found.boxes[(found.classes == FACE) & (found.scores >= conf)].tolist():
        across, down = margin * (x2 - x1), margin * (y2 - y1)
        top, left = max(0, int(y1 - down)), max(0, int(x1 - across))
        mask[top : int(np.ceil(y2 + down)), left : int(np.ceil(x2 + across))] = True
    return mask


def faces(picture: Picture) -> Floats:
    """(N, 4) the labelled faces that count."""
    truth = picture.truth
    scale = SIDE_PX / max(picture.size_px)
    sides = (truth.boxes[:, 2:] - truth.boxes[:, :2]).min(axis=1, initial=np.inf) * scale
    kept: Floats = truth.boxes[(truth.classes == FACE) & ~truth.ignored & (sides >= LARGE_FACE_PX)]
    return kept


def is_hidden(mask: npt.NDArray[np.bool_], face: Sequence[float]) -> bool:
    """Whether nothing of the middle of the face is seen."""
    x1, y1, x2, y2 = face
    width, height = x2 - x1, y2 - y1
    rows = slice(int(y1 + 0.2 * height), int(np.ceil(y1 + 0.9 * height)))
    middle = mask[rows, int(x1 + 0.1 * width) : int(np.ceil(x2 - 0.1 * width))]
    return bool(middle.all())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the split, with annotations.json")
    parser.add_argument("--model", type=Path, help="a SavedModel's folder; default: the model inside")
    arguments = parser.parse_args()
    subject = open_subject(arguments.model, kind="savedmodel", labels=None, input_size_px=(SIDE_PX, SIDE_PX))
    pictures = [picture for picture in read_split(arguments.data) if len(faces(picture))]
    pairs = [(picture, subject.detect(picture.read())) for picture in pictures]
    rows = []
    for conf in CONFS:
        for margin in MARGINS:
            masks = [(picture, covered(picture, found, conf=conf, margin=margin)) for picture, found in pairs]
            hidden = [is_hidden(mask, face) for picture, mask in masks for face in faces(picture).tolist()]
            share = float(np.mean([mask.mean() for _, mask in masks]))
            rows.append([number(conf), number(margin), number(float(np.mean(hidden))), number(share)])
    print(f"{sum(len(faces(picture)) for picture in pictures)} {CLASSES[FACE]}s on {len(pictures)} pictures\n")
    print(table(["score", "margin", "faces hidden", "of the pictures hidden"], rows))


if __name__ == "__main__":
    main()
