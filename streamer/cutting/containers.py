"""The containers that clips are cut into: what each is called, what it can hold, and which one can hold what.

FFmpeg's own list is asked where it has one: for MPEG-TS it knows of two codecs only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.errors import ConfigError, SinkOpenError
from streamer.pyav import av
from streamer.text import printable

_TS_CODECS = frozenset(
    {"h264", "hevc", "mpeg2video", "mpeg1video", "aac", "ac3", "eac3", "mp2", "mp3", "opus", "dts", "dvb_subtitle"}
)

_NOT_IN_MOV = frozenset({"av1", "vp8", "vp9", "gif", "opus", "flac"})
"""On FFmpeg's list for mov, and refused by its muxer, or played by nothing."""


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of file.

    ending: with its dot. format: FFmpeg's muxer. hides: whether it has edit lists, so that what a decoder needs can be
    in the file and not be shown. turns: whether it says how a picture is turned. options: for the muxer.
    """

    ending: str
    format: str
    hides: bool = False
    turns: bool = True
    options: tuple[tuple[str, str], ...] = ()

    def codecs(self) -> frozenset[str]:
        """The names of the codecs that it can hold."""
        if self.format == "mpegts":
            return _TS_CODECS
        with av.open(_Nowhere(), "w", format=self.format) as container:
            codecs = frozenset(container.supported_codecs)
        return codecs - _NOT_IN_MOV if self.format == "mov" else codecs


# Edit lists count in the unit of the whole movie: a thousandth of a second is too coarse for a frame.
_MOV_OPTIONS = (("movie_timescale", "90000"), ("movflags", "faststart"))

CONTAINERS = {
    container.ending: container
    for container in (
        Container(".mp4", "mp4", hides=True, options=_MOV_OPTIONS),
        Container(".mov", "mov", hides=True, options=_MOV_OPTIONS),
        Container(".mkv", "matroska"),
        Container(".webm", "webm"),
        Container(".ts", "mpegts", turns=False),
    )
}


def container_of(out: Path) -> Container:
    """What `out` is to be, by its ending. Raises ConfigError."""
    container = CONTAINERS.get(out.suffix.lower())
    if container is None:
        ending = f"to {out.suffix}" if out.suffix else "without an ending"
        raise ConfigError(f"no clip is written {ending}", where=str(out), hint=f"allowed: {', '.join(CONTAINERS)}")
    return container


def codec_of(stream: "av.stream.Stream") -> str:
    """The codec that a stream is in, by FFmpeg's name of it; empty where it is none that FFmpeg knows."""
    context: Any = stream.codec_context
    return "" if context is None else str(context.codec.canonical_name)


def require_room_for(codecs: Iterable[str], container: Container, *, out: Path) -> None:
    """Raise SinkOpenError, naming containers that can, where `container` cannot hold all of `codecs`."""
    wanted = frozenset(codecs)
    missing = sorted(wanted - container.codecs())
    if not missing:
        return
    able = [other.ending for other in CONTAINERS.values() if wanted <= other.codecs()]
    hint = f"{' and '.join(able)} can" if able else "--exact encodes the picture again"
    names = " and ".join(printable(name) or "something that is unknown" for name in missing)
    raise SinkOpenError(f"{container.ending} cannot hold {names}", where=str(out), hint=hint)


class _Nowhere:
    """A file that PyAV can open to ask what a muxer can hold."""

    def write(self, data: bytes) -> int:
        return len(data)
