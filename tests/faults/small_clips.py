"""Small clips of every container for mutation: real ones where they lie beside the project, and made ones."""

import shutil
from pathlib import Path

import numpy as np

from streamer.pyav import av

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"

REAL = (
    "media3_bbb_176x144_128kbps_15fps_h263.3gp",
    "media3_bbb_176x144_192kbps_15fps_mpeg4.mp4",
    "media3_sample_fragmented.mp4",
    "media3_h265_bframes.mp4",
    "media3_sample_av1.mp4",
    "media3_sample.flv",
    "media3_sample.mkv",
    "media3_full_blocks.mkv",
    "media3_dolbyVision-hdr.MOV",
    "media3_iibbibb_editlist_videoonly.mp4",
    "media3_sample-with-large-length.avi",
    "media3_bt601.mov",
    "decord_video_90.mov",
    "moviepy_transparent.webm",
    "moviepy_big_buck_bunny_432_433.webm",
    "torchcodec_h264_10bits.mp4",
)

SIZE_PX = (128, 96)

MADE = (
    ("h264.mp4", "libx264", "yuv420p"),
    ("h264.mkv", "libx264", "yuv420p"),
    ("h264.ts", "libx264", "yuv420p"),
    ("h264.h264", "libx264", "yuv420p"),
    ("h265.m2ts", "libx265", "yuv420p"),
    ("jpeg.mov", "mjpeg", "yuvj420p"),
    ("jpeg.mjpeg", "mjpeg", "yuvj420p"),
    ("mpeg4.avi", "mpeg4", "yuv420p"),
    ("mpeg4.3gp", "mpeg4", "yuv420p"),
    ("mpeg2.mpg", "mpeg2video", "yuv420p"),
    ("vp8.webm", "libvpx", "yuv420p"),
    ("vp9.webm", "libvpx-vp9", "yuv420p"),
    ("vp8.ivf", "libvpx", "yuv420p"),
    ("av1.mkv", "libsvtav1", "yuv420p"),
    ("flv1.flv", "flv", "yuv420p"),
    ("wmv.asf", "wmv2", "yuv420p"),
    ("ffv1.nut", "ffv1", "yuv420p"),
    ("png.mov", "png", "rgb24"),
    ("gif.gif", "gif", "rgb8"),
    ("raw.y4m", "wrapped_avframe", "yuv420p"),
    ("mpeg2.mxf", "mpeg2video", "yuv420p"),
    ("flac.ogv", "libvpx", "yuv420p"),
)
"""Name, encoder, pixel format."""


def gather(folder: Path) -> Path:
    """A folder of them, a few hundred KB at most each; formats that this FFmpeg cannot write are left out."""
    folder.mkdir()
    for name, codec, pixels in MADE:
        path = folder / f"made_{name}"
        try:
            write_moving(path, codec=codec, pixels=pixels)
        except (av.FFmpegError, ValueError):
            path.unlink(missing_ok=True)
    for name in REAL:
        if (MEDIA / name).exists():
            shutil.copyfile(MEDIA / name, folder / name)
    return folder


def write_moving(path: Path, *, codec: str, pixels: str, frames: int = 20) -> None:
    """A square that moves over noise. Raises av.FFmpegError or ValueError where this FFmpeg cannot write it."""
    width, height = SIZE_PX
    ground = np.random.default_rng(1).integers(60, 180, (height // 8, width // 8, 3), np.uint8)
    ground = ground.repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for number in range(frames):
            image = ground.copy()
            image[20:50, 3 * number : 3 * number + 30] = (20, 200, 240)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)))
        container.mux(stream.encode(None))
