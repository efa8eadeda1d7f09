"""When something happens: an expression over what is seen, and how long a thing that happens goes on.

    person                          a person is seen
    person score > 0.8              one with such a score
    "traffic light" or car          names with blanks stand in quotes
    any score >= 0.9                whatever it is
    count(person) >= 2 and not dog  as many, and none of those

It is read once, against the names that the model knows, and holds or does not for the detections of a frame. clips.py
and recorder.py ask it; nothing of it runs as code.
"""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.frame import Detections, Result
from streamer.labels import Labels
from streamer.text import printable

Mask = NDArray[np.bool_]
"""(N,) bool: which detections are meant."""

_Select = Callable[[Detections], Mask]
_Holds = Callable[[Detections], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<op>>=|<=|==|=|!=|>|<|\(|\))|"(?P<dq>[^"]*)"|'(?P<sq>[^']*)'|(?P<word>[^\s()<>=!"']+))"""
)
_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
}
_WORDS = frozenset({"and", "or", "not", "count", "score", "any"})
_LONGEST = 1000
_DEEPEST = 50


class Condition:
    """`text`, read. labels: the names that it may use, None where they are not known yet; where: for messages.

    Raises ConfigError: it cannot be read, or names what the model does not know.
    """

    def __init__(self, text: str, labels: Labels | None, *, where: str = "--clip-on") -> None:
        self.text = printable(text, limit=200)
        reader = _Reader(text, labels, where)
        self._holds = reader.whole()
        self._selects = tuple(reader.selects)

    def holds(self, detections: Detections) -> bool:
        """Whether it does for what was seen on a frame."""
        return self._holds(detections)

    def meant(self, detections: Detections) -> Mask:
        """(N,) which of the detections it speaks of, whether or not it holds."""
        meant = np.zeros(len(detections), bool)
        for select in self._selects:
            meant |= select(detections)
        return meant


@runtime_checkable
class Watching(Protocol):
    """A sink that waits for something to happen, and may be told to wait for something else while it goes on."""

    def watch_for(self, condition: Condition, *, pre_s: float, post_s: float) -> None:
        """From its next frame on; from any thread. pre_s, post_s: what is kept from before and after it."""


class Happening:
    """A thing that happens, from the first frame on which `condition` holds until it has not held for `gap_s`.

    So an object that the model loses for a moment does not make two of one.
    """

    def __init__(self, condition: Condition, *, gap_s: float) -> None:
        self.condition = condition
        self._gap_s = gap_s
        self._last_s: float | None = None

    def becomes(self, condition: Condition, *, gap_s: float) -> None:
        """Another condition from the next frame on."""
        self.condition, self._gap_s = condition, gap_s

    def begins(self, result: Result, time_s: float) -> bool:
        """Whether it begins on this frame, which is shown at `time_s`; frames come in the order of time."""
        going_on = self.goes_on(time_s)
        if not self.holds_on(result):
            return False
        self._last_s = time_s
        return not going_on

    def holds_on(self, result: Result) -> bool:
        """Whether the condition holds on this frame; not where nobody could look."""
        return not result.failed and result.detections.looked and self.condition.holds(result.detections)

    def goes_on(self, time_s: float) -> bool:
        """Whether it has begun, and not ended before `time_s`; time that leaps back ends it."""
        return self._last_s is not None and 0 <= time_s - self._last_s <= self._gap_s


class _Reader:
    """A recursive descent over the words: or, and, not, and what they join."""

    def __init__(self, text: str, labels: Labels | None, where: str) -> None:
        self.selects: list[_Select] = []
        self._labels = labels
        self._where = where
        if len(text) > _LONGEST:
            raise self._wrong(f"is longer than {_LONGEST} characters")
        self._tokens = self._split(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> _Holds:
        if not self._tokens:
            raise self._wrong("says nothing")
        holds = self._either()
        if self._at < len(self._tokens):
            raise self._wrong(f"cannot be read from {printable(self._tokens[self._at][0])!r} on")
        return holds

    def _either(self) -> _Holds:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong("is nested too deeply")
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda seen: any(part(seen) for part in parts)

    def _all(self) -> _Holds:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda seen: all(part(seen) for part in parts)

    def _one(self) -> _Holds:
        negated = False
        while self._take("not"):
            negated = not negated
        holds = self._plain()
        return (lambda seen: not holds(seen)) if negated else holds

    def _plain(self) -> _Holds:
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        if self._take("count"):
            self._expect("(")
            select = self._select()
            self._expect(")")
            compare, number = self._comparison("a number of objects")
            return lambda seen: compare(float(np.count_nonzero(select(seen))), number)
        select = self._select()
        return lambda seen: bool(select(seen).any())

    def _select(self) -> _Select:
        name, quoted = self._next("the name of a class, any or count(...)")
        if not quoted and name in {"(", ")", *_COMPARISONS, *(_WORDS - {"any"})}:
            raise self._wrong(f"has {name!r} where a class should be named")
        if self._labels is None or (name == "any" and not quoted):
            ids: NDArray[np.int32] | None = None
        else:
            ids = np.fromiter(self._labels.ids([name], where=self._where), np.int32)
        floor: Callable[[Detections], Mask] | None = None
        if self._take("score"):
            compare, number = self._comparison("a score")
            least = np.float32(number)  # as the scores are: .8 is not more than .8
            floor = lambda seen: np.array([compare(score, least) for score in seen.scores], bool)  # noqa: E731

        def select(seen: Detections) -> Mask:
            mask = np.ones(len(seen), bool) if ids is None else np.isin(seen.class_ids, ids)
            return mask if floor is None else mask & floor(seen)

        self.selects.append(select)
        return select

    def _comparison(self, what: str) -> tuple[Callable[[Any, Any], Any], float]:
        sign, _ = self._next("a comparison such as >=")
        if sign not in _COMPARISONS:
            raise self._wrong(f"has {printable(sign)!r} where a comparison such as >= should be")
        word, _ = self._next(what)
        try:
            number = float(word)
        except ValueError:
            raise self._wrong(f"has {printable(word)!r} where {what} should be") from None
        return _COMPARISONS[sign], number

    def _next(self, wanted: str) -> tuple[str, bool]:
        if self._at >= len(self._tokens):
            raise self._wrong(f"ends where {wanted} should be")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (word, False):
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._wrong(f"lacks a {word!r}")

    def _split(self, text: str) -> Sequence[tuple[str, bool]]:
        tokens: list[tuple[str, bool]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong(f"cannot be read from {printable(text[at:].strip())!r} on")
            quoted = match["dq"] if match["dq"] is not None else match["sq"]
            tokens.append((match["op"] or match["word"], False) if quoted is None else (quoted, True))
            at = match.end()
        return tokens

    def _wrong(self, what: str) -> ConfigError:
        return ConfigError(
            f"the condition {what}",
            where=self._where,
            hint='such as: person, "traffic light", count(car score>.6) >= 2',
        )
