"""How large a picture may be, in pixels, and how that is held before anything is decoded.

422 KB of PNG decode to 434 MB, and a video can say that its pictures have 16000x16000. FFmpeg is told the limit and
refuses every larger picture as it comes; OpenCV cannot be told, so files are looked at before it gets them.
"""

from streamer.errors import SourceRefused
from streamer.text import local_name

FLAG = "--max-pixels"


def for_ffmpeg(max_pixels: int) -> dict[str, str]:
    """The option of its decoders; given at opening it holds for what looks into the streams there as well."""
    return {"max_pixels": str(max_pixels)}


def refuse_larger(size_px: tuple[int, int], *, max_pixels: int, where: str) -> None:
    """Raise SourceRefused where pictures of `size_px`, (width, height), have more than `max_pixels`."""
    if size_px[0] * size_px[1] > max_pixels:
        raise too_large(size_px, max_pixels=max_pixels, where=where)


def too_large(size_px: tuple[int, int], *, max_pixels: int, where: str) -> SourceRefused:
    """For a picture that says that it is of `size_px`, (width, height)."""
    width, height = size_px
    hint = f"{FLAG} {width * height} reads it, with {_megabytes(width * height)} of memory a picture"
    return SourceRefused(f"{width}x{height} px are more than the {max_pixels} allowed", where=where, hint=hint)


def refuse_undecoded(path: str, *, max_pixels: int) -> None:
    """Raise SourceRefused for a file whose first picture FFmpeg refused by its numbers, and not as damaged.

    It gives no reason and forgets the size. What the container says is read without a decoder.
    """
    size_px = declared_size_px(path)
    if size_px is None:
        raise undecoded(max_pixels=max_pixels, where=path)
    refuse_larger(size_px, max_pixels=max_pixels, where=path)


def undecoded(*, max_pixels: int, where: str) -> SourceRefused:
    """For what FFmpeg refuses by its numbers, where nothing says which."""
    hint = f"{FLAG} N allows larger pictures"
    return SourceRefused(f"unreadable, or larger than the {max_pixels} px allowed", where=where, hint=hint)


def declared_size_px(path: str) -> tuple[int, int] | None:
    """(width, height) of the first video stream as its container has it; None where it does not say."""
    from streamer.pyav import av  # noqa: PLC0415 - slow, and pictures do without

    try:
        with av.open(local_name(path), options={"codec_whitelist": "none"}, metadata_errors="ignore") as container:
            context = container.streams.video[0].codec_context
            return None if context is None or not context.width else (context.width, context.height)
    except (av.FFmpegError, OSError, IndexError):
        return None


def _megabytes(pixels: int) -> str:
    return f"{pixels * 3 / 1e6:.0f} MB"
