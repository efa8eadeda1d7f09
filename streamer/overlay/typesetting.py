"""Lines of text in any script: which face draws which letters, in which order they stand, and how they fit their line.

lettering.py calls it for what is not plain ASCII. The order is that of the Unicode Bidirectional Algorithm, by
python-bidi (https://www.unicode.org/reports/tr9/).
"""

import logging
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from streamer.errors import ConfigError
from streamer.overlay.fonts import find_font
from streamer.overlay.typefaces import BuiltIn, Face, Ink, Mask, Outlines, script

logger = logging.getLogger(__name__)

_BUILT_IN = BuiltIn()
_SEARCHES = 64
"""After so many letters that no font has, none is looked for any more: each search takes 10 ms or more."""

_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))


@dataclass(frozen=True, slots=True)
class _Letter:
    """One letter with its marks, the face that draws it, and its script; the face is None where none can."""

    cluster: str
    face: Face | None
    script: str


class Typesetter:
    """Sets lines in the faces that are there. Safe to use from several threads.

    chosen: a font that comes first. find: finds a font for a letter that no face so far has.
    """

    def __init__(self, chosen: Face | None = None, *, find: Callable[[str], Face | None] = find_font) -> None:
        self._chosen = chosen
        self._find = find
        self._found: list[Face] = []
        self._missing: set[str] = set()
        self._told = False
        self._lock = Lock()

    def drawable(self, text: str, *, plain: Callable[[str], str]) -> str:
        """`text` with `plain(letter)` in the place of letters that no face has, which is said once in the log."""
        with self._lock:
            letters = self._letters(text)
        if all(letter.face is not None for letter in letters):
            return "".join(letter.cluster for letter in letters)
        self._tell(text)
        kept = (plain(letter.cluster) if letter.face is None else letter.cluster for letter in letters)
        return " ".join("".join(kept).split())

    def line(self, text: str, cap: int, *, above_px: int, below_px: int) -> Mask:
        """`text` on one line, with `above_px` over its baseline and `below_px` under it.

        What reaches further, as marks over marks do, is moved into the line, and made smaller where it is too high.
        Letters that no face has are left out.
        """
        with self._lock:
            inks = [face.ink(run, cap, right_to_left=turned) for run, face, turned in _runs(self._letters(text))]
        return _in_line(_joined(inks), above_px=above_px, below_px=below_px)

    def _letters(self, text: str) -> list[_Letter]:
        clusters = list(_clusters(text))
        face = self._face(next((cluster for cluster in clusters if not cluster.isascii()), ""), None)
        writing = ""
        letters = []
        for cluster in clusters:
            face = self._face(cluster, face)
            writing = script(cluster[0]) or writing
            letters.append(_Letter(cluster, face, writing))
        return letters

    def _face(self, cluster: str, last: Face | None) -> Face | None:
        """The chosen one, else OpenCV's, as all other text has it, else the one of the letter before."""
        for face in (self._chosen, _BUILT_IN if _BUILT_IN.has("é") else None, last, *self._found, _BUILT_IN):
            if face is not None and face.has(cluster):
                return face
        if cluster in self._missing or len(self._missing) >= _SEARCHES:
            return None
        found = self._find(cluster)
        if found is None:
            self._missing.add(cluster)
        else:
            self._found.append(found)
        return found

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            logger.warning(
                "no font here has all letters of %r: what is missing is left out, or loses its accents. Install a font "
                "that has them (Debian: fonts-noto-core for most scripts, fonts-noto-cjk for Chinese, Japanese and "
                "Korean), or name one with --font",
                text,
            )


@lru_cache(maxsize=8)
def typesetter(font: Path | None) -> Typesetter:
    """The one that puts the font in this file first. Raises ConfigError where it is none."""
    if font is None:
        return Typesetter()
    try:
        return Typesetter(Outlines(font))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(reason, where=str(font), hint="--font takes a .ttf, .otf or .ttc file") from error


def _clusters(text: str) -> Iterator[str]:
    """Letters with the marks that stand on them; characters that cannot be seen are left out, as printable does."""
    cluster = ""
    for character in unicodedata.normalize("NFC", text):
        kind = " " if character.isspace() else unicodedata.category(character)[0]
        if kind == "C":
            continue
        if cluster and kind != "M":
            yield cluster
            cluster = ""
        cluster += " " if kind == " " else character
    if cluster:
        yield cluster


def _runs(letters: Sequence[_Letter]) -> list[tuple[str, Face, bool]]:
    """Text, face, and whether it is read from the right, of each run, from left to right as they are seen."""
    levels = _levels([letter.cluster for letter in letters])
    drawn = [(level, letter) for level, letter in zip(levels, letters, strict=True) if letter.face is not None]
    runs = [
        (level, "".join(letter.cluster for _, letter in group), face)
        for (level, face, _), group in groupby(drawn, key=lambda pair: (pair[0], pair[1].face, pair[1].script))
        if face is not None
    ]
    for level in range(max(levels, default=0), 0, -1):
        runs = _turned(runs, level)
    return [(text, face, level % 2 == 1) for level, text, face in runs]


def _turned(runs: Sequence[tuple[int, str, Face]], level: int) -> list[tuple[int, str, Face]]:
    """Rule L2: what has this level or a higher one stands the other way round."""
    turned: list[tuple[int, str, Face]] = []
    for is_turned, group in groupby(runs, key=lambda run: run[0] >= level):
        together = list(group)
        turned += together[::-1] if is_turned else together
    return turned


def _levels(clusters: Sequence[str]) -> list[int]:
    """The embedding level of each cluster: odd where it is read from right to left."""
    if not any(unicodedata.bidirectional(cluster[0]) in _RIGHT_TO_LEFT for cluster in clusters):
        return [0] * len(clusters)
    from bidi import algorithm  # noqa: PLC0415 - seldom wanted

    bases = "".join(cluster[0] for cluster in clusters)
    storage = algorithm.get_empty_storage()
    storage["base_level"] = algorithm.get_base_level(bases)
    storage["base_dir"] = "LR"[storage["base_level"]]
    algorithm.get_embedding_levels(bases, storage)
    characters = list(storage["chars"])
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, debug=False)
    algorithm.resolve_implicit_levels(storage, debug=False)
    return [int(character["level"]) for character in characters]


def _joined(inks: Sequence[Ink]) -> Ink:
    """The runs side by side on their baseline."""
    pens = [0, *accumulate(ink.advance for ink in inks)]
    spots = [(pen + ink.left, ink.top, ink.mask) for pen, ink in zip(pens, inks, strict=False)]
    left = min((x for x, _, _ in spots), default=0)
    top = min((y for _, y, _ in spots), default=0)
    right = max((x + mask.shape[1] for x, _, mask in spots), default=1)
    bottom = max((y + mask.shape[0] for _, y, mask in spots), default=1)
    joined = np.zeros((bottom - top, right - left), np.uint8)
    for x, y, mask in spots:
        under = joined[y - top : y - top + mask.shape[0], x - left : x - left + mask.shape[1]]
        np.maximum(under, mask, out=under)
    return Ink(joined, left, top, pens[-1])


def _in_line(ink: Ink, *, above_px: int, below_px: int) -> Mask:
    """The ink on a line of its own, moved or made smaller where it would reach out of it."""
    high = above_px + below_px
    rows = np.flatnonzero(ink.mask.any(axis=1))
    if not len(rows):
        return np.zeros((high, max(1, ink.mask.shape[1])), np.uint8)
    mask = ink.mask[rows[0] : rows[-1] + 1]
    top = above_px + ink.top + int(rows[0])
    if len(mask) > high:
        width = max(1, round(mask.shape[1] * high / len(mask)))
        mask = np.asarray(cv2.resize(mask, (width, high), interpolation=cv2.INTER_AREA), np.uint8)
    top = min(max(0, top), high - len(mask))
    line = np.zeros((high, mask.shape[1]), np.uint8)
    line[top : top + len(mask)] = mask
    return line
