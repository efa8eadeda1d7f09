"""What the keeping sinks are told. Settings are validated elsewhere; `open_sinks` reads this and nothing else."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

WRITABLE_VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".ts")
WRITABLE_PICTURES = (".png", ".jpg", ".jpeg")
STDOUT = "-"

Codec = Literal["h264", "hevc", "av1", "vp9", "mjpeg"]
EncoderKind = Literal["auto", "software", "nvenc", "qsv", "videotoolbox"]
AudioMode = Literal["copy", "encode", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOptions:
    """How a video is made.

    codec: None is the first that the container has: H.264, and VP9 in .webm.
    encoder: which kind makes it; `auto` is hardware where it really opens, else software.
    crf: constant quality, lower is better and larger; None is the encoder's own that is hard to tell from the original.
    preset: effort, in the words of x264; other encoders get their own nearest one.
    bitrate: bits per second, in place of a constant quality.
    audio: `copy` takes the sound of a file over as it is where the container can hold it and encodes it where not;
        `encode` always encodes it; `none` leaves it out.
    note: what is told about the video in its metadata, in the comment.
    """

    codec: Codec | None = None
    encoder: EncoderKind = "auto"
    crf: int | None = None
    preset: str = "veryfast"
    bitrate: int | None = None
    audio: AudioMode = "copy"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept of what goes on for ever: so many bytes, or so many seconds; None is no limit."""

    bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipOptions:
    """Clips of what happens.

    when: the condition under which something happens, as conditions.py has it.
    folder: where the clips go. pre_s, post_s: what is kept from before and after.
    """

    when: str
    folder: Path
    pre_s: float = 5.0
    post_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkOptions:
    """Where results go, and how.

    out: a video (.mp4, .mov, .mkv, .webm, .ts), a picture (.png, .jpg, .jpeg), `-` for a stream on standard output, or
    a folder in which each input keeps its name; None keeps none.
    folder: `out` is a folder, whatever it is called; one that is there is a folder anyway.
    jsonl, csv, coco, mot: a file with a table of what was seen, in that format; None writes none.
    force: replace files that exist. Inputs are never replaced.
    video: how videos are made.
    segment_s: a new file so often; None is one for all. keep: what of them stays.
    clips: clips of what happens; None makes none.
    live: the frames come at their own time: parts follow the clock, tables say it, a full disk is waited out.
    looped: the input begins again at its end, so that its sound cannot follow.
    inputs: files and folders that are being read, so that no output can be one of them.
    many: several inputs, so that `out` must be a folder.
    pictures: the inputs are pictures, and so are the outputs.
    """

    out: Path | None = None
    folder: bool = False
    jsonl: Path | None = None
    csv: Path | None = None
    coco: Path | None = None
    mot: Path | None = None
    live: bool = False
    force: bool = False
    video: VideoOptions = field(default_factory=VideoOptions)
    segment_s: float | None = None
    keep: Keep = field(default_factory=Keep)
    clips: ClipOptions | None = None
    looped: bool = False
    inputs: tuple[Path, ...] = ()
    many: bool = False
    pictures: bool = False

    @property
    def tables(self) -> dict[str, Path]:
        """The tables that are asked for, by format."""
        places = {"jsonl": self.jsonl, "csv": self.csv, "coco": self.coco, "mot": self.mot}
        return {name: path for name, path in places.items() if path is not None}
