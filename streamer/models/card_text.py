"""A card as the YAML that a person would write: what is set and nothing else, with a remark behind a line.

Called by card_files.py. What it writes, card_reading.py reads back as the same card.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from streamer.models.card import Card
from streamer.text import printable

WIDTH = 110
"""How long a line with a list in it becomes before the list is written one item a line."""

REMARK_COLUMN = 32
"""Where remarks stand, as far as lines are shorter."""

_PLAIN = re.compile(r"[A-Za-z0-9_./+-](?:[\w ./+()-]*[\w./+()-])?")


def card_text(card: Card, *, comments: Mapping[str, str]) -> str:
    """The text of a card's file.

    comments: remarks by key, `{"input.scale": "preset blazeface"}`; "" is what stands on top, one or more lines.
    """
    top = [f"# {printable(line, limit=WIDTH)}".rstrip() for line in comments.get("", "").splitlines()]
    return "\n".join([*top, *_lines(card, "", comments)]) + "\n"


def _lines(part: BaseModel, at: str, comments: Mapping[str, str]) -> Iterator[str]:
    indent = "  " * (at.count(".") + 1 if at else 0)
    for key, value in _said(part):
        keys = f"{at}.{key}" if at else key
        remark = comments.get(keys, "")
        if isinstance(value, BaseModel):
            if inner := list(_lines(value, keys, comments)):
                yield _remarked(f"{indent}{key}:", remark)
                yield from inner
        else:
            first, *others = _written(value, indent)
            yield _remarked(f"{indent}{key}:{first}", remark)
            yield from others


def _said(part: BaseModel) -> Iterator[tuple[str, Any]]:
    """The kind of a part first, then what was set, in the order of the manual."""
    for key in sorted(type(part).model_fields, key=lambda key: key != "kind"):
        value = getattr(part, key)
        if key == "kind" or (key in part.model_fields_set and value not in (None, "")):
            yield key, value


def _remarked(line: str, remark: str) -> str:
    return f"{line:<{REMARK_COLUMN}}  # {printable(remark, limit=WIDTH)}" if remark else line


def _written(value: object, indent: str) -> list[str]:
    """What stands behind a colon, and the lines below it."""
    if isinstance(value, dict):
        return ["", *(f"{indent}  {_word(key)}: {_flow(name)}" for key, name in value.items())]
    flow = _flow(value)
    if isinstance(value, tuple) and len(flow) + len(indent) > WIDTH - REMARK_COLUMN:
        return ["", *(f"{indent}  - {_flow(item)}" for item in value)]
    return [f" {flow}"]


def _flow(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_flow, value))}]"
    return _word(value)


def _word(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            short = f"{value:g}"
            return short if float(short) == value else repr(value)
        case str():
            return value if _is_plain(value) else _quoted(value)
        case _:
            return str(value)


def _is_plain(text: str) -> bool:
    """Whether every reader of YAML takes the bare word for this text."""
    ends_the_document = text == "..."
    return _PLAIN.fullmatch(text) is not None and not ends_the_document and bool(yaml.safe_load(text) == text)


def _quoted(text: str) -> str:
    kept = (char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in text)
    return f'"{"".join(kept)}"'
