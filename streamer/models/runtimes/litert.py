"""LiteRT, kept quiet: it runs one graph of a .tflite file, or a network that was cut out of another form.

Where ai-edge-litert has no package for the machine, the interpreter inside TensorFlow does it. Not safe to be handed
files that nobody has looked at: tflite_file.py reads them before.
"""

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models.runtimes.quiet import c_stderr_aside, root_log_as_it_is, stderr_aside
from streamer.models.runtimes.tensorflow import import_tensorflow
from streamer.text import printable

Outputs = dict[str, NDArray[Any]]

_UNKNOWN = re.compile(r"unresolved custom op: ([^\s.]+)")
_PLACE = re.compile(r"^\S+\.(cc|h):\d+ ")


class LiteRTGraph:
    """One graph, called by its signature, or by the tensors of the main graph where the file has no signatures.

    content: the file. input_name: of the image, as the signature has it. signature: None for the main graph, of which
    `input_tensor` is the image and `output_tensors` are the outputs by name. is_sized: whether the image is of one
    size, so that it can be tried at once.

    Raises ModelLoadError for what the runtime refuses.
    """

    def __init__(
        self,
        content: bytes,
        *,
        signature: str | None,
        input_name: str,
        input_tensor: int,
        output_tensors: Mapping[str, int],
        is_sized: bool,
    ) -> None:
        self._input_name, self._input_tensor, self._output_tensors = input_name, input_tensor, output_tensors
        self._shape: tuple[int, ...] | None = None
        try:
            interpreter, self._runtime = _interpreter(content)
            if is_sized:
                with c_stderr_aside():
                    interpreter.allocate_tensors()
            runner = None if signature is None else interpreter.get_signature_runner(signature)
            details = self._details(interpreter) if runner is None else runner.get_output_details()
        except ModelLoadError:
            raise
        except Exception as error:
            raise _refused(error) from error
        self._interpreter: Any = interpreter
        self._runner: Callable[..., Outputs] | None = runner
        self._quantizations = {name: detail["quantization_parameters"] for name, detail in details.items()}

    @property
    def output_tensors(self) -> Mapping[str, int]:
        """Which tensors of the file the outputs are: in the order in which its graph gives them."""
        return self._output_tensors

    @property
    def runtime(self) -> str:
        """`LiteRT 2.3 CPU`."""
        return f"{self._runtime} CPU"

    def run(self, images: NDArray[Any]) -> Outputs:
        """Outputs by name, integers that stand for other numbers as these. Raises ModelError where LiteRT fails."""
        if self._interpreter is None:
            raise ModelError("the model is closed")
        try:
            outputs = self._called(images) if self._shape == images.shape else self._first_called(images)
        except Exception as error:
            raise ModelError(f"the model fails: {_reason(error)}") from error
        return {name: _real(array, self._quantizations[name]) for name, array in outputs.items()}

    def close(self) -> None:
        """Let go of the graph and the file. Idempotent."""
        self._interpreter = self._runner = None

    def _first_called(self, images: NDArray[Any]) -> Outputs:
        """The first run at a size, at which LiteRT makes room, and says so on stderr."""
        with c_stderr_aside():
            if self._runner is None:
                self._interpreter.resize_tensor_input(self._input_tensor, images.shape)
                self._interpreter.allocate_tensors()
            outputs = self._called(images)
        self._shape = images.shape
        return outputs

    def _called(self, images: NDArray[Any]) -> Outputs:
        """Copies of the outputs, which later runs leave alone."""
        if self._runner is not None:
            return self._runner(**{self._input_name: images})
        self._interpreter.set_tensor(self._input_tensor, images)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(tensor) for name, tensor in self._output_tensors.items()}

    def _details(self, interpreter: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - LiteRT comes without types
        by_tensor = {detail["index"]: detail for detail in interpreter.get_output_details()}
        return {name: by_tensor[tensor] for name, tensor in self._output_tensors.items()}


def _interpreter(content: bytes, *, threads: int = 0) -> tuple[Any, str]:
    """An interpreter of the file, and what it is called. threads: 0 for as many as there are cores."""
    try:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - only who runs a .tflite needs it
    except ImportError:
        tensorflow = import_tensorflow()
        version, made = tensorflow.__version__, tensorflow.lite.Interpreter
        name = "TensorFlow Lite"
    else:
        name, version, made = "LiteRT", metadata.version("ai-edge-litert"), Interpreter
    with c_stderr_aside(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf.lite.Interpreter is deprecated")
        interpreter = made(model_content=content, num_threads=threads or _cores())
    return interpreter, f"{name} {'.'.join(version.split('.')[:2])}"


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _real(array: NDArray[Any], quantization: Mapping[str, Any]) -> NDArray[Any]:
    """Integers as what they stand for: scale * (integer - zero point), for the whole or for each index of one axis."""
    scales, zero_points = (np.asarray(quantization[name]) for name in ("scales", "zero_points"))
    if array.dtype.kind not in "iu" or not scales.any():
        return array
    if scales.size > 1:
        along = [1] * array.ndim
        along[quantization["quantized_dimension"]] = -1
        scales, zero_points = scales.reshape(along), zero_points.reshape(along)
    real: NDArray[np.float32] = ((array.astype(np.float32) - zero_points) * scales).astype(np.float32)
    return real


def _refused(error: Exception) -> ModelLoadError:
    unknown = _UNKNOWN.search(str(error))
    if unknown is None:
        return ModelLoadError(f"LiteRT does not take the file: {_reason(error)}", hint="copy or export the model again")
    return ModelLoadError(
        f"its operation {printable(unknown[1])} is none that LiteRT has",
        hint="take the model in another form, or one of TensorFlow Lite's own operations",
    )


def _reason(error: Exception) -> str:
    """The first line of an error, without the place in LiteRT's sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(_PLACE.sub("", lines[0]) if lines else "", limit=160) or type(error).__name__


def converted(function: Any, *, examples: Sequence[NDArray[Any]] = ()) -> bytes:  # noqa: ANN401 - TensorFlow's
    """A function of TensorFlow as a .tflite file. Raises ModelLoadError where its converter does not take it.

    examples: of what it takes; with them its numbers become 8 bits, in the ranges that the examples show.
    """
    tensorflow = import_tensorflow()
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([function], trackable_obj=tensorflow.Module())
    if examples:
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([example] for example in examples)
    try:
        with stderr_aside(), root_log_as_it_is(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bytes(converter.convert())
    except Exception as error:
        raise ModelLoadError(f"LiteRT's converter does not take it: {_reason(error)}") from error


class LiteRTNetwork:
    """One network in a .tflite file, with an interpreter for each call that runs at once.

    outputs: by the names that `run` gives them, `#12` for tensor 12 of the file; anything else goes by its place.
    """

    def __init__(self, content: bytes, *, outputs: Mapping[str, str], streams: int, threads: int) -> None:
        self._free: SimpleQueue[_Interpreter] = SimpleQueue()
        self._closed = False
        self.concurrency = streams
        try:
            for _ in range(streams):
                interpreter, self._runtime = _interpreter(content, threads=max(1, threads // streams))
                with c_stderr_aside():
                    interpreter.allocate_tensors()
                self._free.put(_Interpreter(interpreter, outputs))
        except ModelLoadError:
            raise
        except Exception as error:
            raise _refused(error) from error

    @property
    def runtime(self) -> str:
        """`LiteRT 2.3 CPU`."""
        return f"{self._runtime} CPU"

    def run(self, tensor: NDArray[Any], *, frame_size_px: tuple[int, int]) -> Outputs:
        """Outputs by name. Raises ModelError where LiteRT fails."""
        if self._closed:
            raise ModelError("the model is closed")
        interpreter = self._free.get()
        try:
            return interpreter.run(tensor, frame_size_px)
        except Exception as error:
            raise ModelError(f"the model fails: {_reason(error)}") from error
        finally:
            self._free.put(interpreter)

    def close(self) -> None:
        """Let go of the network. Idempotent."""
        self._closed = True
        with suppress(Empty):
            while True:
                self._free.get_nowait()


class _Interpreter:
    """An interpreter with its tensors allocated; run by one thread at a time."""

    def __init__(self, interpreter: Any, outputs: Mapping[str, str]) -> None:  # noqa: ANN401 - LiteRT comes without types
        self._interpreter = interpreter
        inputs = sorted(interpreter.get_input_details(), key=lambda detail: -len(detail["shape"]))
        self._inputs = [int(detail["index"]) for detail in inputs]
        details = interpreter.get_output_details()
        by_tensor = {f"#{detail['index']}": detail for detail in details}
        places = zip(outputs.items(), details, strict=True)
        self._outputs = {name: by_tensor.get(tensor, detail) for (name, tensor), detail in places}

    def run(self, tensor: NDArray[Any], frame_size_px: tuple[int, int]) -> Outputs:
        self._interpreter.set_tensor(self._inputs[0], tensor)
        for index in self._inputs[1:]:
            self._interpreter.set_tensor(index, np.array([1, frame_size_px[1], frame_size_px[0], 3], np.int32))
        self._interpreter.invoke()
        return {
            name: _real(self._interpreter.get_tensor(detail["index"]), detail["quantization_parameters"])
            for name, detail in self._outputs.items()
        }
