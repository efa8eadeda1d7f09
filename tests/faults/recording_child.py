"""A process that records as fast as it can, one byte on stdout for each frame handed in, until it is killed.

    python -m tests.faults.recording_child PATH SCENE FPS FRAMES [LIMIT_BYTES]

With a limit no file may grow larger, as on a full disk; the last line on stdout is then what the recorder said.
"""

import os
import sys
from pathlib import Path

from streamer.errors import SinkError
from streamer.sinks.recorder import Recorder
from tests.sinks.scenes import SCENES, results


def main(path: str, scene: str, fps: str, frames: str, limit_bytes: str = "") -> None:
    if limit_bytes:
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit_bytes), int(limit_bytes)))
    (chosen,) = (known for known in SCENES if known == scene)
    recorder = Recorder(Path(path), fps=float(fps))
    try:
        for one in results(int(frames), fps=float(fps), scene=chosen):
            recorder.write(one)
            os.write(1, b".")
        recorder.close()
    except SinkError as error:
        recorder.close()
        os.write(1, f"\n{error}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
