"""Tiny clips, made when they are needed. The grey of a frame is its number, so that it survives a lossy codec."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from streamer.frame import Image
from streamer.pyav import av

DARKEST = 12
STEP = 6
MAX_FRAMES = 40

_TICKS_PER_S = 10_000


def numbered_image(number: int, *, size_px: tuple[int, int] = (64, 48)) -> Image:
    """A grey image that says `number`, from 0 to MAX_FRAMES - 1, with a white upper left corner."""
    assert 0 <= number < MAX_FRAMES
    width, height = size_px
    image = np.full((height, width, 3), DARKEST + STEP * number, np.uint8)
    image[: height // 4, : width // 4] = 255
    return image


def number_of(image: Image) -> int:
    """The number that an image says, however it is turned."""
    height, width = image.shape[:2]
    grey = float(image[height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8].mean())
    return round((grey - DARKEST) / STEP)


def write_clip(
    path: Path,
    *,
    frames: int = 12,
    fps: float = 10.0,
    size_px: tuple[int, int] = (64, 48),
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    key_every: int = 12,
    rotation: int = 0,
) -> Path:
    """A video of numbered frames; returns `path`, whose ending chooses the container.

    times_s: when each frame is shown, instead of `fps`. rotation: degrees, as the display matrix has it.
    """
    ticks = Fraction(fps).limit_denominator(1001) if times_s is None else Fraction(_TICKS_PER_S)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size_px
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = key_every
        stream.codec_context.time_base = 1 / ticks
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames if times_s is None else len(times_s)):
            frame = _numbered_frame(number, size_px)
            frame.pts, frame.time_base = number if times_s is None else round(times_s[number] * ticks), 1 / ticks
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _numbered_frame(number: int, size_px: tuple[int, int]) -> av.VideoFrame:
    """The numbered image as YUV, without the rounding of a conversion."""
    width, height = size_px
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = np.rint(16 + numbered_image(number, size_px=size_px)[:, :, 0] * (219 / 255))
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def write_sound(path: Path) -> Path:
    """A file with half a second of silence and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        for start in range(0, 4096, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_picture(path: Path, number: int = 0, *, size_px: tuple[int, int] = (64, 48)) -> Path:
    """A picture that says `number`; returns `path`, whose ending chooses the format."""
    usable, data = cv2.imencode(path.suffix, numbered_image(number, size_px=size_px))
    assert usable
    path.write_bytes(data.tobytes())
    return path
