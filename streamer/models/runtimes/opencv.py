"""OpenCV's dnn, kept quiet: it runs a net that was loaded, and nothing else."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError
from streamer.text import printable

Trial = Callable[[tuple[int, ...]], object]
"""Told the shape of an input, it raises ModelError where the net cannot be run with it. It remembers what it tried."""


class OpenCvGraph:
    """A net of one input. Used by one thread at a time."""

    def __init__(self, net: cv2.dnn.Net, *, trial: Trial | None = None) -> None:
        """trial: asked before each run; None runs whatever comes. Raises ModelError for a net without outputs."""
        self._trial = trial
        with quiet():
            self._outputs = tuple(net.getUnconnectedOutLayersNames())
        if not self._outputs:
            raise ModelError("the model has no outputs")
        self._net: cv2.dnn.Net | None = net

    @property
    def runtime(self) -> str:
        """`OpenCV 5.0 dnn CPU`."""
        return f"OpenCV {'.'.join(cv2.__version__.split('.')[:2])} dnn CPU"

    def run(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """All outputs by name. images: (1, channels, height, width) float32. Raises ModelError."""
        if self._net is None:
            raise ModelError("the model is closed")
        if images.ndim != 4 or 0 in images.shape:  # OpenCV 5.0 divides by a side of 0
            raise ModelError(f"the model fails: it takes [1,3,height,width], not {list(images.shape)}")
        if self._trial is not None:
            self._trial(images.shape)
        try:
            with quiet():
                self._net.setInput(np.ascontiguousarray(images, np.float32))
                outputs = self._net.forward(self._outputs)
        except cv2.error as error:
            raise ModelError(f"the model fails: {short_reason(error)}") from error
        return {name: np.array(output) for name, output in zip(self._outputs, outputs, strict=True)}

    def close(self) -> None:
        """Let go of the net. Idempotent."""
        self._net = None


def read_net(graph: Path, text: Path) -> cv2.dnn.Net:
    """The net of a frozen graph and its text graph. Raises cv2.error, and OSError.

    They are read here and given from memory: OpenCV opens no file whose name Windows' narrow characters cannot write.
    """
    weights, structure = (np.frombuffer(path.read_bytes(), np.uint8) for path in (graph, text))
    with quiet():
        return cv2.dnn.readNetFromTensorflow(weights, structure)


def short_reason(error: cv2.error) -> str:
    """What OpenCV says is wrong, on one line, without the file and the line of its source."""
    return printable(getattr(error, "err", "") or str(error), limit=160)


_speakers = threading.Lock()
_level: list[int] = []
"""The level of the log before each of the blocks that are open now."""


@contextmanager
def quiet() -> Iterator[None]:
    """Let OpenCV log nothing for the length of the block: what it has to say is in its exceptions too."""
    with _speakers:
        _level.append(cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT))
    try:
        yield
    finally:
        with _speakers:
            before = _level.pop()
            if not _level:
                cv2.utils.logging.setLogLevel(before)
