"""Contact sheets to look at: what a detector sees, misses and mistakes, by kind, and clips as streamer draws them.

    python -m bench.people.gallery --out ../out/sheets --data ../../shared/datasets/people/val [--model DIR] \
        [--results results.json] [--clips A.mp4 B.mp4 ...] [--conf .5]

White: the truth (grey where it does not count). Green: right. Yellow: missed. Red: false. Faces have thin lines,
persons thick ones. The sheets hold other people's pictures: never into the repository.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench.people.detect import add_model_arguments, detect_all, subject_from
from bench.people.matching import FALSE, RIGHT, Verdict, judge
from bench.people.sheets import TILES, Sheet, tile
from bench.people.split import CLASSES, Found, Picture, read_results, read_split

from streamer.errors import StreamerError
from streamer.frame import Image
from streamer.models import ModelOptions, load_detector
from streamer.overlay import draw
from streamer.sources import open_source

WHITE, GREEN, YELLOW, RED, GREY = (255, 255, 255), (60, 220, 60), (0, 230, 255), (40, 40, 255), (150, 150, 150)
SMALL_FACE_PX = 20.0
LARGE_FACE_PX = 24.0
LARGE_PERSON_PX = 48.0
CLIP_FRAMES = TILES.columns
MASKS = ("facemask853", "facemask201", "fmd_mask", "fmd_mask2", "prajnasb")
WEBCAMS = ("drowsy", "udacity_kp", "udacity_kp2", "muxspace", "fmd_nomask")
STREETS = ("lschen_ped", "pennfudan", "capston2")


@dataclass(frozen=True)
class Judged:
    """A picture with what was found on it, and what that is worth by class."""

    picture: Picture
    found: Found
    verdicts: dict[int, Verdict]
    conf: float

    def misses(self, class_id: int, least_px: float = 0.0) -> float:
        """The area of what was missed of a class, in parts of the picture: how badly."""
        verdict = self.verdicts[class_id]
        boxes = self.picture.truth.boxes[verdict.truths[verdict.hit_scores < self.conf]]
        sides = boxes[:, 2:] - boxes[:, :2]
        width_px, height_px = self.picture.size_px
        return float(sides.prod(axis=1)[sides.min(axis=1, initial=np.inf) >= least_px].sum() / (width_px * height_px))

    def worst_false(self, class_id: int) -> float:
        """The highest score of a false detection."""
        verdict = self.verdicts[class_id]
        return float(verdict.scores[verdict.verdicts == FALSE].max(initial=0))

    def sides(self, class_id: int) -> np.ndarray:
        """Shorter sides of what is asked for."""
        boxes = self.picture.truth.boxes[self.verdicts[class_id].truths]
        return np.asarray((boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf))


def judged(picture: Picture, found: Found, conf: float) -> Judged:
    """Judge what counts at `conf`."""
    own = Found(found.boxes, found.scores, found.classes)
    return Judged(picture, own, {class_id: judge(picture.truth, own, class_id=class_id) for class_id in CLASSES}, conf)


def painted(one: Judged) -> Image:
    """The picture at twice its size with its boxes."""
    image = one.picture.read()
    scale = 2 * TILES.side_px / max(image.shape)
    canvas = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR), np.uint8)
    truth = one.picture.truth
    for class_id, verdict in one.verdicts.items():
        thick = 5 if class_id == 1 else 3
        for box in truth.boxes[(truth.classes == class_id) & truth.ignored] * scale:
            _box(canvas, box, GREY, 1, "")
        for row, score in zip(verdict.truths, verdict.hit_scores, strict=True):
            missed = score < one.conf
            _box(canvas, truth.boxes[row] * scale, YELLOW if missed else WHITE, thick if missed else 1, "")
        for row, kind, score in zip(verdict.rows, verdict.verdicts, verdict.scores, strict=True):
            if score >= one.conf:
                color = {RIGHT: GREEN, FALSE: RED}.get(int(kind), GREY)
                text = f"{CLASSES[class_id][0]} {score:.2f}"
                _box(canvas, one.found.boxes[row] * scale, color, thick, text)
    return canvas


def _box(canvas: Image, box: np.ndarray, color: tuple[int, int, int], thick: int, text: str) -> None:
    x1, y1, x2, y2 = (int(value) for value in np.round(box))
    cv2.rectangle(canvas, (x1, y1), (x2, y2), color, thick)
    if text:
        place = (x1 + 4, max(y1 + 24, 24))
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.75, (0, 0, 0), 4, cv2.LINE_AA)
        cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.75, color, 2, cv2.LINE_AA)


def darkest_face(one: Judged) -> float:
    """Median brightness of the middle of the darkest larger face, 0 to 255; 255 without one, or on grey pictures."""
    image = one.picture.read()
    if float(np.ptp(image, axis=2).mean()) < 8:
        return 255.0
    values = [255.0]
    for x1, y1, x2, y2 in one.picture.truth.boxes[one.verdicts[2].truths]:
        if min(x2 - x1, y2 - y1) >= SMALL_FACE_PX:
            width, height = (x2 - x1) / 4, (y2 - y1) / 4
            middle = image[int(y1 + height) : int(y2 - height), int(x1 + width) : int(x2 - width)]
            values.append(float(np.median(middle)))
    return min(values)


def brightness(one: Judged) -> float:
    """Mean brightness of a picture with somebody on it."""
    return float(one.picture.read().mean()) if not one.picture.empty else 255.0


Key = Callable[[Judged], float]


def chosen(ones: Sequence[Judged], key: Key, *, count: int = TILES.count) -> list[Judged]:
    """Those with the highest key above 0, the highest first."""
    keyed = sorted(((key(one), -number) for number, one in enumerate(ones)), reverse=True)
    return [ones[-number] for value, number in keyed[:count] if value > 0]


def sampled(ones: Sequence[Judged], seed: int, datasets: Sequence[str] = ()) -> list[Judged]:
    """A random choice, of the given data sets if any are given."""
    own = [one for one in ones if not datasets or one.picture.dataset in datasets]
    rows = np.random.default_rng(seed).permutation(len(own))[: TILES.count]
    return [own[row] for row in rows]


def sheets_of_pictures(ones: Sequence[Judged]) -> Iterator[tuple[str, list[Judged]]]:
    """Name and pictures of each sheet."""
    yield "01 random", sampled(ones, 1)
    yield "02 random", sampled(ones, 2)
    yield f"03 missed faces of {LARGE_FACE_PX:.0f} px and more", chosen(ones, lambda one: one.misses(2, LARGE_FACE_PX))
    yield (
        f"04 missed persons of {LARGE_PERSON_PX:.0f} px and more",
        chosen(ones, lambda one: one.misses(1, LARGE_PERSON_PX)),
    )
    yield "05 false faces", chosen(ones, lambda one: one.worst_false(2))
    yield "06 false persons", chosen(ones, lambda one: one.worst_false(1))
    empty = [one for one in ones if one.picture.empty]
    yield "07 worst of nobody", chosen(empty, lambda one: max(one.worst_false(1), one.worst_false(2)))
    yield "08 crowds", chosen(ones, lambda one: float(len(one.sides(1)) + len(one.sides(2))))
    yield "09 small faces", chosen(ones, lambda one: float((one.sides(2) < SMALL_FACE_PX).sum()))
    yield "10 dark faces", chosen(ones, lambda one: 255 - darkest_face(one))
    yield "11 poor light", chosen(ones, lambda one: 255 - brightness(one))
    yield "12 masks", sampled(ones, 3, MASKS)
    yield "13 webcams, news and profiles", sampled(ones, 4, WEBCAMS)
    yield "14 streets", sampled(ones, 5, STREETS)
    yield "15 sports", sampled(ones, 6, ("lspet",))


def clip_tiles(paths: Sequence[Path], model: Path | None, conf: float) -> Iterator[tuple[str, Image]]:
    """Frames of clips as streamer draws them; clips that cannot be read are passed over aloud."""
    for path in paths:
        try:
            yield from _frames_drawn(path, model, conf)
        except StreamerError as error:
            print(f"passed over: {error}", file=sys.stderr)


def _frames_drawn(path: Path, model: Path | None, conf: float) -> Iterator[tuple[str, Image]]:
    source = open_source(str(path))
    try:
        count = source.info.frame_count or 30
        wanted = {int(count * (place + 0.5) / CLIP_FRAMES) for place in range(CLIP_FRAMES)}
        frames = [frame for frame in source.frames() if frame.index in wanted]
    finally:
        source.close()
    if not frames:
        return
    detector = load_detector(model, ModelOptions(conf=conf), input_size_px=frames[0].size_px)
    for frame in frames:
        found = detector.detect([frame.image])[0]
        yield f"{path.name} #{frame.index}", draw(frame.image, found, detector.labels)
    detector.close()


def write_sheets(folder: Path, name: str, tiles: Sequence[Image]) -> None:
    """As many sheets as it takes."""
    for number, start in enumerate(range(0, len(tiles), TILES.count)):
        part = "" if len(tiles) <= TILES.count else f" {number + 1}"
        Sheet(f"{name}{part}").write(folder, tiles[start : start + TILES.count])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="folder of a split, with annotations.json")
    parser.add_argument("--results", type=Path, help="what bench.people.detect wrote, to spare the time")
    parser.add_argument("--clips", type=Path, nargs="+", default=(), help="a row of frames of each")
    parser.add_argument("--conf", type=float, default=0.5)
    add_model_arguments(parser)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.data:
        pictures = read_split(arguments.data)
        if arguments.results:
            found = read_results(arguments.results)
            pairs = [(picture, found.get(picture.image_id, Found.nothing())) for picture in pictures]
        else:
            pairs = list(detect_all(subject_from(arguments), pictures))
        ones = [judged(picture, own, arguments.conf) for picture, own in pairs]
        for name, own_sheet in sheets_of_pictures(ones):
            write_sheets(arguments.out, name, [tile(painted(one), one.picture.path.stem) for one in own_sheet])
    if arguments.clips:
        drawn = clip_tiles(arguments.clips, arguments.model, arguments.conf)
        write_sheets(arguments.out, "20 clips", [tile(image, name) for name, image in drawn])


if __name__ == "__main__":
    main()
