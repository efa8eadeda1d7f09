"""TensorFlow, kept quiet: it runs one signature of a loaded SavedModel, and nothing else."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError
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
    """The tensorflow module, its devices set to take memory as they need it."""
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    tensorflow = _import_quietly()
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
    """Import TensorFlow without the lines that it writes past every log level (absl, before InitializeLog).

    Who sets TF_CPP_MIN_LOG_LEVEL wants to see them.
    """
    if _LOG_LEVEL in os.environ:
        import tensorflow as tf  # noqa: PLC0415 - five seconds: only who runs a model pays them

        return tf  # type: ignore[no-any-return]
    os.environ[_LOG_LEVEL] = "3"
    sys.stderr.flush()
    kept_fd = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            import tensorflow as tf  # noqa: PLC0415

            tf.config.list_physical_devices()
        finally:
            os.dup2(kept_fd, 2)
            os.close(kept_fd)
            noise.seek(0)
            logger.debug("tensorflow says: %s", noise.read().decode(errors="replace"))
    tf.get_logger().setLevel("ERROR")
    return tf  # type: ignore[no-any-return]
