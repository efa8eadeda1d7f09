"""Draw how runs went, for the model's card: average precision on val against the steps of training.

python -m train_detector.curve PICTURE.png everything=weights/everything.csv "free and permissive=weights/free.csv"
"""

import argparse
import csv
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

FIGURES = {"face_ap50": "face AP50", "person_ap50": "person AP50", "face_recall": "recall of faces at precision .95"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Okabe and Ito's, which the colour-blind tell apart."""


def read(path: Path) -> list[dict[str, float]]:
    """The evaluated epochs of a log.csv."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: float(row[name]) for name in ("step", *FIGURES)} for row in csv.DictReader(file) if row["face_ap50"]
        ]


def draw(picture: Path, runs: dict[str, Path]) -> None:
    """One panel for each figure, one line for each run."""
    mpl.use("Agg")
    figure, panels = plt.subplots(1, len(FIGURES), figsize=(12, 3.6), sharey=True, layout="constrained")
    for panel, (name, title) in zip(panels, FIGURES.items(), strict=True):
        for (run, path), colour in zip(runs.items(), COLOURS, strict=False):
            rows = read(path)
            steps = [row["step"] / 1000 for row in rows]
            values = [row[name] for row in rows]
            panel.plot(steps, values, color=colour, label=run)
            panel.annotate(f"{values[-1]:.2f}", (steps[-1], values[-1]), (4, 0), textcoords="offset points", fontsize=8)
        panel.set(title=title, xlabel="thousand steps of 16 pictures", ylim=(0, 1))
        panel.grid(alpha=0.3)
    panels[0].legend(loc="lower right", fontsize=8)
    figure.savefig(picture, dpi=100)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("runs", nargs="+", metavar="NAME=LOG.CSV")
    arguments = parser.parse_args()
    draw(arguments.picture, {name: Path(path) for name, path in (run.rsplit("=", 1) for run in arguments.runs)})


if __name__ == "__main__":
    main()
