#!/usr/bin/env python3
"""Days of a camera that comes and goes, in an hour: does the program grow?

    python scripts/bench/soak.py [--minutes 60] [--warm-up 10] [--speed 5] [--every 60] [--fps 30] [--size 320x240]
                           [--json FILE] [--keep-in DIR] [-- ARGUMENT...]

ffmpeg sends a test picture and a tone as MPEG-TS, `--speed` times faster than its clock, and is killed every `--every`
seconds; two seconds later there is a new one. `streamer run` watches it with the model inside, records (a new file each
minute, the newest 100 MB kept) and writes a table, as a process of its own that is looked at from outside: resident
memory, descriptors and threads, every five seconds. ARGUMENTs are added to its command line.

Slopes are least squares over the means of `--every` seconds behind the warm-up; the interval is that of Student's t
with 95 %. The means are taken as independent of each other. Frames that wait while the machine is busy are memory, too,
and no growth: so there is the slope of the least of each cycle besides, which is judged. Drift is how much later the
lines of the table come at the end than at the beginning, by their own time: the least delay in the last cycle less that
of the first one.
"""

import argparse
import itertools
import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from slopes import Slope, slope

SAMPLE_S = 5.0
AWAY_S = 2.0
"""How long there is no server."""

KIB_PER_MB = 1e6 / 1024
END_S = 30.0
LAST_S = 45.0
"""So near the end nobody dies: the longest wait for the next try is 36 s."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the system says of the process, `at_s` after the beginning."""

    at_s: float
    resident_mb: float
    anonymous_mb: float
    descriptors: int
    threads: int


@dataclass(slots=True)
class Lines:
    """What was read of the table. least_s: the least delay of each cycle, by its number, from any beginning."""

    cycle_s: float
    began_s: float
    count: int = 0
    least_s: dict[int, float] = field(default_factory=dict)

    def read(self, stdout: IO[str]) -> None:
        """Read to the end."""
        for line in stdout:
            now_s = time.monotonic()
            entry = json.loads(line)
            self.count += 1
            cycle = int((now_s - self.began_s) / self.cycle_s)
            delay_s = now_s - entry["pts_s"]
            self.least_s[cycle] = min(self.least_s.get(cycle, math.inf), delay_s)


class Server:
    """ffmpeg at a port, killed and begun anew."""

    def __init__(self, options: argparse.Namespace) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.deaths = 0
        self._options = options
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        options = self._options
        picture = f"testsrc2=size={options.size}:rate={options.fps}"
        return subprocess.Popen(
            [
                *("ffmpeg", "-nostdin", "-loglevel", "error"),
                *("-readrate", str(options.speed), "-f", "lavfi", "-i", picture),
                *("-readrate", str(options.speed), "-f", "lavfi", "-i", "sine=frequency=440"),
                *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(options.fps)),
                *("-c:a", "aac", "-f", "mpegts", f"tcp://127.0.0.1:{self.port}?listen=1"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def die(self) -> None:
        """Be killed and be gone for a while."""
        self.close()
        self.deaths += 1
        time.sleep(AWAY_S)
        self._process = self._start()

    def close(self) -> None:
        """Be killed."""
        self._process.kill()
        self._process.wait()


@contextmanager
def watching(port: int, folder: Path, extra: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """`streamer run` on the stream, until the block ends."""
    command = [sys.executable, "-m", "streamer", "run", f"tcp://127.0.0.1:{port}", str(folder / "out.mp4")]
    command += ["--segment", "1m", "--keep", "100M", "--jsonl", "-", "--summary", str(folder / "summary.json")]
    command += ["--detect-every", "15", "--threads", "1", "--no-show", "--log-json", *extra]
    with (folder / "log.jsonl").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def sample(pid: int, at_s: float) -> Sample:
    """Look at a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    return Sample(
        at_s=round(at_s, 1),
        resident_mb=round(int(status["VmRSS"].split()[0]) / KIB_PER_MB, 2),
        anonymous_mb=round(int(status["RssAnon"].split()[0]) / KIB_PER_MB, 2),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208 - the names alone
        threads=int(status["Threads"]),
    )


def cycles(samples: Sequence[Sample], cycle_s: float) -> list[list[Sample]]:
    """The samples of each cycle."""
    return [list(group) for _, group in itertools.groupby(samples, key=lambda seen: int(seen.at_s / cycle_s))]


def judged(samples: Sequence[Sample], lines: Lines, options: argparse.Namespace) -> dict[str, object]:
    """The figures of what came behind the warm-up."""
    warm = [seen for seen in samples if seen.at_s >= options.warm_up * 60]
    groups = cycles(warm, options.every)
    times_s = [statistics.fmean(seen.at_s for seen in group) for group in groups]

    def grown(name: str) -> Slope:
        return slope(times_s, [statistics.fmean(getattr(seen, name) for seen in group) for group in groups])

    least = [min(seen.resident_mb for seen in group) for group in groups]
    known = sorted(lines.least_s)
    first, last = known[int(options.warm_up * 60 / options.every)], known[-2]
    return {
        "minutes": round((warm[-1].at_s - warm[0].at_s) / 60, 1),
        "cycles": len(groups),
        "resident_mb_per_h": asdict(grown("resident_mb")),
        "least_resident_mb_per_h": asdict(slope(times_s, least)),
        "anonymous_mb_per_h": asdict(grown("anonymous_mb")),
        "resident_mb": [warm[0].resident_mb, warm[-1].resident_mb, max(seen.resident_mb for seen in warm)],
        "descriptors": [min(seen.descriptors for seen in warm), max(seen.descriptors for seen in warm)],
        "descriptors_per_h": asdict(grown("descriptors")),
        "threads": [min(seen.threads for seen in warm), max(seen.threads for seen in warm)],
        "threads_per_h": asdict(grown("threads")),
        "drift_ms": round((lines.least_s[last] - lines.least_s[first]) * 1000, 1),
        "frames": lines.count,
    }


def soak(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Run, and judge."""
    server = Server(options)
    began_s = time.monotonic()
    samples: list[Sample] = []
    lines = Lines(options.every, began_s)
    try:
        with watching(server.port, folder, options.arguments) as process:
            assert process.stdout is not None
            reader = threading.Thread(target=lines.read, args=(process.stdout,))
            reader.start()
            total_s = (options.minutes + options.warm_up) * 60
            death_s = options.every
            while (at_s := time.monotonic() - began_s) < total_s and process.poll() is None:
                samples.append(sample(process.pid, at_s))
                if at_s >= death_s and total_s - at_s > LAST_S:
                    server.die()
                    death_s += options.every
                time.sleep(SAMPLE_S)
            process.send_signal(signal.SIGINT)
            code = process.wait(END_S)
            reader.join(END_S)
    finally:
        server.close()
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    (folder / "samples.json").write_text(json.dumps([asdict(seen) for seen in samples]), encoding="utf-8")
    return judged(samples, lines, options) | {
        "exit_code": code,
        "deaths": server.deaths,
        "reconnects": summary["ledger"]["reconnects"],
        "ledger": summary["ledger"],
        "files_left": len(list(folder.glob("out*.mp4"))),
    }


def main() -> None:
    """Soak and print; exit 1 where it grows by 1 MB/h or more, or did not come back each time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=10)
    parser.add_argument("--speed", type=float, default=5)
    parser.add_argument("--every", type=float, default=60)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep-in", type=Path, help="a folder for the recording, the log, and the samples")
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep_in or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = soak(options, folder)
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json is not None:
        options.json.write_text(text, encoding="utf-8")
    grows = figures["least_resident_mb_per_h"]
    assert isinstance(grows, dict)
    sys.exit(0 if grows["per_h"] < 1 and figures["deaths"] == figures["reconnects"] else 1)


if __name__ == "__main__":
    main()
