"""Opens the network that a Lowered describes in the runtime that it names; that runtime alone is imported."""

import os
from pathlib import Path

from streamer.errors import ModelLoadError
from streamer.models.running import Lowered, Network


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_network(lowered: Lowered, folder: Path, *, live: bool, threads: int | None = None) -> Network:
    """The network, ready to run. folder: where its file is.

    live: one call at a time, which leaves a core to capture and drawing; else as many calls at once as there are
    threads. threads: cores that it may take; None for all of them, less one where it is live.

    Raises ModelLoadError.
    """
    total = threads or max(1, cores() - live)
    streams = 1 if live else total
    path = folder / lowered.file
    match lowered.runtime:
        case "openvino":
            from streamer.models.runtimes.openvino import OpenVinoNetwork  # noqa: PLC0415 - see above

            return OpenVinoNetwork(path, outputs=lowered.outputs, streams=streams, threads=total, device=lowered.device)
        case "litert":
            from streamer.models.runtimes.litert import LiteRTNetwork  # noqa: PLC0415 - see above

            return LiteRTNetwork(_content(path), outputs=lowered.outputs, streams=streams, threads=total)
        case "tensorflow":
            from streamer.models.lowering.tensorflow_network import TensorFlowNetwork  # noqa: PLC0415 - see above

            return TensorFlowNetwork(_content(path), outputs=lowered.outputs, frame_shape=lowered.frame_shape)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelLoadError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
