#!/usr/bin/env python3
"""Says what a run of scripts/demo did: what was seen, the ledger, the rate, and where everything lies.

python scripts/demo_report.py FOLDER

FOLDER holds summary.json and seen.jsonl of a run; contact_sheet.png is made there of what the run recorded.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer.frame import Ledger

MOST_LABELS = 8
"""A model may know hundreds of classes; so many are told."""


@dataclass
class Sightings:
    """On how many frames each class was seen, and how many of it at once at most."""

    frames: int = 0
    frames_with: Counter[str] = field(default_factory=Counter)
    most_at_once: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Sightings":
        """From the lines that --jsonl wrote."""
        seen = cls()
        for line in lines:
            seen.frames += 1
            labels = Counter(detection["label"] for detection in json.loads(line)["detections"])
            seen.frames_with.update(labels.keys())
            seen.most_at_once |= labels
        return seen

    def __str__(self) -> str:
        told = [
            f"{label} on {count} of {counted(self.frames)}, {self.most_at_once[label]} at once at most"
            for label, count in self.frames_with.most_common(MOST_LABELS)
        ]
        more = len(self.frames_with) - len(told)
        return "; ".join(told + [f"and {more} more classes"] * (more > 0)) or "nothing"


def counted(frames: int) -> str:
    """`1 frame`, `2 frames`."""
    return f"{frames} frame{'' if frames == 1 else 's'}"


def rate(summary: dict[str, Any]) -> str:
    """The frames of the whole run over its whole time, and what this time went into."""
    report = summary["report"]
    frames = summary["ledger"]["inferred"] + summary["ledger"]["carried"]
    if summary["source"]["kind"] in {"camera", "pattern"}:
        pace = "as the source gave them"
    else:
        pace = "from reading to writing; loading the model is not in it"
    return f"{report['fps']} ({counted(frames)} in {report['elapsed_s']:.1f} s, {pace})"


def ledger(summary: dict[str, Any]) -> Ledger:
    """The run's ledger."""
    return Ledger(**{name: count for name, count in summary["ledger"].items() if name != "balanced"})


def shortened(paths: list[str]) -> str:
    """A few names, or the first and how many more."""
    return ", ".join(paths) if len(paths) <= 3 else f"{paths[0]} and {len(paths) - 1} more"


def make_sheet(recorded: list[str], sheet: Path) -> bool:
    """Whether there is now a contact sheet of what was recorded; the program that makes it says why not."""
    program = Path(__file__).with_name("contact_sheet.py")
    return subprocess.run([sys.executable, program, *recorded, sheet], check=False).returncode == 0


def told(folder: Path, summary: dict[str, Any], seen: Sightings) -> list[tuple[str, str]]:
    """What is said, in pairs of a heading and a text."""
    recorded, sheet = summary["recorded"], folder / "contact_sheet.png"
    rows = [
        ("Source", summary["settings"]["source"]["value"]),
        ("Seen", str(seen)),
        ("Ledger", str(ledger(summary))),
        ("FPS", rate(summary)),
        ("Detection", f"{summary['report']['detect_ms']['p50']:.1f} ms a frame (median)"),
    ]
    if recorded:
        rows.append(("Annotated", shortened(recorded)))
    if recorded and make_sheet(recorded, sheet):
        rows.append(("At a glance", str(sheet)))
    return [*rows, ("Boxes", f"{folder / 'seen.jsonl'} (a line a frame)"), ("Figures", str(folder / "summary.json"))]


def main() -> None:
    """Say it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    with (folder / "seen.jsonl").open(encoding="utf-8") as lines:
        seen = Sightings.of(lines)
    print()
    for heading, text in told(folder, summary, seen):
        print(f"{heading + ':':13}{text}")


if __name__ == "__main__":
    main()
