"""An inspection in lines for people: one screen, 100 columns. The verb inspect prints and colours it.

What decides how many rows of a kind are shown is that all of it shall be seen at once; as JSON there is no limit.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streamer.errors import StreamerError
from streamer.frame import Detections
from streamer.inspection.findings import Inspection, Looked, TensorFact, Trial
from streamer.inspection.words import share_words, size_words, trial_words, verdict_words
from streamer.labels import Labels
from streamer.models.plan import Choice
from streamer.text import printable

COLUMNS = 100

MAX_TENSORS = 9
"""The most inputs or outputs that are shown; those that are not read are left out first."""

MAX_TRIALS = 6
MAX_SEEN = 8

MAX_CHARS = 800
"""Of what goes on over several lines."""

_MARGIN = 11

Mark = Literal["", "open", "bad", "good"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report. head: the first word, `outputs`, empty on lines that go on. mark: what to make of it."""

    head: str
    text: str
    mark: Mark = ""

    def __str__(self) -> str:
        return f"{self.head:<{_MARGIN}}{self.text}".rstrip()


def report(inspection: Inspection, *, written: Mapping[str, Path] | None = None) -> list[Line]:
    """The whole report; no line is longer than COLUMNS, but for the paths of what was written, by what that is."""
    lines = [Line("model", printable(inspection.path.name or str(inspection.path), limit=COLUMNS - _MARGIN))]
    lines += _wrapped("form", _form(inspection))
    lines += _safety(inspection)
    if inspection.signature:
        lines += _wrapped("signature", _signature(inspection))
    if inspection.signature or inspection.inputs:
        unread = "" if inspection.plan is None else "not read"
        lines += _tensors("input" if len(inspection.inputs) == 1 else "inputs", inspection.inputs, unread=unread)
        lines += _tensors("outputs", inspection.outputs, unread=unread)
    lines += _decisions(inspection)
    if inspection.looked is not None:
        lines += _looked(inspection, inspection.looked)
    if inspection.failure is not None:
        lines += _failure(inspection, inspection.failure)
    lines += [Line(what, f"{path} written") for what, path in (written or {}).items()]
    if inspection.line:
        lines += _wrapped("run says", inspection.line)
    return lines


def _form(inspection: Inspection) -> str:
    parts = [inspection.form, size_words(inspection.size_bytes)]
    if inspection.parameters is not None:
        parts.append(f"{inspection.parameters:,} parameter{'' if inspection.parameters == 1 else 's'}")
    writer = f"; written by {printable(inspection.writer)}" if inspection.writer else ""
    return ", ".join(parts) + writer


def _safety(inspection: Inspection) -> Iterator[Line]:
    if not inspection.concerns:
        yield Line("safety", "nothing outside the list of what detectors need", "good")
        return
    verdict = "trusted, though " if inspection.trusted else ""
    yield from _wrapped("safety", f"{verdict}{'; '.join(inspection.concerns)}", mark="bad")


def _signature(inspection: Inspection) -> str:
    others = [printable(name) for name in inspection.signatures if name != inspection.signature]
    name = printable(inspection.signature)
    if not others:
        return f"{name}, the only one"
    more = f" and {len(others) - 4} more" if len(others) > 4 else ""
    return f"{name}; there are also {', '.join(others[:4])}{more} (--signature)"


def _tensors(head: str, facts: Sequence[TensorFact], *, unread: str) -> Iterator[Line]:
    shown = facts[:MAX_TENSORS]
    if not shown:
        yield Line(head, "none", "bad")
    names = [printable(fact.spec.name, limit=40) for fact in shown]
    kinds = [_kind(fact) for fact in shown]
    name_width, kind_width = max(map(len, names), default=0), max(map(len, kinds), default=0)
    for number, (fact, name, kind) in enumerate(zip(shown, names, kinds, strict=True)):
        part = f"{fact.role}: {fact.why}" if fact.why else fact.role or unread
        text = f"{name:<{name_width}}  {kind:<{kind_width}}  {part}"
        yield Line("" if number else head, printable_line(text.rstrip()))
    if len(facts) > len(shown):
        yield Line("", f"and {len(facts) - len(shown)} more")


def _kind(fact: TensorFact) -> str:
    spec = fact.spec
    shape = "any rank" if spec.shape is None else f"[{','.join('?' if n is None else str(n) for n in spec.shape)}]"
    if spec.quantization is None:
        return f"{spec.dtype} {shape}"
    return f"{spec.dtype} {shape} = {spec.quantization.scale:.4g} * (q - {spec.quantization.zero_point})"


def _decisions(inspection: Inspection) -> Iterator[Line]:
    plan = inspection.plan
    if plan is not None:
        yield from _choices(plan.choices, hint="still open" if inspection.looked else "--image PIC tries them")
        yield from _wrapped("head", plan.head.describe())
        if plan.card:
            yield from _wrapped("card", printable(plan.card))
    if inspection.naming is not None:
        yield from _wrapped("labels", inspection.naming.origin)
        if inspection.naming.misfit:
            yield from _wrapped("", inspection.naming.misfit, mark="bad")
    if inspection.runtime:
        took = "" if inspection.run_ms is None else f", {inspection.run_ms:.0f} ms a picture here"
        yield from _wrapped("runtime", inspection.runtime + took)


def _choices(choices: Sequence[Choice], *, hint: str) -> Iterator[Line]:
    what_width = max((len(choice.what) for choice in choices), default=0)
    value_width = max((len(choice.value) for choice in choices), default=0)
    for number, choice in enumerate(choices):
        sign, more = ("?", f"; {hint}") if choice.is_open else (" ", "")
        text = f"{sign} {choice.what:<{what_width}}  {choice.value:<{value_width}}  {choice.why}{more}"
        yield Line("" if number else "chosen", printable_line(text), "open" if choice.is_open else "")


def _looked(inspection: Inspection, looked: Looked) -> Iterator[Line]:
    head, text = verdict_words(looked)
    agree = looked.is_sure and (not looked.checked or looked.trials[0].taken)
    yield from _wrapped(head, text, mark="good" if agree else "open")
    if looked.reason:
        yield from _wrapped("", looked.reason)
    yield from _trials(looked.trials, inspection.labels)
    yield from _seen(inspection, looked)


def _trials(trials: Sequence[Trial], labels: Labels) -> Iterator[Line]:
    if len(trials) == 1:
        return
    width = min(max(len(trial.words) for trial in trials[:MAX_TRIALS]), 60)
    for number, trial in enumerate(trials[:MAX_TRIALS]):
        sign = "*" if trial.taken else " "
        words, seen = printable(trial.words, limit=60), trial_words(trial, labels)
        text = f"{sign} {words:<{width}}  {share_words(trial.share):>5}  {seen}"
        yield Line("" if number else "tried", printable_line(text), "good" if trial.taken else "")
    if len(trials) > MAX_TRIALS:
        yield Line("", f"  and {len(trials) - MAX_TRIALS} more")


def _seen(inspection: Inspection, looked: Looked) -> Iterator[Line]:
    rows = [
        row for name, found in zip(looked.names, looked.seen, strict=True) for row in _rows(inspection, name, found)
    ]
    if not rows:
        yield Line("seen", "nothing")
    for number, row in enumerate(rows[:MAX_SEEN]):
        yield Line("" if number else "seen", printable_line(row))
    if len(rows) > MAX_SEEN:
        yield Line("", f"and {len(rows) - MAX_SEEN} more")


def _rows(inspection: Inspection, name: str, found: Detections) -> Iterator[str]:
    for box, score, class_id in zip(found.boxes.tolist(), found.scores.tolist(), found.class_ids.tolist(), strict=True):
        x1, y1, x2, y2 = (round(side) for side in box)
        label = printable(inspection.labels.name(class_id), limit=24)
        yield f"{label:<16} {share_words(score):>4}  {x1},{y1} to {x2},{y2} px  in {printable(name, limit=40)}"


def _failure(inspection: Inspection, failure: StreamerError) -> Iterator[Line]:
    if inspection.concerns and not inspection.trusted:
        yield from _wrapped("refused", failure.hint or failure.what, mark="bad")
    else:
        hint = "" if failure.hint is None else f" ({failure.hint})"
        yield from _wrapped("unusable", failure.what + hint, mark="bad")


def printable_line(text: str) -> str:
    """Cut to the room that a line has, its columns kept."""
    room = COLUMNS - _MARGIN
    return text if len(text) <= room else text[: room - 1] + "…"


def _wrapped(head: str, text: str, *, mark: Mark = "") -> Iterator[Line]:
    parts = textwrap.wrap(printable(text, limit=MAX_CHARS), COLUMNS - _MARGIN, break_on_hyphens=False) or [""]
    for number, part in enumerate(parts):
        yield Line("" if number else head, part, mark)
