"""The report of an inspection: one screen that says what was decided, why, and what is open."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamer.errors import ModelLoadError, SignatureError
from streamer.frame import Detections
from streamer.inspection.findings import Inspection, Looked, TensorFact, Trial
from streamer.inspection.report import COLUMNS, report
from streamer.models.plan import Choice
from streamer.models.signature import TensorSpec
from tests.inspection.samples import boxes, inspection, looked, picture, plan, with_looked

LINES = 42
"""About one screen."""

DECIDED = """\
model      finder.tflite
form       TFLite, 3.7 MB, 1,234,567 parameters; written by TensorFlow 2.9.1
safety     nothing outside the list of what detectors need
signature  serving_default; there are also other (--signature)
input      image  float32 [1,320,320,3]  image: its only input
outputs    detection_boxes      float32 [1,100,4]             boxes: its name
           detection_scores     float32 [1,100]               scores: its name
           raw_detection_boxes  int8 [1,?,4] = 0.1 * (q - 3)  not read
chosen       layout         nhwc     its shape
             size           320x320  its shape
             fit            stretch  usual for one size
           ? channel order  rgb      usual; --image PIC tries them
           ? scale          0..1     usual for float32; --image PIC tries them
head       finished boxes, yxyx in fractions
labels     labels.txt, 2 names, offset +1
runtime    LiteRT 1.4 CPU, 23 ms a picture here
run says   TFLite serving_default: image float32 [1,320,320,3] as RGB? 0..1? at 320x320 stretched"""

SEEN = """\
believed   scale -1..1, channel order rgb: fairly sure (.93)
           looked at 1 picture: 2 detections
tried      * scale -1..1, channel order rgb     .90  2 boxes, best person .98
             scale 0..1, channel order rgb      .08  1 box, best #7 .50
             scale 0..255, channel order rgb    .02  0 boxes
seen       person            .98  20,20 to 120,160 px  in street.jpg
           dog               .61  150,40 to 300,180 px  in street.jpg"""


def told(found: Inspection) -> list[str]:
    return [str(line) for line in report(found)]


def marked(found: Inspection, mark: str) -> str:
    return "\n".join(str(line) for line in report(found) if line.mark == mark)


def test_a_model_that_was_understood_is_told_whole() -> None:
    assert "\n".join(told(inspection())) == DECIDED


def test_what_was_seen_on_pictures_comes_before_the_line_of_a_run() -> None:
    text = "\n".join(told(with_looked()))
    assert SEEN in text
    assert text.index("seen ") < text.index("run says")
    assert "usual; still open" in text


def test_what_is_open_is_marked_and_what_is_usual_is_not() -> None:
    assert [line.split()[1] for line in marked(inspection(), "open").splitlines()] == ["channel", "scale"]


@pytest.mark.parametrize(
    ("sureness", "words", "mark"),
    [
        (0.97, "believed   scale -1..1, channel order rgb: sure (.97)", "good"),
        (0.8, "believed   scale -1..1, channel order rgb: fairly sure (.80)", "good"),
        (0.65, "likeliest  scale -1..1, channel order rgb: likely (.65)", "open"),
        (0.1, "likeliest  scale -1..1, channel order rgb: a guess (.10)", "open"),
    ],
)
def test_a_guess_does_not_look_like_a_fact(sureness: float, words: str, mark: str) -> None:
    line = next(line for line in report(with_looked(sureness=sureness)) if str(line) == words)
    assert line.mark == mark


@pytest.mark.parametrize(("taken", "mark"), [(0, "good"), (1, "open")])
def test_what_is_usual_holds_whatever_the_pictures_say(taken: int, mark: str) -> None:
    seen = looked()
    trials = tuple(replace(trial, taken=number == taken) for number, trial in enumerate(seen.trials))
    lines = report(replace(inspection(), looked=replace(seen, trials=trials, checked=True)))
    line = next(line for line in lines if line.head == "checked")
    assert line.mark == mark
    assert ("as is usual" if taken == 0 else "the pictures speak for scale -1..1") in line.text
    boxes_seen = [line for line in lines if line.head == "seen"]
    assert ("person" if taken == 0 else "#7") in boxes_seen[0].text


def test_a_refused_model_is_told_with_its_facts_and_the_reason() -> None:
    concern = "it contains operations that read or write files: WriteFile in the function 'f'"
    failure = ModelLoadError(f"the model is refused: {concern}", where="m", hint="--trust-model runs it all the same")
    found = Inspection(path=Path("refused"), form="SavedModel", size_bytes=57_184, concerns=(concern,), failure=failure)
    text = "\n".join(told(found))
    assert "form       SavedModel, 57 kB" in text
    assert "safety     it contains operations that read or write files: WriteFile" in text
    assert "refused    --trust-model runs it all the same" in text
    assert "outputs" not in text
    assert "run says" not in text


def test_a_trusted_model_still_shows_its_concerns() -> None:
    found = replace(inspection(), concerns=("it contains operations that print",), trusted=True)
    assert "safety     trusted, though it contains operations that print" in told(found)


def test_a_model_that_is_no_detector_is_told_without_decisions() -> None:
    failure = SignatureError("the signature 'x' is not a detector's: it gives no boxes", hint="its outputs: corners")
    outputs = (TensorFact(TensorSpec("corners", "float32", (1, 8))),)
    found = replace(inspection(), plan=None, naming=None, line="", run_ms=None, outputs=outputs, failure=failure)
    text = "\n".join(told(found))
    assert "outputs    corners  float32 [1,8]\n" in text
    assert "unusable   the signature 'x' is not a detector's: it gives no boxes (its outputs: corners)" in text
    assert "chosen" not in text


def flooded() -> Inspection:
    """All of it at its longest."""
    long = "a_name_that_goes_on_and_on/" * 6
    outputs = tuple(TensorFact(TensorSpec(f"{long}{n}", "float32", (1, 12804, 91))) for n in range(30))
    rows = [(5.0 * n, 5.0, 5.0 * n + 40, 90.0, 0.9 - n / 100, 1) for n in range(40)]
    found = boxes(*rows)
    trials = [Trial(f"{long} {n}", 1.0 / (n + 1), (found, found), taken=n == 0) for n in range(24)]
    seen = Looked(
        (long, "b.jpg"), (picture(), picture()), tuple(trials), {"scale": 0.5}, reason="nearly as good: the second"
    )
    choices = tuple(Choice(f"choice {n}", "value", f"why {long}", is_open=True) for n in range(9))
    return replace(
        inspection(),
        outputs=outputs,
        looked=seen,
        plan=replace(plan(), choices=choices),
        signatures=tuple(f"signature_{n}" for n in range(50)),
        line=" ".join(["word"] * 60),
    )


def test_the_longest_report_is_about_one_screen() -> None:
    lines = told(flooded())
    assert max(map(len, lines)) <= COLUMNS
    assert len(lines) <= LINES + 12
    text = "\n".join(lines)
    assert "and 21 more" in text
    assert "and 18 more" in text
    assert "and 72 more" in text


def test_an_ordinary_report_with_pictures_is_one_screen() -> None:
    assert len(told(with_looked())) <= LINES


def test_names_from_the_file_cannot_speak_to_the_terminal() -> None:
    evil = "\x1b[2J\rgone"
    seen = replace(
        looked(), names=(f"{evil}.jpg",), reason="", trials=(Trial(evil, 1.0, looked().best.detections, taken=True),)
    )
    found = replace(
        inspection(),
        writer=evil,
        signature=evil,
        signatures=(evil, f"{evil}2"),
        outputs=(TensorFact(TensorSpec(evil, "float32", None)),),
        looked=seen,
    )
    assert all(character.isprintable() for line in told(found) for character in line)


def test_seeing_nothing_is_said() -> None:
    nothing = replace(looked(), trials=(Trial("scale 0..1", 1.0, (Detections.empty(),), taken=True),))
    lines = told(replace(inspection(), looked=nothing))
    assert "seen       nothing" in lines
    assert not any(line.startswith("tried") for line in lines)
