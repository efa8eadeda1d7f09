"""The names of classes, a colour for each that never changes, and the files that names are read from.

Which file belongs to a model, and by how much its ids are off, is found in models/naming.py.
"""

import colorsys
import csv
import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamer.errors import ConfigError
from streamer.text import printable

Color = tuple[int, int, int]
"""Blue, green, red, 0 to 255 each."""

MAX_FILE_BYTES = 16_000_000
"""The largest label file that is read."""

MAX_UNREADABLE = 0.1
"""The share of a file's characters that may be unreadable: a name in another encoding passes, a picture does not."""

PLACEHOLDERS = frozenset({"", "???", "n/a", "background", "__background__", "_background_", "bg", "unlabeled"})
"""What files write where an id has no class of its own."""

_OKABE_ITO: tuple[Color, ...] = (
    (0, 159, 230),
    (233, 180, 86),
    (115, 158, 0),
    (66, 228, 240),
    (178, 114, 0),
    (0, 94, 213),
    (167, 121, 204),
)
"""Okabe and Ito, Color Universal Design, 2008 (https://jfly.uni-koeln.de/color/), without black: orange, sky blue,
bluish green, yellow, blue, vermilion, reddish purple."""

_GOLDEN_ANGLE = 0.381966
"""Of a full turn: steps of it never come back to a hue that was used."""

_LIGHTNESS = (0.3, 0.75, 0.5, 0.6)
"""Further colours differ in lightness too, because hue alone is lost on the colour-blind; this order keeps neighbouring
ids furthest apart for them."""


class Labels:
    """Class names by id; unknown ids are named `#17`, so nothing that a model says can be out of range."""

    def __init__(self, names: Mapping[int, str] | None = None) -> None:
        self._names = {class_id: printable(name) for class_id, name in (names or {}).items()}

    def __len__(self) -> int:
        return len(self._names)

    @property
    def known_ids(self) -> frozenset[int]:
        """The ids that have a name."""
        return frozenset(class_id for class_id, name in self._names.items() if name)

    def name(self, class_id: int) -> str:
        """The name, safe to print; `#17` for an id without one."""
        return self._names.get(class_id) or f"#{class_id}"

    def color(self, class_id: int) -> Color:
        """The colour of a class, blue-green-red: the same in every run and on every machine.

        The first seven are those of Okabe and Ito, which the colour-blind can tell apart.
        """
        if 0 <= class_id < len(_OKABE_ITO):
            return _OKABE_ITO[class_id]
        lightness = _LIGHTNESS[class_id % len(_LIGHTNESS)]
        red, green, blue = colorsys.hls_to_rgb(class_id * _GOLDEN_ANGLE % 1.0, lightness, 0.9)
        return round(255 * blue), round(255 * green), round(255 * red)

    def ids(self, names: Iterable[str], *, where: str = "--classes") -> frozenset[int]:
        """The ids of the classes called `names`, in whatever case; `#17` is the id itself. where: who asks.

        Raises ConfigError for a name that no class has, with the nearest ones.
        """
        return frozenset(class_id for name in names for class_id in self._ids_of(name, where))

    def _ids_of(self, name: str, where: str) -> list[int]:
        wanted = printable(name).casefold()
        if re.fullmatch(r"#[0-9]{1,9}", wanted):
            return [int(wanted[1:])]
        found = [class_id for class_id, known in self._names.items() if known.casefold() == wanted]
        if not found:
            raise ConfigError(f"no class is called {printable(name)!r}", where=where, hint=self._suggest(wanted))
        return found

    def _suggest(self, wanted: str) -> str:
        if not self._names:
            return "this model has no labels: give some with --labels, or write #1 for the class with the id 1"
        known = {name.casefold(): name for name in self._names.values()}
        near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
        if near:
            return f"did you mean {', '.join(known[name] for name in near)}?"
        return f"there are {', '.join(list(known.values())[:12])}{', ...' if len(known) > 12 else ''}"


@dataclass(frozen=True, slots=True)
class LabelFile:
    """What a label file says.

    names: by the ids of the file; for a plain list these count its lines from 0.
    numbering: `fixed`, the ids are the model's own (pbtxt); `written`, ids stand in the file and may count from 0 or
    from 1; `counted`, there are none and the order is all.
    """

    path: Path
    names: Mapping[int, str]
    numbering: Literal["fixed", "written", "counted"]

    def offset(self, first_class_id: int) -> int:
        """What must be added to its ids to get those of a model that gives `first_class_id` to its first class.

        1 for the exports of the TensorFlow Object Detection API, whose 0 is the background, and 0 for most others. The
        file's own first class is 1 where the file says so, begins with a placeholder, or is a label map.
        """
        lowest = min(self.names, default=1)
        has_placeholder = is_placeholder(self.names.get(lowest, ""))
        if self.numbering == "fixed" and lowest == 0 and not has_placeholder:
            return 0
        counts_from_1 = self.numbering == "fixed" or lowest > 0 or has_placeholder
        return first_class_id - (1 if counts_from_1 else 0)

    def labels(self, offset: int) -> Labels:
        """The names under the model's ids; placeholders are left out."""
        return Labels({n + offset: name for n, name in self.names.items() if not is_placeholder(name)})


def load_labels(path: str | Path) -> LabelFile:
    """Read class names.

    `.pbtxt` is a label map of the Object Detection API, `.json` a list, ids with names, `{"classes": [...]}` or the
    categories of COCO, `.csv` has id,name a row, and all else a name a line, with or without ids (`0 person`,
    `0: person`) and quotes. Empty lines count for nothing.

    Raises ConfigError, naming the file and the line.
    """
    path = Path(path)
    return parse_labels(_read(path), path=path)


def parse_labels(text: str, *, path: Path) -> LabelFile:
    """The names in the text of a label file. path: what errors name, and where the kind is read from its ending.

    Raises ConfigError as load_labels does.
    """
    suffix = path.suffix.lower()
    if suffix in {".pbtxt", ".pbtext", ".prototxt"} or _ITEM.match(text):
        found = LabelFile(path, _pbtxt(path, text), "fixed")
    elif suffix == ".json":
        found = _json(path, text)
    elif suffix == ".csv":
        found = LabelFile(path, _csv(path, text), "written")
    else:
        found = _lines(path, text)
    if not found.names:
        raise ConfigError("no class names in it", where=str(path))
    return found


def is_placeholder(name: str) -> bool:
    """Whether a file writes this where there is no class."""
    return name.strip().casefold() in PLACEHOLDERS


def _read(path: Path) -> str:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_FILE_BYTES:
            raise ConfigError(f"{size_bytes / 1e6:.0f} MB is too large for a label file", where=str(path))
        if not path.is_file():
            raise ConfigError("is no file", where=str(path))
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"the labels cannot be read: {reason}", where=str(path)) from error
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    text = data.decode(encoding, errors="replace")
    if text.count("\ufffd") + text.count("\0") > MAX_UNREADABLE * len(text):
        raise ConfigError(
            "is no text", where=str(path), hint="a label file holds class names: .pbtxt, .txt, .json or .csv"
        )
    return text


def _numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that hold something, counted from 1; str.splitlines would also split at characters inside names."""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if line.strip():
            yield number, line.strip()


def _bad(path: Path, line: int, what: str) -> ConfigError:
    return ConfigError(what, where=f"{path}:{line}")


def _add(names: dict[int, str], class_id: int, name: str, *, path: Path, line: int) -> None:
    if class_id in names:
        raise _bad(path, line, f"the id {class_id} stands there twice")
    names[class_id] = name


_ID = re.compile("[0-9]{1,9}")
_WITH_ID = re.compile(r"([0-9]{1,9})(?:\s*[:,=]\s*|\s+)(\S.*)")
_QUOTED = re.compile(r"""(["'])(.*)\1\s*,?""")


def _lines(path: Path, text: str) -> LabelFile:
    lines = list(_numbered_lines(text))
    matches = [(number, _WITH_ID.fullmatch(line)) for number, line in lines]
    ids = [int(match[1]) for _, match in matches if match is not None]
    if len(ids) < len(lines) or min(ids, default=0) > 1:
        return LabelFile(path, dict(enumerate(_bare(line) for _, line in lines)), "counted")
    names: dict[int, str] = {}
    for number, match in matches:
        if match is not None:
            _add(names, int(match[1]), _bare(match[2]), path=path, line=number)
    return LabelFile(path, names, "written")


def _bare(name: str) -> str:
    """A name without the quotes, and the comma behind them, that lists of a program have."""
    match = _QUOTED.fullmatch(name)
    return name if match is None else match[2].strip()


def _csv(path: Path, text: str) -> dict[int, str]:
    names: dict[int, str] = {}
    reader = csv.reader(text.splitlines(keepends=True))
    try:
        for row in filter(None, reader):
            cells = [cell.strip() for cell in row]
            if len(cells) >= 2 and _ID.fullmatch(cells[0]):
                _add(names, int(cells[0]), cells[1], path=path, line=reader.line_num)
            elif reader.line_num > 1:
                raise _bad(path, reader.line_num, "a row is id,name")
    except csv.Error as error:
        raise _bad(path, reader.line_num, f"no CSV: {error}") from error
    return names


def _json(path: Path, text: str) -> LabelFile:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise _bad(path, error.lineno, f"no JSON: {error.msg}") from error
    except RecursionError as error:
        raise _bad(path, 1, "nested too deeply") from error
    except ValueError as error:
        raise _bad(path, 1, "a number in it is too long") from error
    if isinstance(value, dict):
        value = next((value[key] for key in ("categories", "classes", "names", "labels") if key in value), value)
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return LabelFile(path, dict(enumerate(value)), "counted")
    names: dict[int, str] = {}
    for class_id, name in _json_pairs(value):
        if not _ID.fullmatch(str(class_id)) or not isinstance(name, str):
            raise _bad(path, 1, f"{printable(f'{class_id!r}: {name!r}')} is no id with a name")
        _add(names, int(str(class_id)), name, path=path, line=1)
    return LabelFile(path, names, "written")


def _json_pairs(value: object) -> list[tuple[object, object]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return [(item.get("id"), item.get("name")) if isinstance(item, dict) else (None, item) for item in value]
    return [(None, value)]


_ITEM = re.compile(r"(?:\s|#[^\n]*\n)*item\s*:?\s*[{<]")
_TOKEN = re.compile(
    r"""(?P<skip>(?:[\s,;]|\#[^\n]*)+) | (?P<text>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*')"""
    r""" | (?P<open>:?\s*[{<]) | (?P<close>[}>]) | (?P<colon>:) | (?P<word>[^\s,;:{}<>"'\#]+)""",
    re.VERBOSE,
)


def _tokens(path: Path, text: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and line of what stands in a protocol buffer's text form."""
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _bad(path, line, f"{printable(text[position : position + 20])!r} cannot be read")
        if match.lastgroup != "skip":
            yield str(match.lastgroup), match[0], line
        line += match[0].count("\n")
        position = match.end()


def _pbtxt(path: Path, text: str) -> dict[int, str]:
    names: dict[int, str] = {}
    tokens = _tokens(path, text)
    for _, word, line in tokens:
        kind, _, _ = next(tokens, ("end", "", 0))
        if word != "item" or kind != "open":
            raise _bad(path, line, "this is no label map: its items are written item { id: 1 name: 'x' }")
        fields = _item(tokens)
        if fields is None:
            raise _bad(path, line, "the file ends inside the item that begins here")
        _add_item(names, fields, path=path, line=line)
    return names


def _item(tokens: Iterator[tuple[str, str, int]]) -> dict[str, str] | None:
    """The fields of an item, messages inside it left out; None where the file ends first."""
    fields: dict[str, str] = {}
    depth, key = 1, ""
    for kind, token, _ in tokens:
        if kind == "open":
            depth, key = depth + 1, ""
        elif kind == "close":
            depth -= 1
        elif depth == 1 and kind == "word" and not key:
            key = token
        elif depth == 1 and kind != "colon":
            fields.setdefault(key, _unquoted(token) if kind == "text" else token)
            key = ""
        if depth == 0:
            return fields
    return None


def _add_item(names: dict[int, str], fields: Mapping[str, str], *, path: Path, line: int) -> None:
    class_id = fields.get("id", "")
    name = fields.get("display_name") or fields.get("name")
    if not _ID.fullmatch(class_id) or name is None:
        raise _bad(path, line, "an item needs an id that is a number, and a name")
    _add(names, int(class_id), name, path=path, line=line)


_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))")


def _unquoted(token: str) -> str:
    """The text between quotes; its escapes are bytes of UTF-8, as the text form of protocol buffers has them."""

    def plain(match: re.Match[bytes]) -> bytes:
        octal, hexadecimal, character = match.groups()
        if octal or hexadecimal:
            return bytes([int(octal, 8) & 0xFF if octal else int(hexadecimal, 16)])
        return {b"n": b"\n", b"t": b"\t", b"r": b"\r"}.get(character, character)

    return _ESCAPE.sub(plain, token[1:-1].encode("utf-8", errors="replace")).decode("utf-8", errors="replace")
