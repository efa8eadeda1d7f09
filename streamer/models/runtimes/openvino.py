"""OpenVINO: it runs one network that was cut out of a graph, and nothing else. No TensorFlow is needed for that."""

import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models.runtimes.signal_stack import signal_stack_kept
from streamer.text import printable

logger = logging.getLogger(__name__)

Model = Any
Outputs = dict[str, NDArray[Any]]
"""OpenVINO comes without types."""

LARGE = 4096
"""A TopK over more numbers than this, times what it keeps, is looked at in two steps."""

_GROUP = 128


class OpenVinoNetwork:
    """One network, compiled. Each thread that calls `run` has a request of its own.

    path: an .xml that `convert` wrote. outputs: what its outputs are called in it, by the names that `run` gives them.
    streams: how many calls run at once. threads: how many cores they have together.

    Raises ModelLoadError where OpenVINO is not installed or does not take it.
    """

    def __init__(
        self, path: Path, *, outputs: Mapping[str, str], streams: int, threads: int, device: str = "CPU"
    ) -> None:
        config = {"INFERENCE_PRECISION_HINT": "f32"} | (
            {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": threads} if device == "CPU" else {}
        )
        core = _core()
        try:
            with signal_stack_kept():
                compiled = core.compile_model(core.read_model(str(path)), device, config)
            places = {name: _place(compiled, node) for name, node in outputs.items()}
        except Exception as error:
            raise ModelLoadError(f"OpenVINO does not take it: {short_reason(error)}") from error
        self._compiled: Any = compiled
        self._places = places
        self._inputs = len(compiled.inputs)
        self._first = next(n for n, given in enumerate(compiled.inputs) if len(given.partial_shape) > 1)
        self._device = device
        self._mine = threading.local()
        self.concurrency = streams

    @property
    def runtime(self) -> str:
        """`OpenVINO 2026.4 CPU`."""
        return f"OpenVINO {version()} {self._device}"

    def run(self, tensor: NDArray[Any], *, frame_size_px: tuple[int, int]) -> Outputs:
        """Outputs by name, which stay as they are until this thread calls again. Raises ModelError."""
        if self._compiled is None:
            raise ModelError("the model is closed")
        try:
            request = getattr(self._mine, "request", None)
            if request is None:
                request = self._mine.request = self._compiled.create_infer_request()
            inputs = {self._first: tensor}
            if self._inputs == 2:
                inputs[1 - self._first] = np.array([1, frame_size_px[1], frame_size_px[0], 3], np.int32)
            given = request.infer(inputs, share_inputs=True, share_outputs=True)
            return {name: given[place] for name, place in self._places.items()}
        except Exception as error:
            raise ModelError(f"the model fails: {short_reason(error)}") from error

    def close(self) -> None:
        """Let go of the network. Idempotent."""
        with signal_stack_kept():
            self._compiled = None
            self._mine = threading.local()


def convert(source: Path, target: Path, *, outputs: Sequence[str] = ()) -> None:
    """Write what `source` (a frozen .pb or a .tflite) holds as an .xml, and its weights beside it.

    outputs: what its outputs are to be called, in their order; if not given, they keep their names.

    Raises ModelLoadError where OpenVINO is not installed or does not take it.
    """
    core = _core()
    try:
        model = core.read_model(str(source))
        for output, name in zip(model.outputs, outputs, strict=bool(outputs)) if outputs else ():
            output.get_tensor().set_names({name})
        _ease_sorting(model)
        import openvino  # noqa: PLC0415 - as in _core

        openvino.save_model(model, str(target), compress_to_fp16=False)
    except Exception as error:
        raise ModelLoadError(f"OpenVINO does not take it: {short_reason(error)}") from error


def version() -> str:
    """`2026.4`."""
    from importlib import metadata  # noqa: PLC0415 - only who runs it asks

    return ".".join(metadata.version("openvino").split(".")[:2])


def devices() -> list[str]:
    """`CPU`, `GPU`, ... as far as OpenVINO finds them here. Raises ModelLoadError where it is not installed."""
    with signal_stack_kept():
        return list(_core().available_devices)


def _core() -> Any:  # noqa: ANN401 - as above
    try:
        with _nobody_told():
            import openvino  # noqa: PLC0415 - only who runs a network in it pays for it
    except ImportError as error:
        raise ModelLoadError(f"OpenVINO is not installed: {error}", hint="pip install openvino") from error
    return openvino.Core()


@contextmanager
def _nobody_told() -> Iterator[None]:
    """Keep OpenVINO from reporting its import to its makers over the network, from a thread that it leaves behind.

    Where its package for that cannot be imported it does without; whoever imports that package later gets it.
    """
    reporting = "openvino_telemetry"
    if reporting in sys.modules or "openvino" in sys.modules:
        yield
        return
    sys.modules[reporting] = None  # type: ignore[assignment]  # what Python means by it: not to be found
    try:
        yield
    finally:
        del sys.modules[reporting]


def _place(compiled: Any, node: str) -> int:  # noqa: ANN401 - as above
    """Which of the outputs has that name."""
    for n, output in enumerate(compiled.outputs):
        if node in {name.removesuffix(":0") for name in output.get_names()}:
            return n
    raise ValueError(f"it has no output {node}")


def _ease_sorting(model: Model) -> None:
    """Put two short TopKs in place of each long one: what OpenVINO 2026.4 takes 340 ms for takes less than one then.

    The k largest of all numbers lie in the k groups whose own largest numbers are the largest. Sorting by value, which
    is what is slow, is left for those k.
    """
    for node in list(model.get_ops()):
        if node.get_type_name() == "TopK":
            _ease(node)


def _ease(node: Any) -> None:  # noqa: ANN401 - as above
    import openvino.opset13 as ops  # noqa: PLC0415 - as in _core

    shape = node.input(0).get_partial_shape()
    kept = node.input_value(1).get_node()
    attributes = node.get_attributes()
    axis = attributes["axis"] % len(shape)
    is_float = node.input(0).get_element_type().to_dtype() == np.float32
    if not is_float or not shape.is_static or kept.get_type_name() != "Constant" or axis != len(shape) - 1:
        return
    sides = [side.get_length() for side in shape]
    count, k = sides[-1], int(kept.data.reshape(-1)[0])
    if attributes["mode"] != "max" or attributes["sort"] != "value" or int(np.prod(sides[:-1])) != 1:
        return
    groups = -(-count // _GROUP)
    if count * k < LARGE * 16 or groups <= 2 * k:
        return
    values = node.input_value(0)
    flat = ops.reshape(values, np.array([count], np.int64), special_zero=False)
    missing = groups * _GROUP - count
    padded = flat
    if missing:
        lowest = np.full([missing], -np.inf, np.float32)
        padded = ops.concat([flat, ops.constant(lowest)], 0)
    table = ops.reshape(padded, np.array([groups, _GROUP], np.int64), special_zero=False)
    largest = ops.reduce_max(table, np.array([1], np.int64))
    rows = _topk(largest, k, "index").output(1)
    chosen = ops.gather(table, rows, np.int64(0))
    inner = _topk(ops.reshape(chosen, np.array([k * _GROUP], np.int64), special_zero=False), k, "index")
    ordered = _topk(inner.output(0), k, "value")
    places = ops.gather(inner.output(1), ordered.output(1), np.int64(0))
    row, column = ops.divide(places, np.int32(_GROUP)), ops.mod(places, np.int32(_GROUP))
    index = ops.add(ops.multiply(ops.gather(rows, row, np.int64(0)), np.int32(_GROUP)), column)
    wanted = np.array([*sides[:-1], k], np.int64)
    _replace(node.output(0), ops.reshape(ordered.output(0), wanted, special_zero=False))
    _replace(node.output(1), ops.reshape(index, wanted, special_zero=False))


def _topk(values: Any, k: int, sort: str) -> Any:  # noqa: ANN401 - as above
    """Equal numbers stay in their order, as TensorFlow has it; of those that tie with the last one, any may be kept."""
    import openvino.opset13 as ops  # noqa: PLC0415 - as in _core

    return ops.topk(values, np.int64(k), 0, "max", sort, index_element_type="i32", stable=True)


def _replace(old: Any, node: Any) -> None:  # noqa: ANN401 - as above
    """Let whoever reads `old` read what `node` gives, under its names."""
    import openvino.opset13 as ops  # noqa: PLC0415 - as in _core

    wanted = old.get_element_type()
    new = (node if node.get_element_type() == wanted else ops.convert(node, wanted.to_dtype())).output(0)
    names = old.get_names()
    old.get_tensor().set_names(set())
    new.get_tensor().add_names(names)
    for reader in old.get_target_inputs():
        reader.replace_source_output(new)


def short_reason(error: BaseException) -> str:
    """The line of an OpenVINO error that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception from", "Check '", "While "))]
    return printable((told or lines or [type(error).__name__])[-1 if told else 0], limit=160)
