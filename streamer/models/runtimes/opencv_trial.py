"""OpenCV's dnn tried on a net in a process of its own: a net that makes no sense can end the process that runs it.

OpenCV 4.14 and 5.0 raise for most nets that are damaged. Some divide by zero or read where nothing is, which no handler
catches; others never end. `try_net` is told, and survives. What it tells holds for the shape that it tried, on a black
image: it is no sandbox, and no promise for other shapes. Its other half is this module as a program.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamer.errors import ModelError, ModelLoadError
from streamer.models.runtimes.opencv import OpenCvGraph, read_net, short_reason
from streamer.text import printable

TIMEOUT_S = 60.0
"""How long a net may take to be loaded and run once."""

_ROOT = str(Path(__file__).resolve().parents[3])
"""The directory that holds the package."""


def try_net(graph: Path, text: Path, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The outputs' shapes for a black image of `shape`: (batch, channels, height, width).

    Raises ModelLoadError for a net that cannot be loaded or run, ends its process, or takes too long.
    """
    command = [sys.executable, "-P", "-m", __name__, str(graph), str(text), *map(str, shape)]
    environment = {**os.environ, "PYTHONPATH": _search_path()}
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
    outcome = _outcome(done.stdout)
    if outcome is None:
        raise _unfit("it ends the process that runs it before that could tell what came of it", where=text)
    if "error" in outcome:
        raise _unfit(outcome["error"], where=text)
    return {name: tuple(sides) for name, sides in outcome["shapes"].items()}


def _search_path() -> str:
    """Where this process finds its modules, for PYTHONPATH: what lies in the working directory is none of them.

    The package comes last: an editable installation need not have its directory among them.
    """
    places = [place for place in sys.path if Path(place).is_absolute() and os.pathsep not in place]
    return os.pathsep.join(dict.fromkeys([*places, _ROOT]))


def _outcome(stdout: bytes) -> dict[str, Any] | None:
    """What the last line says; None where the process did not come to say it."""
    try:
        outcome = json.loads(stdout.rpartition(b"\n")[2])
    except ValueError:
        return None
    return outcome if isinstance(outcome, dict) else None


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _unfit(why: str, *, where: Path) -> ModelLoadError:
    return ModelLoadError(
        f"OpenCV's dnn cannot run it: {why}",
        where=str(where),
        hint="does the text graph belong to this .pb, and does it say the size of its input?",
    )


def _main(graph: str, text: str, *sides: str) -> None:
    try:
        net = OpenCvGraph(read_net(Path(graph), Path(text)))
        outputs = net.run(np.zeros([int(side) for side in sides], np.float32))
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
