"""Everything that streamer raises on purpose.

    StreamerError                 exit code, what happened, where, what to try
    |-- ConfigError           2   a flag, a variable or a file of settings is wrong
    |-- SourceError           3   frames cannot be had
    |   |-- SourceOpenError       ... from the start: missing, empty, unreadable, refused
    |   |   `-- SourceRefused       ... and waiting mends nothing: a wrong password, not a video, not allowed
    |   `-- SourceLost            ... any more: the camera went away in mid-stream
    |-- ModelError            4   a model cannot be used
    |   |-- ModelLoadError        ... it is missing, damaged or of no known form
    |   `-- SignatureError        ... it loads, but is no detector that we can read
    |-- SinkError             5   results cannot be kept or shown
    |   `-- SinkOpenError         ... from the start: exists, read-only, no such folder, no display
    `-- InternalError        70   a bug of ours

Whatever else escapes is a bug and ends with 70 too.
"""

from typing import ClassVar

from streamer.text import printable, redacted


class StreamerError(Exception):
    """The root: one sentence for the user, made of what happened, where, and what to try.

    `where` is a path, an address or a setting; credentials in it are masked and control characters taken out.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else printable(redacted(where), limit=256)
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        return text if self.hint is None else f"{text} ({self.hint})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.hint)


def _rebuild(kind: type[StreamerError], what: str, where: str | None, hint: str | None) -> StreamerError:
    return kind(what, where=where, hint=hint)


class ConfigError(StreamerError):
    """A flag, an environment variable or a settings file is wrong."""

    exit_code = 2


class SourceError(StreamerError):
    """Frames cannot be had."""

    exit_code = 3


class SourceOpenError(SourceError):
    """The source cannot be opened at all."""


class SourceRefused(SourceOpenError):
    """The source cannot be opened, and waiting will not change that."""


class SourceLost(SourceError):
    """The source gave frames and then failed; an ended stream is not lost."""


class ModelError(StreamerError):
    """A model cannot be used."""

    exit_code = 4


class ModelLoadError(ModelError):
    """The model is missing, damaged or of no form that we know."""


class SignatureError(ModelError):
    """The model loads, but what it takes or gives cannot be read as a detector's."""


class SinkError(StreamerError):
    """Results cannot be kept or shown."""

    exit_code = 5


class SinkOpenError(SinkError):
    """The output cannot be opened at all."""


class InternalError(StreamerError):
    """A bug of ours."""
