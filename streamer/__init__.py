"""streamer: a TensorFlow detector on a video stream.

    import streamer

    for result in streamer.stream("clip.mp4", model="path/to/saved_model"):
        print(result.frame.index, result.detections)

The public names are loaded when they are first used, so that importing streamer loads neither OpenCV nor TensorFlow.
"""

import importlib
import os
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# OpenCV reads these when it is imported: a camera that gives no picture is noticed after 2 s, not 10, Windows does
# not take a minute to open one, and what we say ourselves of a damaged file is not said again in FFmpeg's words.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

if TYPE_CHECKING:
    from streamer.errors import ConfigError, ModelError, SinkError, SourceError, StreamerError
    from streamer.flow.report import Report
    from streamer.frame import Detections, Frame, Ledger, Result
    from streamer.models import load_detector
    from streamer.pipeline import Pipeline
    from streamer.sources import open_source
    from streamer.streaming import stream
    from streamer.style import Style

_HOMES = {
    "ConfigError": "streamer.errors",
    "Detections": "streamer.frame",
    "Frame": "streamer.frame",
    "Ledger": "streamer.frame",
    "ModelError": "streamer.errors",
    "Pipeline": "streamer.pipeline",
    "Report": "streamer.flow.report",
    "Result": "streamer.frame",
    "SinkError": "streamer.errors",
    "SourceError": "streamer.errors",
    "StreamerError": "streamer.errors",
    "Style": "streamer.style",
    "load_detector": "streamer.models",
    "open_source": "streamer.sources",
    "stream": "streamer.streaming",
}

__all__ = [
    "ConfigError",
    "Detections",
    "Frame",
    "Ledger",
    "ModelError",
    "Pipeline",
    "Report",
    "Result",
    "SinkError",
    "SourceError",
    "StreamerError",
    "Style",
    "__version__",
    "load_detector",
    "open_source",
    "stream",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'streamer' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
