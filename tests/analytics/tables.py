"""Lines of a table, as `--jsonl` writes them."""

import json
from pathlib import Path
from typing import Any


def line(index: int = 0, **changes: object) -> dict[str, Any]:
    """One line: a thing at a score of 0.9 and another at 0.5, on a frame of 64x48 of a clip with 10 frames a second."""
    return {
        "index": index,
        "source": "clip.mp4",
        "pts_s": index / 10,
        "wall_time": None,
        "epoch": 0,
        "size": [64, 48],
        "failed": False,
        "detected": True,
        "age_ms": 0.0,
        "detections": [detection(1, 0.9), detection(2, 0.5, label="other")],
    } | changes


def detection(class_id: int, score: float, *, label: str = "thing", **changes: object) -> dict[str, Any]:
    return {
        "box": [10.5, 10, 30, 40],
        "box_norm": [0, 0, 1, 1],
        "class_id": class_id,
        "label": label,
        "score": score,
    } | changes


def written(path: Path, *lines: object, end: str = "\n") -> Path:
    """The lines in a file; what is text goes in as it is."""
    texts = [text if isinstance(text, str) else json.dumps(text) for text in lines]
    path.write_text("\n".join(texts) + end, encoding="utf-8")
    return path
