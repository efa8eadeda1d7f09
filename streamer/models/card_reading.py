"""A model card's file made into a Card, and what is wrong with it said as file, line, key and what is allowed.

Called by card_files.py. Words are the card's business, as in settings: `0..1`, `no` and `1` arrive as written.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from streamer.errors import ConfigError
from streamer.models.card import AnchorHead, Card
from streamer.models.presets import PRESETS, nearest
from streamer.strict_yaml import Entry, Events, FileKind, read_mapping, word
from streamer.text import printable, redacted

MAX_BYTES = 64 * 1024
"""The largest card that is read; one that lists the 80 names of COCO has 2 KB."""

MAX_DEPTH = 7
"""How deep lists and names stand inside each other; the shapes of anchors need 6."""

MAX_PROBLEMS = 20
"""How many things that are wrong are told at once."""

_KIND = FileKind("model card", "cards", MAX_BYTES, "streamer inspect MODEL --write-card writes one")

_LABELS = "a list of names, ids with names such as 1: person, or the name of a file beside the card"

_ALLOWED = {
    "literal_error": "one of {expected}",
    "union_tag_invalid": "one of {expected_tags}",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a word",
    "tuple_type": "a list such as [1, 2]",
    "model_type": "names with values, indented below it",
    "model_attributes_type": "names with values, indented below it",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number from {ge}",
    "less_than_equal": "a number up to {le}",
    "too_long": "{max_length} of them",
}
"""What messages say is allowed, by the type of pydantic's error and with its context."""

Node: TypeAlias = str | tuple["Node", ...] | list[Entry["Node"]] | None
"""What stands behind a name, as it was written: a word, nothing, a list, or names with values."""

Keys = tuple[str | int, ...]
"""The way to a value: `("head", "anchors", "strides", 0)`."""


def card_from(path: Path) -> Card:
    """The card in a file. Raises ConfigError that lists what is wrong: line, key, value and what is allowed."""
    reading = _Reading(path)
    content = reading.mapping(read_mapping(path, _KIND, _node), ())
    _complete(content)
    card = Card()
    try:
        card = Card.model_validate(content)
    except ValidationError as error:
        reading.refuse(error, content)
    if card.preset is not None and card.preset not in PRESETS:
        reading.problem(("preset",), f"no preset is called {printable(card.preset)!r}{nearest(card.preset)}")
    reading.raise_all()
    return card


def _node(events: Events, depth: int = 1) -> Node:
    event = events.take()
    if isinstance(event, yaml.ScalarEvent):
        return word(event)
    if depth > MAX_DEPTH:
        raise events.wrong(event, "nested too deeply for a card")
    if isinstance(event, yaml.SequenceStartEvent):
        return tuple(_items(events, depth))
    return list(events.entries(lambda inner: _node(inner, depth + 1)))


def _items(events: Events, depth: int) -> Iterator[Node]:
    while not isinstance(events.peek(), yaml.SequenceEndEvent):
        yield _node(events, depth + 1)
    events.take()


def _complete(content: dict[str, Any]) -> None:
    """What goes without saying under a preset: the kind of its head and of its anchors, and the anchors themselves."""
    preset = PRESETS.get(str(content.get("preset")))
    own = content.get("head")
    if preset is None or preset.card.head is None or not isinstance(own, dict):
        return
    head = preset.card.head
    own.setdefault("kind", head.kind)
    if isinstance(head, AnchorHead) and own["kind"] == head.kind:
        anchors = own.setdefault("anchors", {})
        if isinstance(anchors, dict) and anchors.setdefault("kind", head.anchors.kind) == head.anchors.kind:
            said = head.anchors.model_dump(exclude_none=True)
            rivals = {"maps", "strides"} if anchors.keys() & {"maps", "strides"} else set()
            content["head"]["anchors"] = {**{key: said[key] for key in said.keys() - rivals}, **anchors}


class _Reading:
    """One file: the lines of its keys, and what is wrong with it so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[Keys, int] = {}
        self._problems: list[ConfigError] = []

    def mapping(self, entries: list[Entry[Node]], at: Keys) -> dict[str, Any]:
        """Names with values as plain dicts and lists; what has no value is left out, as if it were not there."""
        found: dict[str, Any] = {}
        for entry in entries:
            key = entry.key if at[:1] == ("labels",) else entry.key.replace("-", "_")
            keys = (*at, key)
            if keys in self._lines:
                first = self._lines[keys]
                where = f"{self._path}:{entry.line}: {_shown(keys)}"
                self._problems.append(ConfigError(f"given twice; first on line {first}", where=where))
                continue
            self._lines[keys] = entry.line
            if entry.value is not None:
                found[key] = self._plain(entry.value, keys)
        return found

    def _plain(self, node: Node, at: Keys) -> Any:  # noqa: ANN401 - whatever the file holds, for pydantic to judge
        match node:
            case list():
                return self.mapping(node, at)
            case tuple():
                return [self._plain(item, (*at, index)) for index, item in enumerate(node)]
            case _:
                return node

    def problem(self, keys: Keys, what: str) -> None:
        """Something is wrong with the value at `keys`."""
        known = next((keys[:end] for end in range(len(keys), 0, -1) if keys[:end] in self._lines), ())
        self._problems.append(ConfigError(what, where=f"{self._path}:{self._lines.get(known, 1)}: {_shown(keys)}"))

    def refuse(self, error: ValidationError, content: dict[str, Any]) -> None:
        """What pydantic found, in our words."""
        told: set[Keys] = set()
        for detail in error.errors(include_url=False):
            keys = _keys(detail, content)
            if keys not in told:
                told.add(keys)
                self.problem(keys, _what(detail, keys, content))

    def raise_all(self) -> None:
        """Raise what is wrong, if anything is."""
        if len(self._problems) == 1:
            raise self._problems[0]
        if self._problems:
            more = len(self._problems) - MAX_PROBLEMS
            lines = [*map(str, self._problems[:MAX_PROBLEMS]), *([f"... and {more} more"] if more > 0 else [])]
            raise ConfigError("\n".join(lines))


def _shown(keys: Keys) -> str:
    return ".".join(printable(str(key)) or "an empty name" for key in keys)


def _keys(detail: ErrorDetails, content: dict[str, Any]) -> Keys:
    """The way to what is wrong, without the kinds that pydantic puts in between; labels are wrong as a whole."""
    if detail["loc"][:1] == ("labels",):
        return ("labels",)
    keys: list[str | int] = []
    node: Any = content
    is_new = False
    for part in detail["loc"]:
        if is_new and isinstance(node, dict) and node.get("kind") == part:
            is_new = False
            continue
        keys.append(part)
        node = _inside(node, part)
        is_new = isinstance(node, dict)
    if detail["type"].startswith("union_tag"):
        keys.append("kind")
    too_short = detail["type"] == "missing" and isinstance(keys[-1], int)
    return tuple(keys[:-1] if too_short else keys)


def _inside(node: Any, part: str | int) -> Any:  # noqa: ANN401 - whatever the file holds
    if isinstance(node, dict):
        return node.get(str(part))
    return node[part] if isinstance(node, list) and isinstance(part, int) and part < len(node) else None


def _what(detail: ErrorDetails, keys: Keys, content: dict[str, Any]) -> str:
    if keys == ("labels",):
        return f"{_value(content.get('labels'))} not allowed; allowed: {_LABELS}"
    match detail["type"]:
        case "extra_forbidden":
            what = f"unknown key{_nearest_key(keys, content)}"
        case "union_tag_not_found":
            kinds = _kinds(Card if keys[0] == keys[-2] else AnchorHead, str(keys[-2]))
            what = f"is missing; allowed: one of {', '.join(kinds)}"
        case "missing":
            too_few = isinstance(detail["loc"][-1], int)
            what = f"{_value(detail['input'])} not allowed: too few of them" if too_few else "is missing"
        case "value_error":
            what = detail["msg"].removeprefix("Value error, ")
        case kind:
            context = {name: _listed(value) for name, value in detail.get("ctx", {}).items()}
            allowed = _ALLOWED[kind].format(**context) if kind in _ALLOWED else detail["msg"]
            what = f"{_value(context.get('tag', detail['input']))} not allowed; allowed: {allowed}"
    return what


def _value(value: object) -> str:
    if isinstance(value, str):
        return f"{printable(redacted(value[:4096]))!r} is"
    return "a list is" if isinstance(value, (list, tuple)) else "that is"


def _listed(value: object) -> str:
    """`'a', 'b' or 'c'` of pydantic, and numbers, as people write them."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace("'", "").replace(" or ", ", ")


def _nearest_key(keys: Keys, content: dict[str, Any]) -> str:
    part: type[BaseModel] | None = Card
    node: Any = content
    for key in keys[:-1]:
        node = _inside(node, key)
        part = None if part is None else _part(part, str(key), node)
    names = [] if part is None else list(part.model_fields)
    close = get_close_matches(str(keys[-1])[:64], names, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(names)}"


def _part(part: type[BaseModel], key: str, node: object) -> type[BaseModel] | None:
    parts = _parts(part, key)
    kind = node.get("kind") if isinstance(node, Mapping) else None
    return next((found for found in parts if len(parts) == 1 or found.model_fields["kind"].default == kind), None)


def _parts(part: type[BaseModel], key: str) -> list[type[BaseModel]]:
    """What may stand at `key`: the one part, or one for each kind."""
    known = part.model_fields.get(key)
    return [] if known is None else list(_models(known.annotation))


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _kinds(part: type[BaseModel], key: str) -> list[str]:
    return [str(found.model_fields["kind"].default) for found in _parts(part, key)]
