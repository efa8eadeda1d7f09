"""Every clip beside the project through `streamer run`, as a table: frames in, frames out, and what is refused.

    python -m tests.e2e.media_table [NAME...]

The detector is a stand-in, since the frames are what is counted; the rest is the command line as it is.
"""

import contextlib
import io
import json
import logging
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from streamer.pyav import av
from tests.conftest import SHARED
from tests.e2e.child import DescribedDetector

MEDIA = SHARED / "media"


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one clip. `expected`: frames that PyAV decodes, None for a clip without a readable picture."""

    name: str
    expected: int | None
    code: int
    produced: int
    recorded: int
    readable: int
    balanced: bool
    seconds: float
    message: str

    @property
    def right(self) -> bool:
        """Every frame went in and came out; or there was none, and it was refused as a bad source."""
        if not self.expected:
            return self.code == 3 and self.produced == 0
        return self.code == 0 and self.balanced and self.expected == self.produced == self.recorded == self.readable

    def __str__(self) -> str:
        expected = "-" if self.expected is None else self.expected
        verdict = "ok" if self.right else "WRONG"
        counts = f"{expected:>5} {self.produced:>5} {self.recorded:>5} {self.readable:>5}"
        return f"{verdict:5} {self.name:48} {counts}  code {self.code}  {self.seconds:5.1f} s  {self.message}"


def truth() -> dict[str, dict[str, object]]:
    """What two decoders found in each clip."""
    found: dict[str, dict[str, object]] = json.loads((MEDIA / "truth.json").read_text())
    return found


def run_one(name: str, folder: Path) -> Row:
    """Run one clip to an mp4 and count what can be read back."""
    from streamer.cli import main  # noqa: PLC0415 - heavy, and only wanted here

    video, summary = folder / f"{name}.mp4", folder / f"{name}.json"
    arguments = ["run", str(MEDIA / name), str(video), "--model", ".", "--no-show", "-q", "--preset", "ultrafast"]
    arguments += ["--summary", str(summary)]
    heard = io.StringIO()
    began = time.monotonic()
    with (
        mock.patch("streamer.cli.parts.load_detector", return_value=DescribedDetector()),
        contextlib.redirect_stderr(heard),
        contextlib.suppress(SystemExit),
    ):
        main(arguments)
    told = json.loads(summary.read_text())
    ledger = told["ledger"] or {"produced": 0, "recorded": 0, "balanced": True}
    expected = truth()[name].get("frames_av")
    return Row(
        name=name,
        expected=expected if isinstance(expected, int) else None,
        code=told["exit_code"],
        produced=ledger["produced"],
        recorded=ledger["recorded"],
        readable=_readable(video),
        balanced=ledger["balanced"],
        seconds=time.monotonic() - began,
        message=told["error"] or "",
    )


def _readable(video: Path) -> int:
    if not video.exists():
        return 0
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def main() -> None:
    """Print the table; exit 1 if a row is wrong."""
    logging.disable(logging.WARNING)
    names = sys.argv[1:] or sorted(truth())
    print(f"{'':5} {'clip':48} {'truth':>5} {'in':>5} {'out':>5} {'read':>5}")
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(run_one(name, Path(folder)))
        print(rows[-1], flush=True)
    wrong = sum(not row.right for row in rows)
    print(f"{len(rows) - wrong} of {len(rows)} right, {sum(row.produced for row in rows)} frames in")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
