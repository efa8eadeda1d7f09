"""OpenCV's dnn tried on a net in a process of its own: a net that makes no sense can end the process that runs it.

OpenCV 4.14 and 5.0 raise for most nets that are damaged. Some divide by zero or read where nothing is, which no handler
catches; others never end. `try_net` is told, and survives. Its other half is this module as a program.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from streamer.errors import ModelError, ModelLoadError
from streamer.models.runtimes.opencv import OpenCvGraph, read_net, short_reason
from streamer.text import printable

TIMEOUT_S = 60.0
"""How long a net may take to be loaded and run once."""


def try_net(graph: Path, text: Path, *, size_px: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """The outputs' shapes for a black image of three channels and (width, height) `size_px`.

    Raises ModelLoadError for a net that cannot be loaded or run, ends its process, or takes too long.
    """
    command = [sys.executable, "-m", __name__, str(graph), str(text), *map(str, size_px)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
            start_new_session=True,  # Ctrl-C is for the parent
        )
    except subprocess.TimeoutExpired as error:
        raise _unfit(f"it takes longer than {TIMEOUT_S:.0f} s", where=text) from error
    except OSError as error:
        raise _unfit(f"the process to try it in cannot be started: {error.strerror or error}", where=text) from error
    if done.returncode != 0:
        raise _unfit(f"it ends the process that runs it, {_ending(done.returncode)}", where=text)
    outcome = json.loads(done.stdout.splitlines()[-1])
    if "error" in outcome:
        raise _unfit(outcome["error"], where=text)
    return {name: tuple(shape) for name, shape in outcome["shapes"].items()}


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _unfit(why: str, *, where: Path) -> ModelLoadError:
    return ModelLoadError(
        f"OpenCV's dnn cannot run it: {why}",
        where=str(where),
        hint="does the text graph belong to this .pb, and does it say the size of its input?",
    )


def _main(graph: str, text: str, width: str, height: str) -> None:
    try:
        net = OpenCvGraph(read_net(Path(graph), Path(text)))
        outputs = net.run(np.zeros((1, 3, int(height), int(width)), np.float32))
        outcome: dict[str, object] = {"shapes": {name: output.shape for name, output in outputs.items()}}
    except cv2.error as error:
        outcome = {"error": short_reason(error)}
    except ModelError as error:
        outcome = {"error": error.what.removeprefix("the model fails: ")}
    except (OSError, MemoryError) as error:
        outcome = {"error": printable(str(error) or "there is not enough memory", limit=160)}
    sys.stdout.write("\n" + json.dumps(outcome))


if __name__ == "__main__":
    _main(*sys.argv[1:])
