#!/usr/bin/env python3
"""What is left of a recording when all is killed at once: `streamer run test:... OUT`, kill -9, a look at the file.

    python scripts/bench/kills.py [--kills 50] [--scenes noisy,quiet,static] [--endings .mp4] [--fps 30]
                                  [--size 640x480] [--after 0.5] [--before 5] [--seed 0] [--json FILE]

A kill hits the whole process group at a random moment, `--after` to `--before` seconds behind the first frame; the same
seed gives the same moments. The child notes when each frame was captured in a file that is mapped into its memory: such
pages are the system's and outlive it. Lost is what was captured by the kill and cannot be read, wherever it was: in the
pipeline, in the encoder, on the way to the file. Power cuts, where the system's own pages go too, are something else.
"""

import argparse
import json
import mmap
import os
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import numpy as np
from blind import Blind
from numpy.typing import NDArray

from streamer.clock import NS_PER_S
from streamer.frame import Frame, Image
from streamer.pyav import av

SCENES = ("noisy", "quiet", "static")
"""Noise alone; the test pattern, in which a ball and a hand move; its first frame, again and again."""

MOST_FRAMES = 100_000
PATIENCE_S = 60
TICK_S = 0.002
"""Containers round times."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One of them.

    opened: whether there was a file with a frame in it. dropped: frames that are missing before the last that can be
    read: the machine was too slow for a live stream. lost_s: from the last frame that can be read to the last that
    was captured. off_ms: how far a readable frame's time is, at most, from the moment of a capture.
    """

    ending: str
    scene: str
    after_s: float
    opened: bool
    captured: int
    readable: int
    dropped: int
    lost_s: float
    off_ms: float

    @property
    def lost(self) -> int:
        """Frames behind the last that can be read."""
        return self.captured - self.readable - self.dropped


def child(scene: str, diary: Path, arguments: Sequence[str]) -> None:
    """`streamer run` as it is, but for a detector that sees nothing, what the pattern shows, and the diary."""
    from streamer.sources.synthetic import SyntheticSource  # noqa: PLC0415 - the parent needs none of it

    frames_of = SyntheticSource.frames

    def noted(source: SyntheticSource) -> Iterator[Frame]:
        shown: list[Image] = []
        with diary.open("r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
            for number, frame in enumerate(frames_of(source)):
                shown = shown or _pictures(scene, frame.image)
                struct.pack_into("q", pages, 8 * (number + 1), frame.captured_ns)
                struct.pack_into("q", pages, 0, number + 1)
                yield frame if not shown else _showing(frame, shown[number % len(shown)])

    with (
        mock.patch.object(SyntheticSource, "frames", noted),
        mock.patch("streamer.models.load_detector", return_value=Blind()),
    ):
        from streamer.cli import main as streamer_main  # noqa: PLC0415 - after the patch, so that it is what is imported

        streamer_main(list(arguments))


def _pictures(scene: str, first: Image) -> list[Image]:
    if scene == "noisy":
        return list(np.random.default_rng(0).integers(0, 256, (8, *first.shape), np.uint8))
    return [first] if scene == "static" else []


def _showing(frame: Frame, image: Image) -> Frame:
    return Frame(
        image, frame.index, captured_ns=frame.captured_ns, pts_s=frame.pts_s, epoch=frame.epoch, source=frame.source
    )


def kill(folder: Path, *, ending: str, scene: str, after_s: float, source: str) -> Kill:
    """Start, wait for the first frame and `after_s` more, kill, and read what is there."""
    diary, video = folder / "diary", folder / f"out{ending}"
    diary.write_bytes(bytes(8 * (MOST_FRAMES + 1)))
    command = [sys.executable, __file__, "--child", scene, str(diary), "run", source, str(video), "--model", "."]
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen([*command, "--no-show", "-q"], stderr=errors, start_new_session=True)
    try:
        began = time.monotonic()
        while not _captured(diary).size:
            if process.poll() is not None or time.monotonic() - began > PATIENCE_S:
                raise RuntimeError(f"no frame came: {(folder / 'stderr').read_text()}")
            time.sleep(0.002)
        time.sleep(after_s)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    captured_s = (_captured(diary) - _captured(diary)[0]) / NS_PER_S
    times_s = max((_readable(path) for path in folder.glob("out*")), key=lambda times: times.size, default=np.empty(0))
    last_s = times_s[-1] if times_s.size else 0.0
    apart_s = np.abs(times_s[:, np.newaxis] - captured_s).min(axis=1)
    return Kill(
        ending=ending,
        scene=scene,
        after_s=round(after_s, 3),
        opened=bool(times_s.size),
        captured=captured_s.size,
        readable=times_s.size,
        dropped=int((captured_s <= last_s + TICK_S).sum()) - times_s.size if times_s.size else 0,
        lost_s=round(float(captured_s[-1] - last_s), 3),
        off_ms=round(float(apart_s.max(initial=0)) * 1000, 3),
    )


def _captured(diary: Path) -> NDArray[np.int64]:
    """Monotonic ns of every capture so far."""
    noted = np.fromfile(diary, np.int64, count=1)
    return np.fromfile(diary, np.int64, count=int(noted[0]), offset=8)


def _readable(video: Path) -> NDArray[np.float64]:
    """Seconds since the first frame, of each that can be decoded."""
    times_s: list[float] = []
    try:
        with av.open(str(video)) as container:
            times_s.extend(frame.time or 0.0 for frame in container.decode(video=0))
    except (av.FFmpegError, IndexError):
        pass  # a file that was cut may end in an error; what came before it counts
    return np.array(times_s) - times_s[0] if times_s else np.empty(0)


def summary(kills: Sequence[Kill]) -> str:
    """A line for people; a file that did not open has lost all that was captured."""
    frames, seconds = [one.lost for one in kills], [one.lost_s for one in kills]
    return (
        f"{kills[0].ending:6} {kills[0].scene:7} {sum(one.opened for one in kills):3} of {len(kills)} open   "
        f"lost frames: median {statistics.median(frames):g}, worst {max(frames)}   "
        f"lost s: median {statistics.median(seconds):.2f}, worst {max(seconds):.2f}   "
        f"dropped {sum(one.dropped for one in kills)}   times off by at most {max(one.off_ms for one in kills):.2f} ms"
    )


def main() -> None:
    """Kill, print, and exit 1 if a file did not open."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="for each scene and ending")
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument("--endings", default=".mp4", help="such as .mp4,.mkv,.webm")
    parser.add_argument("--fps", type=float, default=30)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--after", type=float, default=0.5, metavar="S")
    parser.add_argument("--before", type=float, default=5.0, metavar="S")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    source = f"test:size={arguments.size},fps={arguments.fps:g}"
    everyone: list[Kill] = []
    for ending in arguments.endings.split(","):
        for scene in arguments.scenes.split(","):
            chance = random.Random(f"{arguments.seed} {ending} {scene}")
            kills = []
            for _ in range(arguments.kills):
                after_s = chance.uniform(arguments.after, arguments.before)
                with tempfile.TemporaryDirectory() as folder:
                    kills.append(kill(Path(folder), ending=ending, scene=scene, after_s=after_s, source=source))
            print(summary(kills), flush=True)
            everyone += kills
    if arguments.json:
        arguments.json.write_text(json.dumps([{**asdict(one), "lost": one.lost} for one in everyone], indent=1))
    sys.exit(not all(one.opened for one in everyone))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    else:
        main()
