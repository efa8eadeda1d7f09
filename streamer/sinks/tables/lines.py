"""A table of lines: what those formats share that only ever append."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from streamer.errors import SinkError
from streamer.frame import Result
from streamer.interfaces import SinkRole
from streamer.labels import Labels
from streamer.sinks.outfile import OutFile, failure
from streamer.sinks.tables.wall import WallClock
from streamer.text import printable


class LineTable(ABC):
    """A Sink that appends the lines of each frame in one piece, UTF-8. Each format says what these are.

    labels: names of the classes. wall: of a live source, which has times on the wall.

    Raises SinkOpenError.
    """

    role: SinkRole = "report"
    needs_image = False

    kind: ClassVar[str]
    """What it is called in logs."""
    head: ClassVar[str] = ""
    """What stands above the lines of the first frame."""

    def __init__(self, path: Path, *, labels: Labels, wall: WallClock | None = None, force: bool = False) -> None:
        self.name = f"{self.kind} {printable(str(path), limit=256)}"
        self.written = 0
        self._labels = labels
        self._wall = wall
        self._file = OutFile(path, force=force)
        self._begun = False
        self._closed = False

    def write(self, result: Result) -> None:
        if self._closed:
            raise SinkError("the report has ended", where=str(self._file.path))
        text = self._lines(result)
        if text and not self._begun:
            text = self.head + text
        try:
            # A lone surrogate, from a file name that is no UTF-8, becomes \udcXX: valid JSON.
            self._file.write(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            self.close()
            raise self._failure(error) from error
        self._begun = self._begun or bool(text)
        self.written += 1

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._file.close()
            if self.written and not self._begun:
                self._file.path.touch()  # an empty table says that nothing was seen, and none that nobody looked
        except OSError as error:
            raise self._failure(error) from error

    @abstractmethod
    def _lines(self, result: Result) -> str:
        """The lines of one frame, each with its end; empty where the format has none for it."""

    def _failure(self, error: OSError) -> SinkError:
        return failure(self._file.path, error, saved=f"the first {self.written} frames are whole")
