"""Which files of a folder or a pattern are pictures and videos, and in what order."""

import glob
import re
from collections.abc import Iterable
from pathlib import PurePath
from typing import Literal

from imutils.paths import image_types, list_files

Medium = Literal["picture", "video"]

READABLE_PICTURES: tuple[str, ...] = (*image_types, ".webp", ".ppm", ".pgm", ".jp2")
"""What imutils calls images, and what OpenCV reads besides. A gif is a video: it moves."""

READABLE_VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".vob", ".ogv", ".mjpg", ".mjpeg", ".h264", ".264", ".hevc", ".h265", ".265", ".ivf"),
    *(".y4m", ".mxf", ".gif"),
)

_DIGITS = re.compile(r"(\d+)")


def medium_of(path: str) -> Medium | None:
    """What the ending of `path` says; None where it says nothing."""
    ending = PurePath(path).suffix.lower()
    if ending in READABLE_PICTURES:
        return "picture"
    return "video" if ending in READABLE_VIDEOS else None


def media_in(folder: str) -> list[str]:
    """The pictures and videos below `folder`, by name; the folder stays in front of each."""
    return in_natural_order(list_files(folder, validExts=READABLE_PICTURES + READABLE_VIDEOS))


def media_matching(pattern: str) -> list[str]:
    """The pictures and videos that the shell's `pattern` names, by name; `**` goes into folders."""
    return in_natural_order(path for path in glob.glob(pattern, recursive=True) if medium_of(path))  # noqa: PTH207


def in_natural_order(paths: Iterable[str]) -> list[str]:
    """Sorted as people count: `shot 2` before `shot 10`."""
    return sorted(paths, key=lambda path: ([_rank(part) for part in _DIGITS.split(path)], path))


def _rank(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
