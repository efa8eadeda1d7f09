"""What the keeping sinks are told. Settings are validated elsewhere; `open_sinks` reads this and nothing else."""

from dataclasses import dataclass
from pathlib import Path

from streamer.interfaces import BoxTiming

WRITABLE_VIDEOS = (".mp4",)
WRITABLE_PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkOptions:
    """Where results go, and how.

    out: a video (.mp4), a picture (.png, .jpg, .jpeg) or a folder in which each input keeps its name; None keeps none.
    folder: `out` is a folder, whatever it is called; one that is there is a folder anyway.
    jsonl: a file with one line a frame; None writes none.
    force: replace files that exist. Inputs are never replaced.
    crf: x264's constant rate factor, 0 (lossless) to 51; 20 is hard to tell from the original.
    preset: x264's preset; slower ones make smaller files.
    box_timing: whose boxes the recording is given, for what it says of itself; they are made elsewhere.
    inputs: files and folders that are being read, so that no output can be one of them.
    many: several inputs, so that `out` must be a folder.
    pictures: the inputs are pictures, and so are the outputs.
    """

    out: Path | None = None
    folder: bool = False
    jsonl: Path | None = None
    force: bool = False
    crf: int = 20
    preset: str = "veryfast"
    box_timing: BoxTiming = "now"
    inputs: tuple[Path, ...] = ()
    many: bool = False
    pictures: bool = False
