"""One clip through `streamer run`, and what was left of it."""

import contextlib
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from streamer.cli import main
from tests.conftest import SHARED
from tests.e2e.child import DescribedDetector

MEDIA = SHARED / "media"


@dataclass(frozen=True, slots=True)
class Run:
    """What `streamer run` said and left behind.

    videos: the recordings, in the order of time. strays: other files that it left beside them.
    truth: frames that PyAV is known to decode of the clip; None where nobody has counted.
    """

    name: str
    clip: Path
    truth: int | None
    code: int
    produced: int
    recorded: int
    balanced: bool
    message: str
    videos: tuple[Path, ...]
    strays: tuple[str, ...]
    seconds: float


def truths() -> dict[str, int | None]:
    """Frames in each clip beside the project, as two decoders found; None for a file that they could not open."""
    found: dict[str, dict[str, object]] = json.loads((MEDIA / "truth.json").read_text())
    counts = {name: facts.get("frames_av") for name, facts in found.items()}
    return {name: count if isinstance(count, int) else None for name, count in counts.items()}


def run(clip: Path, folder: Path, *, ending: str = ".mp4", truth: int | None = None) -> Run:
    """Record `clip` into the empty `folder`, fast and with nothing drawn on it, so that pictures can be compared.

    The detector is a stand-in that sees nothing; the rest is the command line as it is.
    """
    video, summary = folder / f"{clip.name}{ending}", folder / "summary.json"
    arguments = ["run", str(clip), str(video), "--model", ".", "--no-show", "-q", "--preset", "ultrafast"]
    detector = DescribedDetector(boxes=np.empty((0, 4)), scores=(), class_ids=())
    began = time.monotonic()
    with (
        mock.patch("streamer.cli.parts.load_detector", return_value=detector),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        main([*arguments, "--summary", str(summary)])
    seconds = time.monotonic() - began
    told = json.loads(summary.read_text())
    ledger = told["ledger"] or {"produced": 0, "recorded": 0, "balanced": True}
    left = sorted(path for path in folder.iterdir() if path != summary)
    videos = [path for path in left if path.name.startswith(clip.name) and path.name.endswith(ending)]
    videos = [path for path in videos if ".part" not in path.suffixes]
    return Run(
        name=clip.name,
        clip=clip,
        truth=truth,
        code=told["exit_code"],
        produced=ledger["produced"],
        recorded=ledger["recorded"],
        balanced=ledger["balanced"],
        message=told["error"] or "",
        videos=tuple(sorted(videos, key=lambda path: (len(path.name), path.name))),
        strays=tuple(path.name for path in left if path not in videos),
        seconds=seconds,
    )
