"""Decoding in hardware: what there is here, and what `--hwaccel` asks for.

Which devices there are is asked of PyAV; nothing is assumed of its build. What decodes gets its pictures downloaded, so
that behind it nothing knows where they came from. swapping.py is what goes on in software.
"""

import logging
from dataclasses import dataclass

from streamer.errors import SourceOpenError
from streamer.pyav import HWAccel, VideoStream, av, hwdevices_available
from streamer.sources.options import AUTO_HWACCEL, NO_HWACCEL

logger = logging.getLogger(__name__)

CODECS = ("h264", "hevc", "av1", "vp9", "vp8", "mpeg2video", "mpeg4", "mjpeg")
"""What is looked at to find out which devices decode anything."""

_NEEDS = {
    "cuda": "an NVIDIA GPU and its driver",
    "vaapi": "a GPU, its VA-API driver, and access to /dev/dri",
    "qsv": "an Intel GPU and its driver",
    "vdpau": "a GPU and its VDPAU driver",
    "vulkan": "a GPU whose Vulkan driver decodes video",
    "videotoolbox": "macOS",
    "d3d11va": "Windows and a GPU",
    "d3d12va": "Windows and a GPU",
    "dxva2": "Windows and a GPU",
}
"""What FFmpeg's "operation not permitted" means."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device that opens here. demanded: whether it was named, so that software is not to take its place."""

    kind: str
    device: str | None
    demanded: bool

    def __str__(self) -> str:
        return self.kind if self.device is None else f"{self.kind}:{self.device}"

    def accelerator(self) -> HWAccel:
        """What `av.open` is given. What the device does not take is decoded in software: see `decodes`."""
        return HWAccel(self.kind, device=self.device, allow_software_fallback=True, is_hw_owned=False)

    def decodes(self, stream: VideoStream) -> bool:
        """Whether it does, asked once the first frame is there: before that, it is only hoped."""
        chosen = stream.codec_context.format
        return chosen is not None and chosen.name in {
            config.format.name for config in stream.codec_context.codec.hardware_configs if config.format is not None
        }

    def refused(self, stream: VideoStream, *, where: str) -> SourceOpenError:
        """The error for a stream that it does not decode."""
        context = stream.codec_context
        what = ", ".join(
            filter(None, (context.codec.canonical_name, context.profile, f"{context.width}x{context.height}"))
        )
        return SourceOpenError(f"{self} does not decode this ({what})", where=where, hint="--hwaccel auto, or none")


def device_kinds() -> tuple[str, ...]:
    """The kinds of device that a decoder of this PyAV can use, in FFmpeg's order, whether or not there is one here."""
    usable = {kind for codec in CODECS for kind in _kinds_for(codec)}
    return tuple(kind for kind in hwdevices_available() if kind in usable)


def codecs_of(kind: str) -> tuple[str, ...]:
    """Those of CODECS that this PyAV can decode with such a device; the device itself may know less."""
    return tuple(codec for codec in CODECS if kind in _kinds_for(codec))


def problem_of(kind: str, device: str | None = None) -> str | None:
    """Why such a device does not open here; None where it does."""
    codec = next(iter(codecs_of(kind)), None)
    if codec is None:
        return "no decoder of this PyAV uses it"
    try:
        context = av.CodecContext.create(codec, "r", HWAccel(kind, device=device))
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        needs = f"needs {_NEEDS[kind]}" if kind in _NEEDS else "does not open"
        return f"{needs}: {getattr(error, 'strerror', None) or error}"
    return None if context.is_hwaccel else "does not open"


def find_hardware(hwaccel: str, *, where: str) -> Hardware | None:
    """What is to decode, open it does; None where that is software.

    hwaccel: as SourceOptions has it. where: for messages. Raises SourceOpenError where a device is named that does not
    open here.
    """
    if hwaccel == NO_HWACCEL:
        return None
    if hwaccel == AUTO_HWACCEL:
        return _first_that_opens(where)
    kind, _, device = hwaccel.partition(":")
    if kind not in device_kinds():
        raise SourceOpenError(f"hwaccel: this PyAV does not decode with {kind}", where=where, hint=_what_there_is())
    if problem := problem_of(kind, device or None):
        raise SourceOpenError(f"hwaccel: {hwaccel} {problem}", where=where, hint=_what_there_is())
    return Hardware(kind, device or None, demanded=True)


def _first_that_opens(where: str) -> Hardware | None:
    problems = []
    for kind in device_kinds():
        problem = problem_of(kind)
        if problem is None:
            return Hardware(kind, None, demanded=False)
        problems.append(f"{kind} {problem}")
    logger.info("%s: decoded in software; %s", where, "; ".join(problems) or "this PyAV knows no hardware")
    return None


def _what_there_is() -> str:
    kinds = device_kinds()
    opening = [kind for kind in kinds if problem_of(kind) is None]
    if opening:
        return f"here there is {', '.join(opening)}"
    known = f"; PyAV knows {', '.join(kinds)}" if kinds else ""
    return f"no hardware here decodes{known}; --hwaccel none, or auto"


def _kinds_for(codec: str) -> frozenset[str]:
    try:
        configs = av.Codec(codec, "r").hardware_configs
    except av.codec.codec.UnknownCodecError:
        return frozenset()
    return frozenset(config.device_type.name for config in configs if config.is_supported)
