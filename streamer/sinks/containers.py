"""What each kind of video file can hold, and how it is written so that it can be read at every moment."""

from dataclasses import dataclass
from pathlib import Path

from streamer.errors import ConfigError
from streamer.sinks.options import STDOUT, Codec

FRAGMENT_US = 100_000
"""How much video a fragment of mp4 gathers before it goes to the system; at least one frame."""

CLUSTER_MS = 500
"""The same for a cluster of Matroska."""

_MOVFLAGS = "hybrid_fragmented+delay_moov"
"""Fragments, and an ordinary file in the end. The header waits for the first fragment.

Only then it is known when each track begins; a header that was written before and has edit lists makes readers of a
file that was never finished drop its first fragment.
"""

_MAX_INTERLEAVE_US = 500_000
"""A track that gives nothing holds up the others for no longer: what waits is lost by a kill."""


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of file.

    name: for people. format: FFmpeg's name of its muxer.
    codecs: what its video may be, the usual one first.
    copies: FFmpeg's names of the sound that players find in it; other sound is encoded by `audio_encoder`.
    ticks_per_s: the resolution of its times. most_chapters: how many it holds; those of mp4 are counted in a byte.
    """

    name: str
    format: str
    codecs: tuple[Codec, ...]
    copies: frozenset[str]
    audio_encoder: str = "aac"
    ticks_per_s: int = 120_000
    most_chapters: int = 255

    @property
    def is_mp4(self) -> bool:
        """Whether it is of the family of mp4, which knows edit lists."""
        return self.format in {"mp4", "mov"}

    def options(self) -> dict[str, str]:
        """What FFmpeg's muxer is told."""
        options = {"flush_packets": "1", "max_interleave_delta": str(_MAX_INTERLEAVE_US)}
        if self.is_mp4:
            return options | {
                "movflags": _MOVFLAGS,
                "frag_duration": str(FRAGMENT_US),
                "use_editlist": "1",
                "movie_timescale": str(self.ticks_per_s),
            }
        if self.format in {"matroska", "webm"}:
            return options | {"cluster_time_limit": str(CLUSTER_MS)}
        return options


TICKS_PER_S = 120_000
"""Times are kept in units in which 1/10, 1/25, 1001/30000, 1001/24000 and 1001/60000 s are whole numbers."""

_MP4 = Container(
    "MP4",
    "mp4",
    ("h264", "hevc", "av1", "vp9", "mjpeg"),
    frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac", "flac"}),
)
_MOV = Container(
    "QuickTime",
    "mov",
    ("h264", "hevc", "mjpeg"),
    frozenset({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s32le", "pcm_f32le"}),
)
_MKV = Container(
    "Matroska",
    "matroska",
    ("h264", "hevc", "av1", "vp9", "mjpeg"),
    frozenset(
        {"aac", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "opus", "vorbis", "flac", "alac", "pcm_s16le"}
        | {"pcm_s24le", "pcm_s32le", "pcm_f32le"}
    ),
    ticks_per_s=1000,
    most_chapters=100_000,
)
_WEBM = Container(
    "WebM",
    "webm",
    ("vp9", "av1"),
    frozenset({"opus", "vorbis"}),
    audio_encoder="libopus",
    ticks_per_s=1000,
    most_chapters=100_000,
)
_TS = Container(
    "MPEG-TS",
    "mpegts",
    ("h264", "hevc"),
    frozenset({"aac", "mp2", "mp3", "ac3", "eac3"}),
    ticks_per_s=90_000,
    most_chapters=0,
)

CONTAINERS = {".mp4": _MP4, ".mov": _MOV, ".mkv": _MKV, ".webm": _WEBM, ".ts": _TS}
"""By the ending of the file."""


def container_of(path: Path, codec: Codec | None) -> tuple[Container, Codec]:
    """What `path` is written as, and the codec of its video, which is the usual one where None is asked for.

    Standard output (`-`) gets MPEG-TS, and Matroska for what MPEG-TS does not hold: both can be read while they come.

    Raises ConfigError where no video is written to that ending, or it does not hold that codec.
    """
    if str(path) == STDOUT:
        container = _TS if codec is None or codec in _TS.codecs else _MKV
        return container, codec or container.codecs[0]
    container = CONTAINERS.get(path.suffix.lower(), _MP4)
    if codec is not None and codec not in container.codecs:
        others = ", ".join(ending for ending, one in CONTAINERS.items() if codec in one.codecs)
        raise ConfigError(f"{container.name} holds no {codec}", where=str(path), hint=f"{codec} goes into {others}")
    return container, codec or container.codecs[0]
