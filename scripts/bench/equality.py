#!/usr/bin/env python3
"""Whether a model sees the same in the runtime that was chosen as it does as it was saved, on every frame of a clip.

    python scripts/bench/equality.py MODEL CLIP [CLIP ...] [--conf 0.5] [--frames N] [--runtime auto]

Both get the same decoded frames. A box is matched where the other has one of the same class with an IoU of .99 or more
and a score within .01; boxes within .01 of the threshold may be missing. Prints a line a clip, and the frames on which
something is not matched.
"""

import argparse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from streamer.frame import Detections, Frame
from streamer.models import ModelOptions, load_detector
from streamer.models.choosing.agreement import MOST_SCORE, agreement
from streamer.sources import open_source
from streamer.sources.glances import glances


def frames(clip: Path, count: int | None) -> Iterator[Frame]:
    """Of a clip, in order."""
    with closing(open_source(str(clip))) as source:
        yield from islice(source.frames(), count)


def seen(model: Path, clip: Path, options: ModelOptions, *, count: int | None) -> tuple[str, list[Detections]]:
    """What runs the model, and what it sees on each frame."""
    first = next(frames(clip, 1))
    detector = load_detector(model, options, input_size_px=first.size_px, pictures=partial(glances, str(clip)))
    with closing(detector):
        return detector.runtime, [detector.detect([frame.image])[0] for frame in frames(clip, count)]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--conf", type=float, default=0.5)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--int8", action="store_true")
    arguments = parser.parse_args()

    options = ModelOptions(conf=max(0.0, arguments.conf - MOST_SCORE), runtime="saved")
    other = replace(options, runtime=arguments.runtime, int8=arguments.int8)
    for clip in arguments.clips:
        reference, wanted = seen(arguments.model, clip, options, count=arguments.frames)
        runtime, found = seen(arguments.model, clip, other, count=arguments.frames)
        whole = agreement(wanted, found, conf=arguments.conf)
        share = f"{whole.matched / whole.boxes:.2%}" if whole.boxes else "-"
        print(f"{clip.name}: {runtime} beside {reference}, {len(wanted)} frames: {share} matched, {whole}")
        for index, (one, two) in enumerate(zip(wanted, found, strict=True)):
            frame = agreement([one], [two], conf=arguments.conf)
            if frame.matched < frame.boxes:
                print(f"  frame {index}: {frame}")


if __name__ == "__main__":
    main()
