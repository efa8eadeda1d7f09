"""The doors between the rooms: Source, Detector, Analyzer, Sink, View.

The pipeline knows only these. Whatever fits one of them can be put in its place; the contract suites in
tests/contract say what fitting means.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol, runtime_checkable

from streamer.frame import Detections, Event, Frame, Image, Result, Status
from streamer.labels import Labels
from streamer.sound import SoundLine

SourceKind = Literal["arrays", "camera", "pattern", "pictures", "pipe", "screen", "sequence", "stream", "video"]
"""`pictures`: one or more, each on its own. `sequence`: several files, one after another. `stream`: from the
network, so that its name is no path. `video`: one file."""


SourceState = Literal["connecting", "running", "stalled", "waiting", "ended", "failed"]
"""Of a source that may be lost and come back. `stalled`: it is open, and nothing comes. `waiting`: for the next try."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source once it is open.

    name: for people and file names; holds no credentials.
    size_px: (width, height) as shown, rotation applied; None where only a frame will tell.
    fps: nominal rate, None where there is none or it cannot be believed. For progress and defaults, never shown as a
    measurement.
    frame_count: how many frames will come, as the container says; None when unknown.
    duration_s: the same as time.
    decoder: what decodes it, for people: `OpenCV`, `PyAV (OpenCV cannot decode av1)`.
    state, detail: how it is now, and what there is to say of it; reconnects: how often it came back.
    left_out: frames of `produced` that were good, and too many: more came than could be taken.
    """

    name: str
    size_px: tuple[int, int] | None = None
    fps: float | None = None
    frame_count: int | None = None
    duration_s: float | None = None
    decoder: str = ""
    kind: SourceKind = "video"
    state: SourceState = "running"
    detail: str = ""
    reconnects: int = 0
    left_out: int = 0

    @property
    def several(self) -> bool:
        """Whether it is made of several files, each with a name of its own."""
        return self.kind == "sequence" or (self.kind == "pictures" and self.frame_count != 1)


class Source(Protocol):
    """Where frames are born. It is open when it exists: opening is what `open_source` does."""

    @property
    def live(self) -> bool:
        """True: frames come at their own time and the newest wins. False: they wait, and none is lost."""

    @property
    def info(self) -> SourceInfo:
        """What is known of it now."""

    @property
    def produced(self) -> int:
        """Frames produced so far, those that could not be used included: the next frame's index."""

    def frames(self) -> Iterator[Frame]:
        """The frames, once. Ending is the end of the stream; a failure raises SourceError."""

    def close(self) -> None:
        """Let go. Idempotent, from any thread; makes `frames` end soon."""


@runtime_checkable
class Audible(Protocol):
    """A live source that may hear something, too: what it reads for its frames brings the sound along."""

    @property
    def sound(self) -> SoundLine | None:
        """The sound of what is open now, None where there is none; another one when it is opened again."""


class Detector(Protocol):
    """Where frames are understood."""

    conf: float
    """Lowest score that is reported; may be changed while it runs, and holds from the next call."""

    @property
    def labels(self) -> Labels:
        """The names of its classes."""

    @property
    def batch(self) -> int:
        """How many images at once suit it; 1 or more."""

    @property
    def concurrency(self) -> int:
        """How many calls of `detect` may be under way at once, each on a thread of its own; 1 or more.

        It is more than 1 where the detector gains by it.
        """

    @property
    def runtime(self) -> str:
        """What runs it, for people: `TensorFlow 2.21 CPU`."""

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detections for each image, in its own pixels. Raises ModelError."""

    def close(self) -> None:
        """Let go. Idempotent."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an analyzer made of a frame: the detections to go on with, and what happened.

    image: the picture as it may be seen from here on, of the frame's size: it takes the place of the frame's own for
    whoever comes after, and nobody there gets the other one. None leaves the frame as it is.
    failed, detected: as in Result, where the analyzer knows it better than the run does, because the detections are
    those of another run; None leaves it.
    """

    detections: Detections
    events: tuple[Event, ...] = ()
    image: Image | None = None
    failed: bool | None = None
    detected: bool | None = None


class Analyzer(Protocol):
    """What sees every frame with its detections, in order, and passes more on."""

    def update(self, frame: Frame, detections: Detections) -> Analysis:
        """Called once for each frame."""


SinkRole = Literal["record", "report", "clips"]
"""`record`: keeps frames, and counts in the ledger's `recorded`. `report`: keeps what was seen on them.
`clips`: keeps the frames of what happens, some of them twice or not at all, and counts them by itself."""


BoxTiming = Literal["now", "smooth"]
"""`now`: a recording has the boxes that the view had. `smooth`: it waits for the next ones, and goes between them."""


class Sink(Protocol):
    """Where results are kept. Each sink has a thread of its own: a slow one holds up nobody but the file it reads."""

    @property
    def name(self) -> str:
        """For logs: what it is and where it writes."""

    @property
    def role(self) -> SinkRole:
        """What it keeps."""

    @property
    def needs_image(self) -> bool:
        """Whether `Result.image` must be drawn for it."""

    @property
    def written(self) -> int:
        """Results kept so far."""

    def write(self, result: Result) -> None:
        """Keep one result. Raises SinkError; it is then closed and gets no more."""

    def close(self) -> None:
        """Finish and let go. Idempotent. Raises SinkError if what was written cannot be finished."""


class Command(Enum):
    """What a person asked for at the window."""

    QUIT = "quit"
    PAUSE = "pause"
    STEP = "step"
    SNAPSHOT = "snapshot"
    RECORD = "record"
    CONF_UP = "conf up"
    CONF_DOWN = "conf down"
    LABELS = "labels"
    BOXES = "boxes"
    TRACKS = "tracks"
    REDRAW = "redraw"
    """The view itself changed (its panel, its help, its size): show the frame again."""


class View(Protocol):
    """Where results are watched. All but `render` is called on the main thread alone."""

    def render(self, result: Result, status: Status) -> Image:
        """The picture to show: the drawn image fitted to the view, with the panel on it.

        Called on the render thread, and on the main thread for a picture that stands still; perhaps at the same time.
        """

    def show(self, image: Image) -> None:
        """Put it on the screen. Raises SinkError."""

    def poll(self, timeout_s: float) -> Command | None:
        """Let the window breathe for at most `timeout_s` seconds; what the person asked for, if anything.

        A closed window is QUIT.
        """

    def close(self) -> None:
        """Take the window away. Idempotent."""
