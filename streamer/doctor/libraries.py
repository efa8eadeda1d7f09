"""Libraries that are loaded and made to do something: OpenCV, FFmpeg's encoders, and what runs models.

Only child.py runs these, each group in a process of its own, for some of what they try can end a process.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from streamer.doctor.findings import H264, OPENCV, RUNTIMES, Finding, found

_HARDWARE = {
    "_nvenc": "needs an NVIDIA GPU and its driver",
    "_qsv": "needs an Intel GPU and its driver (Debian: intel-media-va-driver)",
    "_amf": "needs an AMD GPU and its driver",
    "_videotoolbox": "is of macOS",
    "_vaapi": "needs a GPU and its VA-API driver",
}
"""What an encoder in hardware needs, by the ending of its name: where that is not there, nothing is broken."""

_AGAIN = "pip install --force-reinstall"


@dataclass(frozen=True, slots=True)
class Group:
    """Checks of one process: their names, and how one of them is made. Both may raise, or end the process.

    advice: what to do where they raise.
    """

    names: Callable[[], tuple[str, ...]]
    check: Callable[[str], Finding]
    advice: str = ""


def _opencv(name: str) -> Finding:
    try:
        import cv2  # noqa: PLC0415 - to try it is the check
    except ImportError as error:
        lacks_library = ".so" in str(error)
        advice = "apt install libgl1 libglib2.0-0" if lacks_library else "pip install opencv-python"
        return found(name, "broken" if lacks_library else "missing", error, advice)
    if name == "display":
        return _display()
    if name == OPENCV:
        build = cv2.getBuildInformation()
        with_what = ("GUI", "FFMPEG", "GStreamer", "v4l/v4l2")
        return found(
            name, "ok", f"{cv2.__version__}; {', '.join(f'{one} {_built_in(build, one)}' for one in with_what)}"
        )
    readers = [one for one in ("Tensorflow", "ONNX") if hasattr(cv2.dnn, f"readNetFrom{one}")]
    return found(name, "ok" if readers else "broken", f"reads {' and '.join(readers) or 'nothing'}")


def _built_in(build: str, name: str) -> str:
    """`QT5` or `YES`, from the line of OpenCV's build that begins with a name; `NO` where there is none."""
    line = re.search(rf"^\s*{re.escape(name)}:\s*(\S+)", build, re.MULTILINE)
    return line[1] if line else "NO"


def _display() -> Finding:
    from streamer.sinks.window import display_problem  # noqa: PLC0415 - needs OpenCV

    problem = display_problem()
    if problem is None:
        return found("display", "ok", "a window can be opened")
    advice = "pip install opencv-python" if "headless" in problem else "--no-show runs without a window"
    return found("display", "missing", problem, advice)


def _software() -> tuple[str, ...]:
    return ("PyAV", *_encoders(hardware=False), "encoder aac", "encoder opus (libopus)", "decoders")


def _encoders(*, hardware: bool) -> tuple[str, ...]:
    from streamer.sinks.encoders import ENCODERS  # noqa: PLC0415 - needs PyAV

    return tuple(
        f"encoder {codec} ({name})"
        for codec, names in ENCODERS.items()
        for name in names
        if bool(_need(name)) == hardware
    )


def _need(encoder: str) -> str:
    return next((need for ending, need in _HARDWARE.items() if encoder.endswith(ending)), "")


def _video(name: str) -> Finding:
    from streamer.sinks.encoders import trial  # noqa: PLC0415 - needs PyAV

    encoder = name.partition("(")[2].rstrip(")")
    if name == "PyAV":
        return _pyav()
    if name == "decoders":
        return _decoders()
    problem = _sound_problem(encoder or "aac") if encoder in {"", "libopus"} else trial(encoder)
    if problem is None:
        return found(name, "ok", "encodes")
    if need := _need(encoder):
        return found(name, "missing", f"{need}: {problem}")
    advice = f"{_AGAIN} av" if name.startswith(H264) else ""
    return found(name, "broken", problem, advice)


def _pyav() -> Finding:
    from streamer.pyav import av  # noqa: PLC0415 - to try it is the check

    numbers = {library: ".".join(map(str, parts)) for library, parts in av.library_versions.items()}
    return found("PyAV", "ok", f"{av.__version__}; libavcodec {numbers['libavcodec']}")


def _decoders() -> Finding:
    from streamer.pyav import av  # noqa: PLC0415

    wanted = ("h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mjpeg", "aac", "opus", "mp3")
    lacking = [
        codec for codec in wanted if codec not in av.codecs_available and f"lib{codec}" not in av.codecs_available
    ]
    if lacking:
        return found("decoders", "missing", f"none for {', '.join(lacking)}", f"{_AGAIN} av")
    return found("decoders", "ok", ", ".join(wanted))


def _hardware_decoders() -> tuple[str, ...]:
    from streamer.sources.hardware import device_kinds  # noqa: PLC0415 - needs PyAV

    return tuple(f"decoder in hardware ({kind})" for kind in device_kinds())


def _hardware_decoder(name: str) -> Finding:
    from streamer.sources.hardware import codecs_of, problem_of  # noqa: PLC0415 - needs PyAV

    kind = name.partition("(")[2].rstrip(")")
    problem = problem_of(kind)
    if problem is not None:
        return found(name, "missing", problem)
    return found(name, "ok", f"--hwaccel {kind}: opens; what of {', '.join(codecs_of(kind))} it takes, a stream tells")


def _sound_problem(encoder: str) -> str | None:
    """Encode a tenth of a second of silence; None if that works, else why not."""
    import numpy as np  # noqa: PLC0415 - as above

    from streamer.pyav import av  # noqa: PLC0415

    kind = "s16" if encoder == "libopus" else "fltp"
    try:
        context: Any = av.CodecContext.create(encoder, "w")
        context.sample_rate, context.format, context.layout = 48000, kind, "mono"
        packets = 0
        for number in range(5):
            silence = np.zeros((1, 960), np.int16 if kind == "s16" else np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format=kind, layout="mono")
            frame.sample_rate, frame.pts = 48000, number * 960
            packets += len(context.encode(frame))
        packets += len(context.encode(None))
    except (av.FFmpegError, OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None if packets else "it gives nothing"


def _runtime(name: str) -> Finding:
    package = {"TensorFlow": "tensorflow", "OpenVINO": "openvino", "LiteRT": "ai-edge-litert"}[name]
    try:
        number = version(package)
    except PackageNotFoundError:
        return found(name, "missing", "is not installed", f"pip install {package}")
    try:
        return found(name, "ok", f"{number}; {_DEVICES[name]()}")
    except Exception as error:  # noqa: BLE001 - as in child.py, with the version
        return found(name, "broken", f"{number}: {type(error).__name__}: {error}", f"{_AGAIN} {package}")


def _tensorflow() -> str:
    tensorflow = import_module("tensorflow")  # by name: models/ alone may know it
    if int(tensorflow.constant([1, 2]).numpy().sum()) != 3:
        raise ArithmeticError("one and two are not three")
    gpus = tensorflow.config.list_physical_devices("GPU")
    return f"CPU{f' and {len(gpus)} GPU' if gpus else ''}"


def _openvino() -> str:
    return ", ".join(import_module("openvino").Core().available_devices)


def _litert() -> str:
    _ = import_module("ai_edge_litert.interpreter").Interpreter
    return "CPU"


_DEVICES: dict[str, Callable[[], str]] = {"TensorFlow": _tensorflow, "OpenVINO": _openvino, "LiteRT": _litert}

GROUPS = {
    "OpenCV": Group(lambda: (OPENCV, RUNTIMES[3], "display"), _opencv, f"{_AGAIN} opencv-python"),
    "encoders": Group(_software, _video, f"{_AGAIN} av"),
    "encoders in hardware": Group(lambda: _encoders(hardware=True), _video),
    "decoders in hardware": Group(_hardware_decoders, _hardware_decoder),
    "TensorFlow": Group(lambda: ("TensorFlow",), _runtime),
    "OpenVINO": Group(lambda: ("OpenVINO",), _runtime),
    "LiteRT": Group(lambda: ("LiteRT",), _runtime),
}
"""What there is to ask, by what it is called where it does not even begin."""
