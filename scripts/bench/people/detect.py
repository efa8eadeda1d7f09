"""Let a detector loose on a split, and write what it finds in COCO's result format, for evaluate.py to judge.

    python -m bench.people.detect results.json --data ../../shared/datasets/people/val          # the model inside
    python -m bench.people.detect results.json --data ... --model DIR [--labels FILE] [--input own|WxH]
    python -m bench.people.detect results.json --data ... --model FILE.pb --kind opencv|faceboxes

--input says how large the frames are for which streamer sets a SavedModel up: `own`, every picture as if it were a clip
of its size; `WxH`, all pictures letterboxed into that.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.people.split import Found, Picture, as_results, read_split
from bench.people.subjects import Subject, open_subject


def detect_all(subject: Subject, pictures: Iterable[Picture]) -> Iterator[tuple[Picture, Found]]:
    """What is found on each picture, ordered by their sizes."""
    for picture in sorted(pictures, key=lambda picture: picture.size_px):
        yield picture, subject.detect(picture.read())


def size_from(text: str) -> tuple[int, int] | None:
    """`640x480` as numbers; None for `own`."""
    if text == "own":
        return None
    width, height = text.split("x")
    return int(width), int(height)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say what is judged."""
    parser.add_argument("--model", type=Path, help="a SavedModel's folder or a frozen graph; default: the model inside")
    parser.add_argument("--kind", choices=("savedmodel", "opencv", "faceboxes"), default="savedmodel")
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--input", type=size_from, default="own", metavar="own|WxH")


def subject_from(arguments: argparse.Namespace) -> Subject:
    """The detector that these flags ask for."""
    return open_subject(arguments.model, kind=arguments.kind, labels=arguments.labels, input_size_px=arguments.input)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of the split, with annotations.json")
    add_model_arguments(parser)
    arguments = parser.parse_args()
    subject = subject_from(arguments)
    start_s = time.perf_counter()
    rows = [
        row
        for picture, found in detect_all(subject, read_split(arguments.data))
        for row in as_results(picture.image_id, found)
    ]
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text(json.dumps(rows), encoding="utf-8")
    print(f"{arguments.results}: {len(rows)} detections, {time.perf_counter() - start_s:.0f} s")


if __name__ == "__main__":
    main()
