"""A network that was cut out of a graph, run by TensorFlow itself."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ModelError, ModelLoadError
from streamer.models.lowering.flat import FlatGraph
from streamer.models.lowering.network import FRAME_SHAPE, INPUT
from streamer.models.runtimes.tensorflow import import_tensorflow, runtime_name, short_reason


class TensorFlowNetwork:
    """content: a GraphDef. outputs: its nodes by the names of what they give. frame_shape: whether it takes that.

    Raises ModelLoadError for what TensorFlow does not take.
    """

    concurrency = 1

    def __init__(self, content: bytes, *, outputs: Mapping[str, str], frame_shape: bool) -> None:
        tensorflow = import_tensorflow()
        feeds = [INPUT, FRAME_SHAPE] if frame_shape else [INPUT]
        try:
            definition = tensorflow.compat.v1.GraphDef.FromString(content)
            flat = FlatGraph(definition, f"{INPUT}:0", outputs)
            self._call: Any = flat.caller(list(outputs.values()), feeds=feeds)
            self._shape = flat.shape(INPUT)
        except Exception as error:
            raise ModelLoadError(f"TensorFlow does not take it: {short_reason(error)}") from error
        self._names = list(outputs)
        self._frame_shape = frame_shape

    @property
    def runtime(self) -> str:
        """`TensorFlow 2.21 CPU`."""
        return runtime_name()

    def run(self, tensor: NDArray[Any], *, frame_size_px: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Outputs by name. Raises ModelError."""
        if self._call is None:
            raise ModelError("the model is closed")
        if tensor.shape != self._shape:  # TensorFlow would take it, and may end the process
            raise ModelError(f"the model takes {self._shape}, and was given {tensor.shape}")
        more = [np.array([1, frame_size_px[1], frame_size_px[0], 3], np.int32)] if self._frame_shape else []
        return dict(zip(self._names, self._call(tensor, *more), strict=True))

    def close(self) -> None:
        """Let go of the graph. Idempotent."""
        self._call = None
