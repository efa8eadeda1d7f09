"""Where a model's card lies, and how it is read and written. What may stand in it is card.py's matter.

Called by opening.py, and by `streamer inspect --write-card`.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path

from streamer.errors import SinkOpenError
from streamer.models.card import Card
from streamer.models.card_reading import card_from
from streamer.models.card_text import card_text

NAME = "model.yaml"
"""In a SavedModel's folder, or beside the only model of a folder."""

_MODEL_FILES = frozenset({".pb", ".tflite", ".lite", ".keras", ".h5", ".hdf5"})


def find_card(model: Path) -> Path | None:
    """The card that lies with a model, if one does.

    For a folder, `model.yaml` in it; for a file, `NAME.model.yaml` beside it, else `model.yaml` beside it where no
    other model lies.
    """
    for path in (model / NAME,) if model.is_dir() else (_own(model), _shared(model)):
        if path is not None and path.is_file():
            return path
    return None


def card_path(model: Path) -> Path:
    """Where a model's card belongs: where it lies, or where `find_card` would look for it first."""
    return find_card(model) or (model / NAME if model.is_dir() else _own(model))


def read_card(path: Path) -> Card:
    """The card in a file. Raises ConfigError that lists what is wrong: line, key, value and what is allowed."""
    return card_from(path)


def write_card(path: Path, card: Card, *, comments: Mapping[str, str], force: bool) -> None:
    """Write what is set in a card; another file appears whole or not at all, and is replaced with `force` only.

    comments: remarks by key, `{"input.scale": "preset blazeface"}`; "" for what stands on top.

    Raises SinkOpenError for a file that is there, and for a place that cannot be written.
    """
    text = card_text(card, comments=comments)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            with draft.open("x", encoding="utf-8") as file:
                file.write(text)
            if not force:
                path.touch(exist_ok=False)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as error:
        raise SinkOpenError("exists already", where=str(path), hint="--force replaces it") from error
    except OSError as error:
        raise SinkOpenError(f"the card cannot be written: {error.strerror or error}", where=str(path)) from error


def _own(model: Path) -> Path:
    return model.with_name(f"{model.stem}.{NAME}")


def _shared(model: Path) -> Path | None:
    """The card of a folder that holds but this one model."""
    others = (path for path in model.parent.glob("*") if path.suffix.lower() in _MODEL_FILES and path != model)
    return None if any(path.is_file() for path in others) else model.with_name(NAME)
