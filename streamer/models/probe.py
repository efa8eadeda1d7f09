"""What a model leaves open, decided by looking at pictures: every way is tried and compared by what it shows.

What the model, its card or a flag says is never questioned, nor what its dtype forbids. Called where a model is opened
for a run, and by `streamer inspect --image`. scripts/bench/probe.py measures how often it is right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from streamer.frame import Image
from streamer.models.loaded import Graph
from streamer.models.plan import FIRST_CLASS_ID, Choice, Plan
from streamer.models.probing.class_ids import first_class_id
from streamer.models.probing.evidence import shares
from streamer.models.probing.looking import Look, look_at
from streamer.models.probing.verdict import Candidate, Verdict
from streamer.models.probing.ways import varied, ways_of

LIKELY = 0.5
"""Above this sureness an answer replaces what was taken as usual: it is likelier than all others together."""

SURE_ENOUGH = 0.8
"""From this sureness a choice is no longer open."""

MAX_PICTURES = 4
"""More are not looked at: each costs two runs for every way of feeding the model, and two more for the likeliest."""


Questions = Literal["open", "usual"]


def probe(
    graph: Graph, plan: Plan, pictures: Sequence[Image], *, questions: Questions = "open", conf: float = 0.3
) -> Verdict:
    """Try what the plan leaves open on photographs, best of what the model was made to find.

    pictures: (H, W, 3) uint8 BGR each, at least one; the first MAX_PICTURES are looked at. Where range and colour order
    are open the graph is run 32 times for one picture, 56 for two. Ways of reading its outputs cost no run.
    questions: `open`, what nothing says; `usual`, what only the family of the model says as well. conf: the lowest
    score of the candidates' detections.

    Raises ModelError when the model fails, ValueError for no picture.
    """
    if not pictures:
        raise ValueError("there is no picture to look at")
    shown = pictures[:MAX_PICTURES]
    asked = [choice.what for choice in plan.choices if choice.is_open or (questions == "usual" and choice.is_usual)]
    looks, runs = look_at(graph, ways_of(plan, asked), shown, conf=conf)
    candidates = _ranked(looks)
    best = candidates[0]
    sureness = {what: _marginal(candidates, what) for what in best.answers}
    why = f"looked at {len(shown)} picture{'' if len(shown) == 1 else 's'}"
    decided = _decided(plan, best.answers, sureness, why)
    if FIRST_CLASS_ID in asked:
        seen = next(look.class_ids for look in looks if look.way.plan is best.plan)
        decided, sureness[FIRST_CLASS_ID] = _with_first_class(decided, seen, why)
    reason = _reason(best, sureness, why)
    return Verdict(decided, MappingProxyType(sureness), candidates, reason, runs)


def _ranked(looks: Sequence[Look]) -> tuple[Candidate, ...]:
    """The likeliest first; of equals, the more usual."""
    figures, soundness = (
        np.array(rows) for rows in zip(*((look.figures, look.soundness) for look in looks), strict=True)
    )
    likely = shares(figures, soundness, [look.way.weight for look in looks]).tolist()
    candidates = [
        Candidate(
            words=str(look.way),
            answers=look.way.answers,
            plan=look.way.plan,
            figure=float(np.mean(look.figures)),
            share=share,
            detections=look.detections,
        )
        for look, share in zip(looks, likely, strict=True)
    ]
    return tuple(sorted(candidates, key=lambda candidate: -candidate.share))


def _marginal(candidates: Sequence[Candidate], what: str) -> float:
    """How likely the best one's answer to one question is, whatever the others are."""
    answer = candidates[0].answers[what]
    return min(1.0, sum(candidate.share for candidate in candidates if candidate.answers[what] == answer))


def _decided(plan: Plan, answers: Mapping[str, str], sureness: Mapping[str, float], why: str) -> Plan:
    """The plan with those of the answers that are likely; others stay as usual, and open."""
    likely = {what: answer for what, answer in answers.items() if sureness[what] > LIKELY}
    choices = tuple(
        _answered(choice, likely[choice.what], sureness[choice.what], why) if choice.what in likely else choice
        for choice in plan.choices
    )
    return replace(varied(plan, likely), choices=choices)


def _answered(choice: Choice, answer: str, sureness: float, why: str) -> Choice:
    if sureness >= SURE_ENOUGH:
        return Choice(choice.what, answer, why)
    return Choice(choice.what, answer, f"{why}, likely", is_open=True)


def _with_first_class(plan: Plan, seen: frozenset[int], why: str) -> tuple[Plan, float]:
    first, sureness, reason = first_class_id(seen, class_count=plan.class_count)
    choices = tuple(
        _answered(choice, str(first), sureness, f"{why}: {reason}") if choice.what == FIRST_CLASS_ID else choice
        for choice in plan.choices
    )
    return replace(plan, first_class_id=first, choices=choices), sureness


def _reason(best: Candidate, sureness: Mapping[str, float], why: str) -> str:
    """What was seen, and what it did not decide."""
    count = sum(map(len, best.detections))
    told = f"{why}: {count} detection{'' if count == 1 else 's'}"
    unsure = ", ".join(what for what, share in sureness.items() if share < SURE_ENOUGH)
    return f"{told}; not sure of: {unsure}" if unsure else told
