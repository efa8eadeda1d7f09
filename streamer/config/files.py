"""A settings file: one flat mapping of names to words or lists of words.

What a word means is the setting's business, so `no`, `1:30` and `0` arrive as they were written. How little of YAML
this is, and how little faith it has, is the matter of strict_yaml.py.
"""

from pathlib import Path

import yaml

from streamer.strict_yaml import Entry, Events, FileKind, read_mapping, word

MAX_BYTES = 64 * 1024
"""The largest settings file that is read; one with every setting and its comments has 5 KB."""

_KIND = FileKind("settings file", "settings", MAX_BYTES, "streamer config init FILE writes one")

Value = str | list[str]


def read_entries(path: Path) -> list[Entry[Value | None]]:
    """Everything in a settings file, in its order; keys may repeat, and None stands where there is nothing.

    Raises ConfigError that names file and line.
    """
    return read_mapping(path, _KIND, _value)


def _value(events: Events) -> Value | None:
    event = events.take()
    if not isinstance(event, yaml.SequenceStartEvent):
        return _word(events, event, "a value or a list of values")
    words: list[str] = []
    while not isinstance(event := events.take(), yaml.SequenceEndEvent):
        words.append(_word(events, event, "a value") or "")
    return words


def _word(events: Events, event: yaml.Event, wanted: str) -> str | None:
    if not isinstance(event, yaml.ScalarEvent):
        raise events.wrong(event, f"{wanted} is wanted here, not a list or settings inside settings")
    return word(event)
