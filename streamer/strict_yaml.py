"""YAML read with the line of every key and no faith in who wrote it: one mapping of names to whatever the caller reads.

No types, anchors, aliases, tags or second documents; a word arrives as it was written. The parser's events are taken
one by one: nothing is multiplied, and reading stops at the first thing that is out of place. What may stand behind a
name is the caller's business: the settings of config/files.py are flat, the cards of models/card_files.py are not.
"""

import errno
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import yaml

from streamer.errors import ConfigError

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "may not be read",
    errno.ELOOP: "a symbolic link that leads back to itself",
    errno.ENAMETOOLONG: "no such file: the name is too long",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileKind:
    """What messages say of a kind of file.

    name: `settings file`; contents: what it holds, `settings`. max_bytes: the largest one that is read. hint: what to
    try where there is none.
    """

    name: str
    contents: str
    max_bytes: int
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """One key of a mapping, the line it stands on, and its value as the caller read it."""

    key: str
    line: int
    value: T


def read_mapping(path: Path, kind: FileKind, value: "Callable[[Events], T]") -> list[Entry[T]]:
    """Everything in the file's one mapping, in its order; keys may repeat.

    value: takes from the events what stands behind a key. Raises ConfigError that names file and line.
    """
    text = _text(path, kind)
    try:
        return list(Events(path, kind, text).top(value))
    except yaml.MarkedYAMLError as error:
        raise _misplaced(path, _line(error), f"not YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _misplaced(path, line, f"not YAML: {error.reason}") from error


class Events:
    """The parser's events of one file, taken one after another; anchors, aliases and tags are refused."""

    def __init__(self, path: Path, kind: FileKind, text: str) -> None:
        self._path = path
        self._kind = kind
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._next: yaml.Event | None = None

    def peek(self) -> yaml.Event:
        """The event that `take` will give."""
        self._next = self.take()
        return self._next

    def take(self) -> yaml.Event:
        """The next event. Raises ConfigError for an anchor, an alias or a tag."""
        event, self._next = self._next or next(self._events), None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self.wrong(
                event, f"anchors and aliases (& and *) are not used in {self._kind.contents}; quote the text"
            )
        if getattr(event, "tag", None) not in {None, "!"}:
            raise self.wrong(event, f"tags (!) are not used in {self._kind.contents}; quote the text")
        return event

    def wrong(self, event: yaml.Event, what: str) -> ConfigError:
        """An error with the place of `event`."""
        return _misplaced(self._path, _line(event), what)

    def entries(self, value: "Callable[[Events], T]") -> Iterator[Entry[T]]:
        """Those of a mapping that has just begun, up to its end. value: as in `read_mapping`."""
        while not isinstance(event := self.take(), yaml.MappingEndEvent):
            name = self._name(event)
            yield Entry(name, _line(event), value(self))

    def top(self, value: "Callable[[Events], T]") -> Iterator[Entry[T]]:
        """The entries of the file."""
        self.take()
        if isinstance(self.take(), yaml.StreamEndEvent):
            return
        top = self.take()
        if isinstance(top, yaml.ScalarEvent) and word(top) is None:
            return
        if not isinstance(top, yaml.MappingStartEvent):
            raise self.wrong(top, f"{self._kind.contents} are written as `name: value`, one a line")
        yield from self.entries(value)
        self.take()
        if not isinstance(event := self.take(), yaml.StreamEndEvent):
            raise self.wrong(event, f"a second document; a {self._kind.name} is one")

    def _name(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            contents = self._kind.contents
            raise self.wrong(event, f"a name is wanted here, not a list or {contents} inside {contents}")
        return word(event) or ""


def word(event: yaml.ScalarEvent) -> str | None:
    """The text of a scalar as it was written; None where nothing stands."""
    return None if event.style is None and event.value in _NULLS else str(event.value)


def _text(path: Path, kind: FileKind) -> str:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ConfigError(f"a folder, not a {kind.name}", where=str(path))
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError("not an ordinary file", where=str(path))
        with path.open("rb") as file:
            data = file.read(kind.max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = _REASONS.get(getattr(error, "errno", None) or 0, str(error))
        raise ConfigError(reason, where=str(path), hint=kind.hint) from error
    if len(data) > kind.max_bytes:
        size = f"{status.st_size / 1024:.0f} KiB" if status.st_size > kind.max_bytes else "more"
        most = f"a {kind.name} has at most {kind.max_bytes // 1024} KiB"
        raise ConfigError(f"too large: {size}; {most}", where=str(path))
    return _decoded(path, data, kind)


def _decoded(path: Path, data: bytes, kind: FileKind) -> str:
    nul = data.find(b"\0")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _misplaced(path, data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from error
    if nul >= 0:
        raise _misplaced(path, data.count(b"\n", 0, nul) + 1, f"a NUL byte; {kind.contents} are text")
    return text


def _misplaced(path: Path, line: int, what: str) -> ConfigError:
    return ConfigError(what, where=f"{path}:{line}")


def _line(place: yaml.MarkedYAMLError | yaml.Event) -> int:
    mark = place.start_mark if isinstance(place, yaml.Event) else place.problem_mark or place.context_mark
    return 1 if mark is None else mark.line + 1
