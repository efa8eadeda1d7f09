"""The card that is written: all that was decided, with its reasons, and nothing that is still open."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamer.errors import SinkOpenError
from streamer.inspection.keeping import card_of, keep_card
from streamer.models.card import Card, InputCard
from streamer.models.card_files import read_card
from streamer.models.plan import Choice
from tests.inspection.samples import IMAGE, NAMES, inspection, plan


def decided(**changes: tuple[float, float, float] | str) -> Card:
    """The card where everything was decided, with changes to the input's plan."""
    known = plan()
    choices = tuple(replace(choice, is_open=False) for choice in known.choices)
    given = replace(known, choices=choices, input=replace(known.input, **changes))  # type: ignore[arg-type]
    return card_of(replace(inspection(), plan=given))[0]


def test_what_is_open_is_not_claimed_and_said_on_top() -> None:
    card, comments = card_of(inspection())
    assert card.input == InputCard(layout="nhwc", fit="stretch")
    assert "Still open: scale; taken is 0..1, usual for float32." in comments[""]
    assert "Still open: channel order" in comments[""]


def test_what_is_decided_stands_there() -> None:
    assert decided().input == InputCard(layout="nhwc", fit="stretch", channel_order="rgb", scale="0..1")


def test_a_mean_is_written_as_one() -> None:
    card = decided(mean=(123.0, 117.0, 104.0), std=(58.0, 57.0, 57.5))
    assert (card.input.mean, card.input.std, card.input.scale) == ((123.0, 117.0, 104.0), (58.0, 57.0, 57.5), None)


def test_what_the_integers_of_the_file_mean_is_left_to_the_file() -> None:
    known = plan()
    spec = replace(IMAGE, dtype="uint8")
    choices = (Choice("scale", "0..255", "uint8 takes pixels as they are"),)
    given = replace(known, choices=choices, input=replace(known.input, spec=spec))
    assert card_of(replace(inspection(), plan=given))[0].input.scale is None


def test_names_keep_the_ids_that_they_have() -> None:
    assert card_of(inspection())[0].labels == NAMES


def test_what_the_card_said_before_stays() -> None:
    own = Card(name="finder", licence="MIT", input=InputCard(multiple_of=32))
    card, _ = card_of(replace(inspection(), card=own))
    assert (card.name, card.licence, card.input.multiple_of) == ("finder", "MIT", 32)


def test_the_preset_is_named() -> None:
    assert card_of(replace(inspection(), plan=replace(plan(), card="model.yaml, preset ulfg")))[0].preset == "ulfg"


def test_it_is_written_beside_the_model_with_its_reasons_and_read_again(tmp_path: Path) -> None:
    known = replace(inspection(), path=tmp_path / "finder.tflite")
    path = keep_card(known)
    assert path == tmp_path / "finder.model.yaml"
    assert "# usual for one size" in path.read_text(encoding="utf-8")
    assert read_card(path).input.fit == "stretch"
    with pytest.raises(SinkOpenError, match="--force"):
        keep_card(known)
    assert keep_card(known, force=True) == path
