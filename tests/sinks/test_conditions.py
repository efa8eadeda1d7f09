"""Conditions: what they mean, and that what cannot be read is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.frame import Detections, Frame, Result
from streamer.labels import Labels
from streamer.sinks.conditions import Condition, Happening
from tests.sinks.scenes import grey

LABELS = Labels({1: "person", 2: "traffic light", 3: "dog", 4: "and", 5: "人"})


def seen(*objects: tuple[int, float]) -> Detections:
    if not objects:
        return Detections.empty()
    boxes = [(10.0 * n, 10.0, 10.0 * n + 8, 30.0) for n in range(len(objects))]
    scores, ids = [score for _, score in objects], [class_id for class_id, _ in objects]
    return Detections.from_raw(boxes, scores, ids, size_px=(160, 120))


@pytest.mark.parametrize(
    ("text", "objects", "holds"),
    [
        ("person", [(1, 0.5)], True),
        ("person", [(3, 0.5)], False),
        ("person", [], False),
        ("Person", [(1, 0.5)], True),
        ("人", [(5, 0.5)], True),
        ("#3", [(3, 0.5)], True),
        ('"traffic light"', [(2, 0.5)], True),
        ("'traffic light' or dog", [(3, 0.5)], True),
        ('"and" and person', [(4, 0.5)], False),
        ('"and" and person', [(4, 0.5), (1, 0.5)], True),
        ("any", [(3, 0.1)], True),
        ("not any", [], True),
        ("not not person", [(1, 0.5)], True),
        ("person score > .8", [(1, 0.8)], False),
        ("person score>=.8", [(1, 0.8125)], True),
        ("person score > 0.8", [(3, 0.9), (1, 0.5)], False),
        ("any score > 0.8", [(3, 0.9), (1, 0.5)], True),
        ("count(person) >= 2", [(1, 0.9), (1, 0.5)], True),
        ("count(person score > .8) >= 2", [(1, 0.9), (1, 0.5)], False),
        ("count(any) = 0", [], True),
        ("count(dog)!=1", [(3, 0.9)], False),
        ("person and not dog", [(1, 0.9), (3, 0.9)], False),
        ("person or dog and any score > .95", [(1, 0.9)], True),
        ("(person or dog) and any score > .95", [(1, 0.9)], False),
    ],
)
def test_it_holds_as_it_reads(text: str, objects: list[tuple[int, float]], *, holds: bool) -> None:
    assert Condition(text, LABELS).holds(seen(*objects)) is holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "says nothing"),
        ("persn", "no class is called 'persn'"),
        ("person dog", "cannot be read from 'dog' on"),
        ("person and", "ends where"),
        ("and person", "has 'and' where a class should be named"),
        ("(person", "lacks a '\\)'"),
        ("count person > 1", "lacks a '\\('"),
        ("count(person) 2", "has '2' where a comparison"),
        ("count(person) > many", "has 'many' where a number of objects should be"),
        ("person score > high", "has 'high' where a score should be"),
        ('"person', "cannot be read from"),
        ("(" * 60 + "person" + ")" * 60, "is nested too deeply"),
        ("person or " * 200 + "person", "is longer than"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        Condition(text, LABELS)
    assert "--clip-on" in str(raised.value)


def test_names_are_not_looked_up_while_no_model_is_known() -> None:
    Condition("anything and count(whatever) > 2", None)
    with pytest.raises(ConfigError, match="ends where"):
        Condition("anything and", None)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["person", "and", "not", "(", ")", "count", ">", "1"])).map(" ".join)
)
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        condition = Condition(text, LABELS)
    except ConfigError:
        return
    assert condition.holds(seen((1, 0.5))) in {True, False}


def test_what_it_speaks_of_is_told() -> None:
    meant = Condition("person score > .6 and not dog", LABELS).meant(seen((1, 0.9), (3, 0.8), (2, 0.7), (1, 0.5)))
    assert meant.tolist() == [True, True, False, False]


def test_something_happens_once_however_it_flickers() -> None:
    happening = Happening(Condition("person", LABELS), gap_s=1.0)
    times = {0.0: False, 0.5: True, 1.0: False, 1.4: True, 2.4: True, 3.5: True, 3.6: False, 0.1: True}
    began = [time_s for time_s, there in times.items() if happening.begins(_at(there=there), time_s)]
    assert began == [0.5, 3.5, 0.1]


def test_where_nobody_could_look_nothing_happens() -> None:
    nobody = Happening(Condition("not person", LABELS), gap_s=1.0)
    frame = Frame(grey(0), 0, 0)
    assert not nobody.begins(Result(frame, Detections.empty(), failed=True), 0.0)
    assert not nobody.begins(Result(frame, Detections.unknown()), 0.0)
    assert nobody.begins(Result(frame, Detections.empty()), 0.0)


def _at(*, there: bool) -> Result:
    return Result(Frame(grey(0), 0, 0), seen((1, 0.9)) if there else Detections.empty())
