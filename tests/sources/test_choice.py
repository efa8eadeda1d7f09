"""OpenCV decodes files, and PyAV those that OpenCV would show wrongly."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamer.pyav import VideoFrame, VideoStream, av
from streamer.sources.reel import open_decoder

SIZE_PX = (128, 96)
GREEN = (0, 200, 0)


def write_clip(path: Path, codec: str, *, interlaced: bool = False, primaries: int = 1) -> Path:
    """Three frames of plain green, in blue-green-red."""
    image = np.full((SIZE_PX[1], SIZE_PX[0], 3), GREEN, np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = SIZE_PX
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = primaries, 1, 1, 1
        if interlaced:
            context.flags |= av.codec.context.Flags.interlaced_dct
            context.options = {"x264-params": "tff=1"} if codec == "libx264" else {}
        for number in range(3):
            frame = VideoFrame.from_ndarray(image, format="bgr24")
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "interlaced", "primaries", "decoder"),
    [
        ("plain.mp4", "libx264", False, 1, "OpenCV"),
        ("old.mp4", "libx264", False, 5, "OpenCV"),
        ("interlaced.mp4", "libx264", True, 1, "PyAV (interlaced)"),
        ("interlaced.mpg", "mpeg2video", True, 1, "PyAV (interlaced)"),
        ("bt2020.mp4", "libx264", False, 9, "PyAV (wide gamut)"),
        ("p3.mkv", "libx264", False, 12, "PyAV (wide gamut)"),
    ],
)
def test_every_picture_has_the_colours_that_are_in_the_file(
    tmp_path: Path, *, name: str, codec: str, interlaced: bool, primaries: int, decoder: str
) -> None:
    opened, _ = open_decoder(str(write_clip(tmp_path / name, codec, interlaced=interlaced, primaries=primaries)))
    try:
        assert opened.name == decoder
        for _ in range(2):
            image = opened.retrieve()
            assert image is not None
            assert np.abs(image.reshape(-1, 3).mean(axis=0) - GREEN).max() < 12
            assert opened.grab() is not None
    finally:
        opened.close()
