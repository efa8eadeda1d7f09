"""TensorFlow, kept quiet: it runs one function of a loaded model, and nothing else."""

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models.options import Device
from streamer.models.runtimes.quiet import c_stderr_aside
from streamer.text import printable

logger = logging.getLogger(__name__)

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"

_NO_REASON = re.compile(r'Graph execution error|Detected at node|<stack traces|File "|node ')
_NO_MEMORY = re.compile(r"failed to map segment|[Cc]annot allocate memory")
"""What the loader of libraries says where there is no room for them."""

_NODES = re.compile(r"\s*(\{\{node [^}]*\}\}|\[\[[^\]]*\]\]|\[Op:[^\]]*\])\s*")


class TensorFlowGraph:
    """One function. It owns what was loaded: the variables live as long as it does.

    function: takes the image, and gives tensors: by name, in a list, or one alone. input_name: what its argument is
    called; None for one that goes by its place. output_names: what tensors without names are called, in order.
    """

    def __init__(
        self,
        loaded: object,
        function: Callable[..., Any],
        *,
        input_name: str | None,
        output_names: Sequence[str] = (),
    ) -> None:
        self._loaded = loaded
        self._function: Callable[..., Any] | None = function
        self._input_name = input_name
        self._output_names = tuple(output_names)
        self._tensorflow = import_tensorflow()

    @property
    def function(self) -> Any:  # noqa: ANN401 - TensorFlow comes without types
        """What is run: for those who make another form of it. Raises ModelError when it is closed."""
        if self._function is None:
            raise ModelError("the model is closed")
        return self._function

    @property
    def output_names(self) -> tuple[str, ...]:
        """What outputs without names are called, in order."""
        return self._output_names

    @property
    def concurrency(self) -> int:
        """One call takes all cores."""
        return 1

    @property
    def runtime(self) -> str:
        """`TensorFlow 2.21 CPU`."""
        return runtime_name()

    def run(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Outputs by name. Raises ModelError for whatever TensorFlow raises."""
        if self._function is None:
            raise ModelError("the model is closed")
        try:
            image = self._tensorflow.constant(images)
            given = self._function(image) if self._input_name is None else self._function(**{self._input_name: image})
            return {name: _array(tensor) for name, tensor in named_tensors(given, self._output_names).items()}
        except Exception as error:
            raise ModelError(f"the model fails: {short_reason(error)}") from error

    def close(self) -> None:
        """Let go of the graph and its variables. Idempotent."""
        self._function = self._loaded = None


def runtime_name() -> str:
    """`TensorFlow 2.21 CPU`."""
    tensorflow = import_tensorflow()
    version = ".".join(tensorflow.__version__.split(".")[:2])
    device = "GPU" if tensorflow.config.list_logical_devices("GPU") else "CPU"
    return f"TensorFlow {version} {device}"


def named_tensors(given: Any, names: Sequence[str] = ()) -> dict[str, Any]:  # noqa: ANN401 - whatever a function gives
    """Tensors, or descriptions of them, by name: a dictionary's own names, however deep, else those of `names`.

    What stays without a name is called `output_0`, `output_1` and so on.
    """
    if isinstance(given, Mapping):
        named: dict[str, Any] = {}
        for key, value in given.items():
            nested = isinstance(value, Mapping | list | tuple)
            inner = named_tensors(value) if nested else {"": value}
            named |= {f"{key}.{name}" if name else str(key): tensor for name, tensor in inner.items()}
        return named
    tensors = import_tensorflow().nest.flatten(given)
    called = names if len(set(names)) == len(tensors) else [f"output_{n}" for n in range(len(tensors))]
    return dict(zip(called, tensors, strict=True))


def _array(tensor: Any) -> NDArray[Any]:  # noqa: ANN401 - TensorFlow comes without types
    """A tensor as an array; numpy has no bfloat16 of its own."""
    array = np.asarray(tensor.numpy())
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _interrupt_in(error: BaseException | None) -> BaseException | None:
    """What a signal raised in the midst of the import, which TensorFlow's own code calls a failed initialization."""
    while isinstance(error, Exception):
        error = error.__cause__ or error.__context__
    return error


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
        interrupt = _interrupt_in(error)
        if interrupt is not None:
            raise interrupt from None
        what = f"TensorFlow cannot be imported: {short_reason(error)}"
        full = isinstance(error, MemoryError) or _NO_MEMORY.search(str(error))
        hint = "there is not enough memory" if full else "pip install --force-reinstall tensorflow"
        raise ModelLoadError(what, hint=hint) from error
    for device in tensorflow.config.list_physical_devices("GPU"):
        try:
            tensorflow.config.experimental.set_memory_growth(device, enable=True)
        except RuntimeError as error:  # somebody used the device before
            logger.debug("memory growth of %s: %s", device.name, error)
    return tensorflow


def prepare(*, device: Device = "auto", gpu_mem_mb: int | None = None, threads: int | None = None) -> None:
    """Say where TensorFlow may compute, before it does so for the first time in this process; later it stays as it is.

    device: `cpu` hides every GPU. gpu_mem_mb: the most memory that it takes of each; None lets it grow. threads: cores
    that one call may take; None for all. Raises ModelLoadError where a GPU is asked for and there is none.
    """
    config = import_tensorflow().config
    gpus = config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise ModelLoadError("TensorFlow finds no GPU", where="--device gpu", hint="--device auto takes what is there")
    try:
        if device == "cpu":
            config.set_visible_devices([], "GPU")
        elif gpu_mem_mb is not None:
            for gpu in gpus:
                config.experimental.set_memory_growth(gpu, enable=False)
                config.set_logical_device_configuration(
                    gpu, [config.LogicalDeviceConfiguration(memory_limit=gpu_mem_mb)]
                )
        if threads is not None:
            config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        logger.debug("TensorFlow computes already: %s", error)


def short_reason(error: BaseException) -> str:
    """The one line of a TensorFlow error that a person can use; the rest is pages of nodes and C++ frames."""
    text = str(getattr(error, "message", None) or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next((line for line in lines if not _NO_REASON.match(line)), "")
    line = _NODES.sub(" ", line)
    return printable(line, limit=160) or type(error).__name__


def _import_quietly() -> ModuleType:
    """Import TensorFlow; who sets TF_CPP_MIN_LOG_LEVEL wants to see what it says meanwhile.

    TensorFlow 2.21 has lines that no log level keeps back: absl writes them before TensorFlow initialises it.
    """
    wanted = _LOG_LEVEL in os.environ
    os.environ.setdefault(_LOG_LEVEL, "3")
    with nullcontext() if wanted else c_stderr_aside():
        import tensorflow as tf  # noqa: PLC0415 - five seconds: only who runs a model pays them

        tf.config.list_physical_devices()
    if not wanted:
        tf.get_logger().setLevel("ERROR")
    return tf  # type: ignore[no-any-return]
