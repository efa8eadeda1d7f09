"""A settings file, read with the line of every key and no faith in who wrote it.

YAML here is one mapping of names to words or lists of words: no types, anchors, tags or nesting. What a word means is
the setting's business, so `no`, `1:30` and `0` arrive as they were written. The parser's events are read one by one:
nothing recurses, nothing is multiplied, and reading stops at the first thing that is out of place.
"""

import errno
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from streamer.errors import ConfigError

MAX_BYTES = 64 * 1024
"""The largest settings file that is read; one with every setting and its comments has 5 KB."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "may not be read",
    errno.ELOOP: "a symbolic link that leads back to itself",
    errno.ENAMETOOLONG: "no such file: the name is too long",
}

Value = str | list[str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a file, the line it stands on, and its value as it was written; None where there is nothing."""

    key: str
    line: int
    value: Value | None


def read_entries(path: Path) -> list[Entry]:
    """Everything in a settings file, in its order; keys may repeat. Raises ConfigError that names file and line."""
    text = _text(path)
    try:
        return list(_Reader(path, text).entries())
    except yaml.MarkedYAMLError as error:
        raise _misplaced(path, _line(error), f"not YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _misplaced(path, line, f"not YAML: {error.reason}") from error


def _text(path: Path) -> str:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ConfigError("a folder, not a settings file", where=str(path))
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError("not an ordinary file", where=str(path))
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = _REASONS.get(getattr(error, "errno", None) or 0, str(error))
        raise ConfigError(reason, where=str(path), hint="streamer config init FILE writes one") from error
    if len(data) > MAX_BYTES:
        size = f"{status.st_size / 1024:.0f} KiB" if status.st_size > MAX_BYTES else "more"
        raise ConfigError(f"too large: {size}; a settings file has at most {MAX_BYTES // 1024} KiB", where=str(path))
    return _decoded(path, data)


def _decoded(path: Path, data: bytes) -> str:
    nul = data.find(b"\0")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _misplaced(path, data.count(b"\n", 0, error.start) + 1, "not UTF-8 text") from error
    if nul >= 0:
        raise _misplaced(path, data.count(b"\n", 0, nul) + 1, "a NUL byte; settings are text")
    return text


def _misplaced(path: Path, line: int, what: str) -> ConfigError:
    return ConfigError(what, where=f"{path}:{line}")


def _line(place: yaml.MarkedYAMLError | yaml.Event) -> int:
    mark = place.start_mark if isinstance(place, yaml.Event) else place.problem_mark or place.context_mark
    return 1 if mark is None else mark.line + 1


class _Reader:
    """The events of one file, taken one after another."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)

    def entries(self) -> Iterator[Entry]:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return
        top = next(self._events)
        if isinstance(top, yaml.ScalarEvent) and top.style is None and top.value in _NULLS:
            return
        if not isinstance(top, yaml.MappingStartEvent):
            raise self._wrong(top, "settings are written as `name: value`, one a line")
        self._refuse_marks(top)
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._word(event, "a name")
            yield Entry(key or "", _line(event), self._value())
        next(self._events)
        if not isinstance(event := next(self._events), yaml.StreamEndEvent):
            raise self._wrong(event, "a second document; a settings file is one")

    def _value(self) -> Value | None:
        event = next(self._events)
        if not isinstance(event, yaml.SequenceStartEvent):
            return self._word(event, "a value or a list of values")
        self._refuse_marks(event)
        words: list[str] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            words.append(self._word(event, "a value") or "")
        return words

    def _word(self, event: yaml.Event, wanted: str) -> str | None:
        self._refuse_marks(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._wrong(event, f"{wanted} is wanted here, not a list or settings inside settings")
        return None if event.style is None and event.value in _NULLS else str(event.value)

    def _refuse_marks(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._wrong(event, "anchors and aliases (& and *) are not used in settings; quote the text")
        if getattr(event, "tag", None) not in {None, "!"}:
            raise self._wrong(event, "tags (!) are not used in settings; quote the text")

    def _wrong(self, event: yaml.Event, what: str) -> ConfigError:
        return _misplaced(self._path, _line(event), what)
