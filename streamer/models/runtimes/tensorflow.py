"""TensorFlow, kept quiet: it runs one signature of a loaded SavedModel, and nothing else."""

import ctypes
import logging
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.text import printable

logger = logging.getLogger(__name__)

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"

_NO_REASON = re.compile(r'Graph execution error|Detected at node|<stack traces|File "|node ')
_NODES = re.compile(r"\s*(\{\{node [^}]*\}\}|\[\[[^\]]*\]\]|\[Op:[^\]]*\])\s*")


class TensorFlowGraph:
    """One callable signature. It owns what was loaded: the variables live as long as it does."""

    def __init__(self, loaded: object, function: Callable[..., Mapping[str, Any]], *, input_name: str) -> None:
        self._loaded = loaded
        self._function: Callable[..., Mapping[str, Any]] | None = function
        self._input_name = input_name
        self._tensorflow = import_tensorflow()

    @property
    def runtime(self) -> str:
        """`TensorFlow 2.21 CPU`."""
        version = ".".join(self._tensorflow.__version__.split(".")[:2])
        device = "GPU" if self._tensorflow.config.list_logical_devices("GPU") else "CPU"
        return f"TensorFlow {version} {device}"

    def run(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Outputs by name. Raises ModelError for whatever TensorFlow raises."""
        if self._function is None:
            raise ModelError("the model is closed")
        try:
            outputs = self._function(**{self._input_name: self._tensorflow.constant(images)})
            return {name: np.asarray(tensor.numpy()) for name, tensor in outputs.items()}
        except Exception as error:
            raise ModelError(f"the model fails: {short_reason(error)}") from error

    def close(self) -> None:
        """Let go of the graph and its variables. Idempotent."""
        self._function = self._loaded = None


def import_tensorflow() -> ModuleType:
    """The tensorflow module, its devices set to take memory as they need it.

    Raises ModelLoadError where it is not installed, or cannot be imported.
    """
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    try:
        tensorflow = _import_quietly()
    except ModuleNotFoundError as error:
        raise ModelLoadError(f"TensorFlow is not installed: {error}", hint="pip install tensorflow") from error
    except Exception as error:  # a broken installation raises whatever its first broken part does
        raise ModelLoadError(
            f"TensorFlow cannot be imported: {short_reason(error)}", hint="pip install --force-reinstall tensorflow"
        ) from error
    for device in tensorflow.config.list_physical_devices("GPU"):
        try:
            tensorflow.config.experimental.set_memory_growth(device, enable=True)
        except RuntimeError as error:  # somebody used the device before
            logger.debug("memory growth of %s: %s", device.name, error)
    return tensorflow


def short_reason(error: BaseException) -> str:
    """The one line of a TensorFlow error that a person can use; the rest is pages of nodes and C++ frames."""
    text = str(getattr(error, "message", None) or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next((line for line in lines if not _NO_REASON.match(line)), "")
    line = _NODES.sub(" ", line)
    return printable(line, limit=160) or type(error).__name__


def _import_quietly() -> ModuleType:
    """Import TensorFlow; who sets TF_CPP_MIN_LOG_LEVEL wants to see what it says meanwhile."""
    wanted = _LOG_LEVEL in os.environ
    os.environ.setdefault(_LOG_LEVEL, "3")
    with nullcontext() if wanted else _c_stderr_aside():
        import tensorflow as tf  # noqa: PLC0415 - five seconds: only who runs a model pays them

        tf.config.list_physical_devices()
    if not wanted:
        tf.get_logger().setLevel("ERROR")
    return tf  # type: ignore[no-any-return]


@contextmanager
def _c_stderr_aside() -> Iterator[None]:
    """Let what C code prints to its stream `stderr` go nowhere, for the length of the block; with glibc only.

    TensorFlow 2.21 has lines that no log level keeps back: absl writes them before TensorFlow initialises it. The file
    descriptor stays as it is, so that what Python, a signal handler or a host program says arrives. The stream that
    leads nowhere is never closed: a thread may be writing to it.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    nowhere = libc.fopen(os.devnull.encode(), b"w")
    stderr = ctypes.c_void_p.in_dll(libc, "stderr")
    kept = stderr.value
    stderr.value = nowhere or kept
    try:
        yield
    finally:
        stderr.value = kept
