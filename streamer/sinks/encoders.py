"""The video encoders that there may be for each codec, and whether one of them works here."""

from typing import Any

from streamer.pyav import VideoFrame, av

ENCODERS: dict[str, tuple[str, ...]] = {
    "h264": ("libx264", "h264_nvenc", "h264_qsv", "h264_videotoolbox", "h264_amf"),
    "hevc": ("libx265", "hevc_nvenc", "hevc_qsv", "hevc_videotoolbox", "hevc_amf"),
    "av1": ("libsvtav1", "av1_nvenc", "av1_qsv", "av1_amf"),
    "vp9": ("libvpx-vp9", "vp9_qsv"),
    "mjpeg": ("mjpeg",),
}
"""From codec to encoders, the preferred one first."""

_SIZE_PX = (320, 240)
_FRAMES = 3


def trial(encoder: str) -> str | None:
    """Open `encoder` and encode a few frames; None if it works, else why not."""
    try:
        context: Any = av.CodecContext.create(encoder, "w")
        context.width, context.height = _SIZE_PX
        context.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        context.framerate = 25
        packets = 0
        for index in range(_FRAMES):
            frame = VideoFrame(*_SIZE_PX, context.pix_fmt)
            frame.pts = index
            packets += len(context.encode(frame))
        packets += len(context.encode(None))
    except av.codec.codec.UnknownCodecError:
        return "it is not in this build of FFmpeg"
    except (av.FFmpegError, OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None if packets else "it gives nothing"
