"""Which files of a folder or a pattern are pictures and videos, and in what order."""

import glob
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Literal

from imutils.paths import image_types, list_files

from streamer.errors import SourceOpenError
from streamer.sources.probing import file_mode

Medium = Literal["picture", "video"]

READABLE_PICTURES: tuple[str, ...] = (*image_types, ".webp", ".ppm", ".pgm", ".jp2")
"""What imutils calls images, and what OpenCV reads besides. A gif is a video: it moves."""

READABLE_VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".vob", ".ogv", ".mjpg", ".mjpeg", ".h264", ".264", ".hevc", ".h265", ".265", ".ivf"),
    *(".y4m", ".mxf", ".gif"),
)

LIST_ENDING = ".txt"

MAX_LIST_BYTES = 16_000_000

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


def is_list(path: str) -> bool:
    """Whether `path` is a list of files by its ending: `list.txt`. Raises SourceOpenError: missing, or not allowed."""
    return path.lower().endswith(LIST_ENDING) and stat.S_ISREG(file_mode(path))


def listed_in(path: str) -> list[str]:
    """The files that a list names, in its order: one a line, from the list's own folder on; `#` begins a comment.

    Raises SourceOpenError: no text, an address in it, or not one of its files is there.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_LIST_BYTES:
            raise SourceOpenError(f"a list of more than {MAX_LIST_BYTES // 10**6} MB", where=path)
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceOpenError("cannot be read as a list of files", where=path) from error
    found = []
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if "://" in name and not name.startswith("#"):
            raise SourceOpenError(f"line {number}: only files and pictures stand in a list", where=path)
        if name and not name.startswith("#"):
            found.append(str(file.parent / name))
    if not any(map(_is_file, found)):
        what = f"not a video, but text: not one of its {len(found)} lines is a file" if found else "an empty list"
        raise SourceOpenError(what, where=path, hint="one file a line, # for comments")
    return found


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def in_natural_order(paths: Iterable[str]) -> list[str]:
    """Sorted as people count: `shot 2` before `shot 10`."""
    return sorted(paths, key=lambda path: ([_rank(part) for part in _DIGITS.split(path)], path))


def _rank(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
