"""The encoders of video: which there are for a codec, which of them really opens here, and how each is told the same.

It writes no file; coding.py feeds what is chosen here, and `streamer doctor` tries them all.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from streamer.errors import ConfigError, SinkOpenError
from streamer.pyav import VideoCodecContext, VideoFrame, VideoStream, av
from streamer.sinks.options import Codec, EncoderKind, VideoOptions

logger = logging.getLogger(__name__)

ENCODERS: Mapping[Codec, tuple[str, ...]] = {
    "h264": ("h264_nvenc", "h264_qsv", "h264_videotoolbox", "libx264"),
    "hevc": ("hevc_nvenc", "hevc_qsv", "hevc_videotoolbox", "libx265"),
    "av1": ("av1_nvenc", "av1_qsv", "libsvtav1"),
    "vp9": ("vp9_qsv", "libvpx-vp9"),
    "mjpeg": ("mjpeg",),
}
"""FFmpeg's names by codec: hardware first, the one in software last."""

_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")

os.environ.setdefault("SVT_LOG", "1")
"""SVT-AV1 says much on stderr that only its makers want to know; 1 is errors."""

_TRIAL_PX = (320, 240)
"""Some hardware refuses less than 256 pixels in one direction or the other."""


@dataclass(frozen=True, slots=True)
class _Quality:
    """An encoder's scale of constant quality: what is hard to tell from the original, and its worst."""

    usual: int
    worst: int


_QUALITIES: Mapping[Codec, _Quality] = {
    "h264": _Quality(20, 51),
    "hevc": _Quality(22, 51),
    "av1": _Quality(28, 63),
    "vp9": _Quality(28, 63),
    "mjpeg": _Quality(20, 51),
}


@lru_cache(maxsize=64)
def trial(encoder: str) -> str | None:
    """Why `encoder` does not work here; None where it encoded a picture."""
    try:
        context = av.CodecContext.create(encoder, "w")
    except av.codec.codec.UnknownCodecError:
        return "not in this PyAV"
    assert isinstance(context, VideoCodecContext)
    try:
        context.width, context.height = _TRIAL_PX
        context.pix_fmt = pixel_format(encoder)
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = _told(encoder, crf=30, effort=0, fps=25.0)
        grey = np.full((_TRIAL_PX[1], _TRIAL_PX[0], 3), 128, np.uint8)
        for number in range(3):
            frame = VideoFrame.from_ndarray(grey, format="bgr24").reformat(format=context.pix_fmt)
            frame.pts = number
            context.encode(frame)
        context.encode(None)
    except (av.FFmpegError, OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None


def choose_encoder(codec: Codec, kind: EncoderKind = "auto") -> str:
    """FFmpeg's name of the encoder to use for `codec`.

    kind: hardware that does not open is told, and software takes its place. Raises SinkOpenError where nothing opens.
    """
    *hardware, software = ENCODERS[codec]
    wanted = [] if kind == "software" else [name for name in hardware if kind == "auto" or name.endswith(f"_{kind}")]
    if kind not in {"auto", "software"} and not wanted:
        logger.warning("%s makes no %s: %s is used", kind, codec, software)
    for name in wanted:
        if (reason := trial(name)) is None:
            logger.info("encoder: %s", name)
            return name
        tell = logger.debug if kind == "auto" else logger.warning
        tell("%s does not open here (%s): %s is used", name, reason, software)
    require_encoder(software)
    return software


def require_encoder(encoder: str) -> None:
    """Raise SinkOpenError where the FFmpeg inside PyAV does not have `encoder`."""
    try:
        av.codec.Codec(encoder, "w")
    except av.codec.codec.UnknownCodecError as error:
        raise SinkOpenError(
            f"no video can be recorded: this PyAV has no {encoder} encoder",
            hint="the wheels of PyPI have it: pip install --force-reinstall --only-binary av av; or another --codec",
        ) from error


def pixel_format(encoder: str) -> str:
    """What the encoder is given; all players take it."""
    if encoder == "mjpeg":
        return "yuvj420p"
    return "nv12" if encoder.endswith("_qsv") else "yuv420p"


def check_quality(codec: Codec, crf: int | None) -> None:
    """Raise ConfigError where the codec's scale of quality does not go so far."""
    if crf is not None and crf > _QUALITIES[codec].worst:
        raise ConfigError(f"{crf} is more than {_QUALITIES[codec].worst}", where="crf", hint=f"the scale of {codec}")


def tell_encoder(stream: VideoStream, encoder: str, codec: Codec, options: VideoOptions, *, fps: float) -> None:
    """Set quality, effort and the shortest way through the encoder: what waits in it is lost by a kill.

    None of them makes B-frames. fps: the nominal rate.
    """
    crf = _QUALITIES[codec].usual if options.crf is None else options.crf
    effort = _PRESETS.index(options.preset)
    if options.bitrate is not None:
        stream.bit_rate = options.bitrate
    told = _told(encoder, crf=None if options.bitrate is not None else crf, effort=effort, fps=fps)
    if encoder == "mjpeg" and options.bitrate is None:
        quality = str(max(2, min(31, round(crf / 5))))
        told = {"qmin": quality, "qmax": quality}
    stream.codec_context.options = told
    if encoder in {"libx265", "hevc_nvenc", "hevc_qsv", "hevc_videotoolbox"} and stream.container.format.name in {
        "mp4",
        "mov",
    }:
        stream.codec_context.codec_tag = "hvc1"  # Apple's players take no hev1


def _told(encoder: str, *, crf: int | None, effort: int, fps: float) -> dict[str, str]:
    preset = _PRESETS[effort]
    lookahead = _lookahead(fps)
    gop = str(max(1, round(fps)))
    quality = {} if crf is None else {"crf": str(crf)}
    if encoder == "libx264":
        return quality | {"preset": preset, "x264-params": f"bframes=0:rc-lookahead={lookahead}:sync-lookahead=0"}
    if encoder == "libx265":
        params = f"bframes=0:rc-lookahead={lookahead}:frame-threads=1:log-level=error"
        return quality | {"preset": preset, "x265-params": params}
    if encoder == "libsvtav1":
        params = "lookahead=0:pred-struct=1:enable-force-key-frames=1"
        return quality | {"preset": str(12 - effort), "svtav1-params": params, "g": gop}
    if encoder == "libvpx-vp9":
        speed = {"deadline": "realtime", "cpu-used": str(max(0, 8 - effort)), "row-mt": "1", "lag-in-frames": "0"}
        return quality | speed | ({} if crf is None else {"b": "0"})
    return _told_hardware(encoder, crf=crf, effort=effort) | {"g": gop, "bf": "0"}


def _told_hardware(encoder: str, *, crf: int | None, effort: int) -> dict[str, str]:
    if encoder.endswith("_nvenc"):
        quality = {} if crf is None else {"rc": "vbr", "cq": str(crf), "b": "0"}
        return quality | {"preset": f"p{min(7, 1 + effort)}", "delay": "0", "forced-idr": "1"}
    if encoder.endswith("_qsv"):
        quality = {} if crf is None else {"global_quality": str(max(1, crf))}
        presets = {0: "veryfast", 1: "veryfast", 2: "veryfast", 8: "veryslow"}
        preset = presets.get(effort, _PRESETS[effort])
        return quality | {"preset": preset, "async_depth": "1", "forced_idr": "1"}
    if encoder.endswith("_videotoolbox"):
        return ({} if crf is None else {"q:v": str(max(1, 100 - 2 * crf))}) | {"realtime": "1", "allow_sw": "1"}
    return {}


def _lookahead(fps: float) -> int:
    """Frames that x264 looks ahead; it holds back one more: 0.13 s at 30 fps and 0.4 s at 5.

    Three already give most of what ten do; below 4 fps there is none.
    """
    return min(3, int(fps // 4))
