"""What was found of one clip: figures, and what is wrong. It judges nothing itself."""

from dataclasses import asdict, dataclass, field
from typing import Literal

Check = Literal[
    "exit", "files", "frames", "times", "duration", "size", "picture", "colour", "tags", "aspect", "sound", "sync",
    "names", "codec", "programs", "browser",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong."""

    check: Check
    says: str

    def __str__(self) -> str:
        return f"{self.check}: {self.says}"


@dataclass(slots=True)
class Verdict:
    """One clip. Figures are None where there is nothing to measure.

    time_ms: the largest error of a frame's time, counted from the first. duration_ms: the file's, as displayed.
    sync_ms: how much later the sound is, beside the picture. start_ms: how much later it begins.
    luma: mean absolute difference, the worst frame's. colour: mean difference of a channel, the worst.
    size: as stored, upright. shown_px: with the form of its pixels: (width, height).
    sound: what became of each track. similarity: of the least similar track, 1 is the same.
    """

    name: str
    frames_in: int = 0
    frames_out: int = 0
    time_ms: float | None = None
    duration_ms: float | None = None
    expected_s: float | None = None
    sync_ms: float | None = None
    start_ms: float | None = None
    luma: float | None = None
    colour: float | None = None
    size: str = ""
    shown_px: tuple[int, int] = (0, 0)
    aspect: str = ""
    tags: str = ""
    codec: str = ""
    sound: str = ""
    similarity: float | None = None
    browser: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0
    remark: str = ""
    wrong: list[Finding] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong

    def blame(self, check: Check, says: str) -> None:
        """Note something wrong."""
        self.wrong.append(Finding(check, says))

    def as_json(self) -> dict[str, object]:
        """Everything, for a machine."""
        return {**asdict(self), "right": self.right}
