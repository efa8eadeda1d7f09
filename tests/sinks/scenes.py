"""What the tests of sinks write, and how they read it back."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamer.frame import Detections, Frame, Image, Result
from streamer.pyav import av

Scene = Literal["static", "quiet", "noisy"]
SCENES: tuple[Scene, ...] = ("static", "quiet", "noisy")
SIZE_PX = (160, 120)

_NOISE: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (8, SIZE_PX[1], SIZE_PX[0], 3), dtype=np.uint8)


def grey(value: int, *, size_px: tuple[int, int] = SIZE_PX) -> Image:
    """One grey level: the number of a frame, readable through a lossy codec."""
    image: Image = np.full((size_px[1], size_px[0], 3), value, np.uint8)
    return image


def picture(scene: Scene, index: int) -> Image:
    """A frame of a scene that never changes, in which a square moves, or of noise alone."""
    if scene == "noisy":
        noise: Image = _NOISE[index % len(_NOISE)].copy()
        return noise
    image = grey(90)
    if scene == "quiet":
        left = index * 3 % (SIZE_PX[0] - 20)
        image[40:60, left : left + 20] = 200
    return image


def result(
    image: Image, index: int = 0, *, pts_s: float | None = None, epoch: int = 0, source: str = "clip.avi"
) -> Result:
    """A result whose drawn image is the frame's own."""
    frame = Frame(image, index=index, captured_ns=0, pts_s=pts_s, epoch=epoch, source=source)
    return Result(frame, Detections.empty(), image=frame.image)


def results(count: int, *, fps: float = 10.0, scene: Scene = "quiet", source: str = "clip.avi") -> Iterator[Result]:
    """`count` results of a scene at a constant rate."""
    for index in range(count):
        yield result(picture(scene, index), index, pts_s=index / fps, source=source)


def decoded(video: Path | bytes) -> list[av.VideoFrame]:
    """The frames that can be read of a video, whole or not; none if it cannot be opened at all."""
    frames: list[av.VideoFrame] = []
    try:
        with av.open(io.BytesIO(video) if isinstance(video, bytes) else str(video), "r") as container:
            frames.extend(container.decode(video=0))
    except (av.FFmpegError, IndexError):
        pass  # a file that was cut ends in an error; what came before it counts
    return frames


def boxes(path: Path) -> list[str]:
    """The types of the top-level boxes of an mp4 file."""
    data, found, offset = path.read_bytes(), [], 0
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset : offset + 4], "big")
        if size == 1:
            size = int.from_bytes(data[offset + 8 : offset + 16], "big")
        found.append(data[offset + 4 : offset + 8].decode("latin-1"))
        offset += size or len(data)
    return found
