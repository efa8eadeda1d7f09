"""Reads the lines that `--jsonl` wrote. What a line holds is written down at sinks/tables/jsonl.py; keys that are not
known are let be.
"""

import json
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from streamer.clock import NS_PER_MS
from streamer.errors import ConfigError
from streamer.frame import MAX_DETECTIONS, Detections
from streamer.labels import Labels
from streamer.text import printable

logger = logging.getLogger(__name__)

MAX_LINE_BYTES = 4_000_000
"""The longest line that is read: one with MAX_DETECTIONS boxes has a hundredth of that."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one line says of its frame: fields as in Frame and Result. line: its number, from 1."""

    line: int
    source: str
    pts_s: float | None
    size_px: tuple[int, int]
    detections: Detections
    failed: bool
    detected: bool


@dataclass(frozen=True, slots=True)
class Table:
    """All lines of a file, in their order, and the names of the classes that are in them."""

    path: Path
    rows: tuple[Told, ...]
    labels: Labels


_HINT = "a table is what --jsonl of a run wrote"


class _Wrong(Exception):
    """What is wrong with a line."""


def read_table(path: Path) -> Table:
    """Read the lines that `--jsonl` wrote; of one that a kill cut off at the end, a warning says that it is left out.

    Raises ConfigError, naming the file and the line.
    """
    names: dict[int, str] = {}
    rows: list[Told] = []
    try:
        with path.open("rb") as file:
            for number, line in _lines(file, path):
                try:
                    rows.append(_told(number, line, names))
                except _Wrong as wrong:
                    if line.endswith(b"\n"):
                        raise ConfigError(str(wrong), where=f"{path}:{number}", hint=_HINT) from wrong
                    name = printable(str(path), limit=256)
                    logger.warning("%s:%d: the last line is cut off; it is left out", name, number)
    except OSError as error:
        raise ConfigError(f"the table cannot be read: {error.strerror}", where=str(path)) from error
    if not rows:
        raise ConfigError("there is no line in it", where=str(path), hint=_HINT)
    return Table(path, tuple(rows), Labels(names))


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES:
            raise ConfigError("too long for a line of a table", where=f"{path}:{number}")
        if line.strip():
            yield number, line


def _told(number: int, line: bytes, names: dict[int, str]) -> Told:
    fields = _parsed(line)
    source, pts_s, size, seen = (_field(fields, key) for key in ("source", "pts_s", "size", "detections"))
    if not isinstance(source, str):
        raise _Wrong("source is no text")
    if pts_s is not None and not _is_number(pts_s):
        raise _Wrong("pts_s is no number")
    if not (isinstance(size, list) and len(size) == 2 and all(_is_whole(side) and side > 0 for side in size)):
        raise _Wrong("size is not [width, height]")
    failed, detected, age_ms = (_field(fields, key) for key in ("failed", "detected", "age_ms"))
    if not (isinstance(failed, bool) and isinstance(detected, bool)):
        raise _Wrong("failed and detected are true or false")
    if not (_is_number(age_ms) and age_ms >= 0):
        raise _Wrong("age_ms is no number from 0")
    if not (isinstance(seen, list) and all(isinstance(one, dict) for one in seen)):
        raise _Wrong("detections is no list of objects")
    size_px = (size[0], size[1])
    detections = replace(_detections(seen, size_px, names), age_ns=round(age_ms * NS_PER_MS))
    if not (detected or detections.age_ns or seen):
        detections = Detections.unknown()
    return Told(number, source, pts_s, size_px, detections, failed, detected)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _Wrong("is no text") from error
    except json.JSONDecodeError as error:
        raise _Wrong(f"no JSON: {error.msg} at character {error.pos + 1}") from error
    except (RecursionError, ValueError) as error:
        raise _Wrong("no JSON that can be read: nested too deeply, or with too long a number") from error
    if not isinstance(fields, dict):
        raise _Wrong("holds no object")
    return fields


def _field(fields: dict[str, Any], key: str) -> Any:  # noqa: ANN401 - it is looked at by whoever asks
    if key not in fields:
        raise _Wrong(f"has no {key!r}")
    return fields[key]


def _detections(seen: list[dict[str, Any]], size_px: tuple[int, int], names: dict[int, str]) -> Detections:
    if len(seen) > MAX_DETECTIONS:
        raise _Wrong(f"has {len(seen)} detections; at most {MAX_DETECTIONS} are on a frame")
    for one in seen:
        _check(one)
        _remember(names, one["class_id"], one["label"])
    ordered = sorted(seen, key=lambda one: -float(one["score"]))
    found = Detections.from_raw(
        np.array([one["box"] for one in ordered], np.float64).reshape(-1, 4),
        [one["score"] for one in ordered],
        [one["class_id"] for one in ordered],
        size_px=size_px,
    )
    if found.rejected:
        raise _Wrong(f"{found.rejected} of its detections are outside the frame, or have a score outside 0 to 1")
    tracks = [one.get("track_id") for one in ordered]
    if all(track is None for track in tracks):
        return found
    if not all(_is_whole(track) and abs(track) < 2**63 for track in tracks if track is not None) or None in tracks:
        raise _Wrong("track_id is a whole number, and all detections of a frame have one or none has")
    return replace(found, track_ids=np.array(tracks, np.int64))


def _check(one: dict[str, Any]) -> None:
    box, class_id, label, score = (_field(one, key) for key in ("box", "class_id", "label", "score"))
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
        raise _Wrong("box is not four numbers")
    if not (_is_whole(class_id) and 0 <= class_id < 2**31):
        raise _Wrong("class_id is no whole number from 0")
    if not isinstance(label, str):
        raise _Wrong("label is no text")
    if not _is_number(score):
        raise _Wrong("score is no number")


def _remember(names: dict[int, str], class_id: int, label: str) -> None:
    known = names.setdefault(class_id, label)
    if known != label:
        both = f"{printable(known)!r} before and {printable(label)!r} here"
        raise _Wrong(f"the class {class_id} is called {both}: are there runs of two models in it?")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
