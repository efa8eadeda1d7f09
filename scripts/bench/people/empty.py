"""How often a detector sees somebody where nobody is: on pictures, on clips, and on a split's pictures of nobody.

    python -m bench.people.empty [--model DIR] --shared ../../shared [--data ../../shared/datasets/people/val] [MORE...]

--shared judges what without_people.txt names below that folder; MORE are pictures, clips or folders of them in which
nobody is to be seen. Clips are looked at once a second. Each size has its own detector, as in a run of its own.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench.people.detect import add_model_arguments, subject_from
from bench.people.figures import CONFS, number, table
from bench.people.split import CLASSES, Found, read_split
from bench.people.subjects import Subject

from streamer.frame import Image
from streamer.sources import open_source

LISTED = Path(__file__).with_name("without_people.txt")
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp"})
SHOWN_FROM = 0.3
STEP_S = 1.0

Part = tuple[float, float, float, float]
WHOLE: Part = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Look:
    """One look at something: which group it counts in, what it is, and what was seen."""

    group: str
    name: str
    found: Found


def listed(root: Path) -> Iterator[tuple[Path, Part]]:
    """The files of without_people.txt and the part of each that counts."""
    for line in LISTED.read_text(encoding="utf-8").splitlines():
        name, *numbers = line.split()
        if not name.startswith("#"):
            x1, y1, x2, y2 = map(float, numbers or WHOLE)
            yield root / name, (x1, y1, x2, y2)


def images_of(path: Path, part: Part) -> Iterator[tuple[str, Image]]:
    """A picture, or a clip's frames, one a second."""
    if path.suffix.lower() in PICTURES:
        picture = cv2.imread(str(path))
        if picture is None:
            raise ValueError(f"{path}: not a picture")
        yield path.name, _cut(np.asarray(picture, np.uint8), part)
        return
    source = open_source(str(path))
    try:
        due_s = 0.0
        for frame in source.frames():
            if (at_s := frame.pts_s or 0.0) >= due_s:
                due_s = at_s + STEP_S - 0.01
                yield f"{path.name} {at_s:.0f} s", _cut(frame.image, part)
    finally:
        source.close()


def _cut(image: Image, part: Part) -> Image:
    height_px, width_px = image.shape[:2]
    x1, y1, x2, y2 = part
    return np.ascontiguousarray(
        image[round(y1 * height_px) : round(y2 * height_px), round(x1 * width_px) : round(x2 * width_px)]
    )


def look_at_files(subject: Subject, files: Iterator[tuple[Path, Part]]) -> Iterator[Look]:
    """Everything that lies in files."""
    for path, part in files:
        group = f"{path.parent.name}/{'' if path.suffix.lower() in PICTURES else ', clips, one frame a second'}"
        for name, image in images_of(path, part):
            yield Look(group, name, subject.detect(image))


def look_at_split(subject: Subject, data: Path) -> Iterator[Look]:
    """The pictures of a split on which nobody is."""
    empty = [picture for picture in read_split(data) if picture.empty]
    for picture in sorted(empty, key=lambda picture: picture.size_px):
        yield Look(f"{data.name}, pictures of nobody", picture.path.name, subject.detect(picture.read()))


def summary(looks: list[Look]) -> str:
    """Pictures with any detection by score, for each group and each class."""
    rows = []
    for group in dict.fromkeys(look.group for look in looks):
        own = [look.found for look in looks if look.group == group]
        for name, wanted in (("any", tuple(CLASSES)), *((name, (class_id,)) for class_id, name in CLASSES.items())):
            best = np.array([found.scores[np.isin(found.classes, wanted)].max(initial=0) for found in own])
            rows.append([group, str(len(own)), name, *(str(int((best >= conf).sum())) for conf in CONFS)])
    return table(["where", "pictures", "with", *(f"at {number(conf)}" for conf in CONFS)], rows)


def details(looks: list[Look]) -> str:
    """Every picture with a detection from SHOWN_FROM on, the worst first."""
    lines = []
    for look in sorted(looks, key=lambda look: -look.found.scores.max(initial=0)):
        rows = np.flatnonzero(look.found.scores >= SHOWN_FROM)
        if len(rows):
            seen = ", ".join(
                f"{CLASSES[int(look.found.classes[row])]} {look.found.scores[row]:.2f}" for row in rows[:4]
            )
            lines.append(f"{look.name}: {seen}{', ...' if len(rows) > 4 else ''}")
    return "\n".join(lines)


def files_in(paths: list[Path]) -> Iterator[tuple[Path, Part]]:
    """Files as they are, folders as the files in them."""
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            yield file, WHOLE


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", metavar="MORE")
    parser.add_argument("--shared", type=Path, help="the folder with images/ and media/")
    parser.add_argument("--data", type=Path, help="folder of a split, with annotations.json")
    add_model_arguments(parser)
    arguments = parser.parse_args()
    subject = subject_from(arguments)
    looks = list(look_at_files(subject, files_in(arguments.files)))
    if arguments.shared:
        looks += look_at_files(subject, listed(arguments.shared))
    if arguments.data:
        looks += look_at_split(subject, arguments.data)
    print(f"{summary(looks)}\n\n{details(looks)}")


if __name__ == "__main__":
    main()
