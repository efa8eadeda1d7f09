#!/usr/bin/env python3
"""Decides for scripts/demo what is read: prints `KIND SOURCE` on one line, and on stderr why.

python scripts/demo_source.py [SOURCE]

KIND is `live` (a camera or a pattern, which does not end by itself), `video`, `picture` or `several` (files). Without
SOURCE it is a webcam if one gives a picture and there is a display to see it on; else `none`, with no SOURCE behind it.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from streamer.errors import StreamerError
from streamer.interfaces import Source
from streamer.sinks.window import display_problem
from streamer.sources import comes_by_itself, open_source
from streamer.sources.listing import in_natural_order

Kind = Literal["live", "video", "picture", "several", "none"]


def kind_of(uri: str) -> Kind:
    """What `uri` is. What cannot be opened counts as a video: streamer itself will say why not."""
    if comes_by_itself(uri) or uri.startswith("test:"):
        return "live"
    if Path(uri).is_fifo():  # looking into a pipe would take out of it
        return "video"
    try:
        source = open_source(uri)
    except StreamerError:
        return "video"
    try:
        several, kind = source.info.several, source.info.kind
    finally:
        source.close()
    return "several" if several else "picture" if kind == "pictures" else "video"


def video_devices() -> list[str]:
    """The device files of video; not each of them is a camera, and a camera has several."""
    return in_natural_order(str(path) for path in Path("/dev").glob("video*"))


def working_camera(devices: Iterable[str], *, open_camera: Callable[[str], Source] = open_source) -> str | None:
    """The first of `devices` that gives a picture; of the others it is said why not."""
    for device in devices:
        try:
            open_camera(device).close()
        except StreamerError as error:
            say(str(error))
        else:
            return device
    return None


def without_source(
    *,
    problem: Callable[[], str | None] = display_problem,
    devices: Callable[[], Iterable[str]] = video_devices,
    open_camera: Callable[[str], Source] = open_source,
) -> str | None:
    """The webcam that is taken when no source was named; None for none, which is said."""
    if (why := problem()) is not None:
        say(f"no webcam is looked for, because nobody would see it: {why}")
        return None
    camera = working_camera(devices(), open_camera=open_camera)
    say("no webcam gives a picture" if camera is None else f"the webcam {camera}")
    return camera


def say(text: str) -> None:
    """One line for the person."""
    print(f"demo: {text}", file=sys.stderr)


def main() -> None:
    """Decide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="")
    source = parser.parse_args().source or without_source()
    print("none" if source is None else f"{kind_of(source)} {source}")


if __name__ == "__main__":
    main()
