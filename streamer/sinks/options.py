"""What the keeping sinks are told. Settings are validated elsewhere; `open_sinks` reads this and nothing else."""

from dataclasses import dataclass
from pathlib import Path

WRITABLE_VIDEOS = (".mp4",)
WRITABLE_PICTURES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkOptions:
    """Where results go, and how.

    out: a video (.mp4), a picture (.png, .jpg, .jpeg) or a folder in which each input keeps its name; None keeps none.
    folder: `out` is a folder, whatever it is called; one that is there is a folder anyway.
    jsonl, csv, coco, mot: a file with a table of what was seen, in that format; None writes none.
    live: the frames have a time on the wall, which tables say.
    force: replace files that exist. Inputs are never replaced.
    crf: x264's constant rate factor, 0 (lossless) to 51; 20 is hard to tell from the original.
    preset: x264's preset; slower ones make smaller files.
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
    crf: int = 20
    preset: str = "veryfast"
    inputs: tuple[Path, ...] = ()
    many: bool = False
    pictures: bool = False

    @property
    def tables(self) -> dict[str, Path]:
        """The tables that are asked for, by format."""
        places = {"jsonl": self.jsonl, "csv": self.csv, "coco": self.coco, "mot": self.mot}
        return {name: path for name, path in places.items() if path is not None}
