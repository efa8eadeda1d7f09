"""FAULTS 39, 44, 45: what a table is worth after a kill, and on a full disk."""

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FORMATS = ("jsonl", "csv", "coco", "mot")


def whole_lines(path: Path) -> list[str]:
    """The lines that have an end."""
    return [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]


def jsonl_frames(path: Path) -> list[int]:
    return [json.loads(line)["index"] for line in whole_lines(path) if len(json.loads(line)["detections"]) == 2]


def csv_frames(path: Path) -> list[int]:
    rows = list(csv.DictReader(whole_lines(path), strict=True))
    assert all(None not in row.values() for row in rows)
    return [int(row["index"]) for row in rows if row["label"] == "#17"]


def coco_frames(path: Path) -> list[int]:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert {row["image_id"] for row in document["annotations"]} <= {image["id"] for image in document["images"]}
    assert {row["category_id"] for row in document["annotations"]} <= {row["id"] for row in document["categories"]}
    return [row["image_id"] - 1 for row in document["annotations"] if row["category_id"] == 17]


def mot_frames(path: Path) -> list[int]:
    rows = [line.split(",") for line in whole_lines(path)]
    assert {len(row) for row in rows} == {10}
    return [int(row[0]) - 1 for row in rows if row[2] == "1"]


FRAMES: dict[str, Callable[[Path], list[int]]] = {
    "jsonl": jsonl_frames,
    "csv": csv_frames,
    "coco": coco_frames,
    "mot": mot_frames,
}
"""Which frames of a table are there with all that was seen on them; each raises if the rest is not valid."""


def child(path: Path, kind: str, *, frames: int, limit_bytes: int | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.faults.table_child", str(path), kind, str(frames)]
    command += [] if limit_bytes is None else [str(limit_bytes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("frame", [1, 137, 1500])
@pytest.mark.parametrize("kind", FORMATS)
def test_kill_9_costs_the_frame_that_is_being_written_at_most(tmp_path: Path, kind: str, frame: int) -> None:
    path = tmp_path / "out"
    process = child(path, kind, frames=1_000_000)
    assert process.stdout is not None
    with process, process.stdout as kept:
        written = len(kept.read(frame))
        process.send_signal(signal.SIGKILL)
        written += len(kept.read())
    assert process.returncode == -signal.SIGKILL
    assert written >= frame
    found = FRAMES[kind](path)
    assert found == list(range(len(found)))
    assert len(found) in {written, written + 1}


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
@pytest.mark.parametrize("limit_bytes", [30_000, 100_001, 333_333])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_full_disk_keeps_what_was_written(tmp_path: Path, kind: str, limit_bytes: int) -> None:
    path = tmp_path / "out"
    process = child(path, kind, frames=20_000, limit_bytes=limit_bytes)
    output, _ = process.communicate(timeout=50)
    dots, said = output.decode().split("\n", 1)
    assert process.returncode == 0
    assert f"the disk is full; the first {len(dots)} frames are whole" in said
    found = FRAMES[kind](path)
    assert found[: len(dots)] == list(range(len(dots)))
    assert len(found) - len(dots) <= 1
    assert path.stat().st_size > limit_bytes // 2
    assert list(tmp_path.iterdir()) == [path]
