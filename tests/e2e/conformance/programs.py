"""What the programs ffprobe and ffmpeg have to complain of."""

import shutil
import subprocess
from pathlib import Path

LONGEST = 200
"""Of a complaint, so many characters are told."""

PATIENCE_S = 300


def missing() -> str | None:
    """Which of the two is not installed."""
    return next((program for program in ("ffprobe", "ffmpeg") if shutil.which(program) is None), None)


def complaint(path: Path) -> str:
    """The first thing that either says of a file while it is read and decoded to its end; empty where all is well."""
    null = "-f", "null", "-"
    for command in (
        ("ffprobe", "-v", "error", str(path)),
        # At a constant rate, two frames of a varying one would get the same time: an error of ffmpeg's own making.
        ("ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-vsync", "passthrough", "-enc_time_base:v", "-1", *null),
    ):
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        said = done.stderr.strip() or (f"exit {done.returncode}" if done.returncode else "")
        if said:
            return f"{command[0]}: {' '.join(said.split())[:LONGEST]}"
    return ""
