"""The tables of the model's card: by class, size, score and data set, as Markdown.

    python -m bench.people.figures results.json --data ../../shared/datasets/people/val [--conf .5]

results.json is what bench.people.detect wrote. Sides are shorter sides, in pixels of the pictures, which are at most
320 px long.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bench.people.matching import ALL_SIDES_PX, FALSE, Tally, judge, overlap_of, tally
from bench.people.split import CLASSES, Found, Picture, Truth, read_results, read_split

CONFS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
SIDES_PX = ((0, 8), (8, 16), (16, 24), (24, 48), (48, 96), (96, float("inf")))
LARGE_FACE_PX = 24
PRECISION = 0.95
WANTED_PRECISIONS = (0.9, 0.95)
ALLOWED_STRAYS = (0.05, 0.03)

Pair = tuple[Truth, Found]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float) -> str:
    """`.764`."""
    return f"{value:.3f}".removeprefix("0")


def by_side(pairs: Sequence[Pair], conf: float) -> str:
    """AP50 and recall of each class by the shorter side."""
    rows = []
    for sides in (ALL_SIDES_PX, *SIDES_PX):
        row = [_range(sides)]
        for class_id in CLASSES:
            own = tally(pairs, class_id=class_id, sides_px=sides)
            row += [str(len(own.hits)), number(own.average_precision()), number(own.recall(conf))]
        rows.append(row)
    columns = [f"{name} {what}" for name in CLASSES.values() for what in ("count", "AP50", f"recall at {conf}")]
    return table(["shorter side", *columns], rows)


def _range(sides_px: tuple[float, float]) -> str:
    low, high = sides_px
    if sides_px == ALL_SIDES_PX:
        return "all"
    return f"{low:.0f} px +" if high == float("inf") else f"{low:.0f} to {high:.0f} px"


def thresholds(pictures: Sequence[Picture], pairs: Sequence[Pair]) -> str:
    """For each class, the lowest scores that hold a promise: what export.py's --thresholds can be chosen from."""
    grid = np.arange(0.05, 0.96, 0.01)
    rows = []
    for class_id, name in CLASSES.items():
        own = tally(pairs, class_id=class_id)
        on_empty = [
            found.scores[found.classes == class_id].max(initial=0)
            for picture, (_, found) in zip(pictures, pairs, strict=True)
            if picture.empty
        ]
        strays = np.array([np.mean(np.array(on_empty) >= conf) for conf in grid])
        precisions = np.array([own.precision(conf) for conf in grid])
        places = [
            int(np.argmax([own.harmonic_mean(conf) for conf in grid])),
            *(_first(precisions >= wanted) for wanted in WANTED_PRECISIONS),
            *(_first(strays <= allowed) for allowed in ALLOWED_STRAYS),
        ]
        rows.append([name, *(f"{number(grid[place])} (recall {number(own.recall(grid[place]))})" for place in places)])
    columns = [
        "best F1",
        *(f"precision {number(wanted)}" for wanted in WANTED_PRECISIONS),
        *(f"on {allowed:.0%} of the pictures of nobody" for allowed in ALLOWED_STRAYS),
    ]
    return table(["lowest score with", *columns], rows)


def _first(good: npt.NDArray[np.bool_]) -> int:
    """The first place from which on all is good; the last one where nothing is."""
    bad = np.flatnonzero(~good)
    return min(int(bad[-1]) + 1, len(good) - 1) if len(bad) else 0


def by_score(pictures: Sequence[Picture], pairs: Sequence[Pair]) -> str:
    """Precision, recall and false detections by the lowest score that counts."""
    tallies = {name: tally(pairs, class_id=class_id) for class_id, name in CLASSES.items()}
    tallies[f"face {LARGE_FACE_PX} px +"] = tally(pairs, class_id=2, sides_px=(LARGE_FACE_PX, float("inf")))
    on_empty = [found for picture, (_, found) in zip(pictures, pairs, strict=True) if picture.empty]
    rows = []
    for conf in CONFS:
        row = [number(conf)]
        for own in tallies.values():
            row += [number(own.precision(conf)), number(own.recall(conf))]
        strays = np.array([(found.scores >= conf).sum() for found in on_empty])
        rows.append([*row, f"{strays.sum()}", f"{(strays > 0).sum()}"])
    columns = [f"{name} {what}" for name in tallies for what in ("precision", "recall")]
    empty = f"of {len(on_empty)} pictures of nobody"
    return table(["score", *columns, f"false detections {empty}", f"such pictures with any, {empty}"], rows)


def by_dataset(pictures: Sequence[Picture], pairs: Sequence[Pair], conf: float) -> str:
    """AP50, recall and false detections a picture, by where the pictures are from."""
    rows = []
    for dataset in sorted({picture.dataset for picture in pictures}):
        own = [pair for picture, pair in zip(pictures, pairs, strict=True) if picture.dataset == dataset]
        row = [dataset, str(len(own))]
        for class_id in CLASSES:
            rows_of = tally(own, class_id=class_id)
            ap = number(rows_of.average_precision()) if len(rows_of.hits) else "-"
            recall = number(rows_of.recall(conf)) if len(rows_of.hits) else "-"
            row += [str(len(rows_of.hits)), ap, recall, str(int((rows_of.false >= conf).sum()))]
        rows.append(row)
    columns = [f"{name} {what}" for name in CLASSES.values() for what in ("count", "AP50", "recall", "false")]
    return table(["data set", "pictures", *columns], rows)


def kinds_of_errors(pairs: Sequence[Pair], conf: float) -> str:
    """What the false detections at this score are: doubles, badly placed, or on nothing of that class."""
    rows = []
    for class_id, name in CLASSES.items():
        counts = {"placed badly (IoU .1 to .5)": 0, "a second box on one": 0, "on nobody": 0}
        for truth, found in pairs:
            verdict = judge(truth, found, class_id=class_id)
            false = verdict.rows[(verdict.verdicts == FALSE) & (verdict.scores >= conf)]
            own = (truth.classes == class_id) & ~truth.ignored
            overlaps = overlap_of(found.boxes[false], truth.boxes[own], truth.ignored[own]).max(axis=1, initial=0)
            counts["a second box on one"] += int((overlaps >= 0.5).sum())
            counts["placed badly (IoU .1 to .5)"] += int(((overlaps >= 0.1) & (overlaps < 0.5)).sum())
            counts["on nobody"] += int((overlaps < 0.1).sum())
        rows.append([name, *(str(count) for count in counts.values())])
    return table(["false at " + number(conf), *counts], rows)


def wanted_precision(pairs: Sequence[Pair]) -> str:
    """The figure of the issue: recall of the larger faces at the wanted precision."""
    own: Tally = tally(pairs, class_id=2, sides_px=(LARGE_FACE_PX, float("inf")))
    recall, score = own.recall_at(PRECISION)
    return f"faces of {LARGE_FACE_PX} px and more: recall {number(recall)} at precision {PRECISION}, score {score:.3f}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the split, with annotations.json")
    parser.add_argument("--conf", type=float, default=0.5)
    arguments = parser.parse_args()
    pictures = read_split(arguments.data)
    found = read_results(arguments.results)
    pairs = [(picture.truth, found.get(picture.image_id, Found.nothing())) for picture in pictures]
    parts = [
        wanted_precision(pairs),
        by_side(pairs, arguments.conf),
        by_score(pictures, pairs),
        thresholds(pictures, pairs),
        kinds_of_errors(pairs, arguments.conf),
        by_dataset(pictures, pairs, arguments.conf),
    ]
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
