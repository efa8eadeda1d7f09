"""The labels of a model are found beside it, and their ids are those that the model gives."""

import logging
from pathlib import Path

import pytest

from streamer.errors import ConfigError
from streamer.models.naming import COCO_NAMES, name_classes
from tests.conftest import shared


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "place", ["labels.txt", "label_map.pbtxt", "assets/labels.json", "our_label_map.pbtxt", "assets/x.pbtxt"]
)
def test_labels_beside_the_model_are_found(tmp_path: Path, place: str) -> None:
    texts = {".txt": "person\n", ".pbtxt": "item { id: 1 name: 'person' }", ".json": '["person"]'}
    _write(tmp_path / place, texts[Path(place).suffix])
    naming = name_classes(tmp_path, labels=None, offset=None)
    assert naming.labels.name(1) == "person"
    assert Path(place).name in naming.origin


def test_labels_that_were_asked_for_win(tmp_path: Path) -> None:
    _write(tmp_path / "labels.txt", "wrong\n")
    naming = name_classes(tmp_path, labels=_write(tmp_path / "other" / "mine.txt", "right\n"), offset=None)
    assert naming.labels.name(1) == "right"


def test_a_broken_file_that_only_lies_there_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _write(tmp_path / "graph.pbtxt", "node { name: 'x' }")
    _write(tmp_path / "assets" / "labels.txt", "person\n")
    with caplog.at_level(logging.WARNING):
        assert name_classes(tmp_path, labels=None, offset=None).labels.name(1) == "person"
    assert "graph.pbtxt:1" in caplog.text


def test_a_broken_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mine\.pbtxt:1"):
        name_classes(tmp_path, labels=_write(tmp_path / "mine.pbtxt", "node {"), offset=None)


def test_without_labels_classes_have_numbers(tmp_path: Path) -> None:
    naming = name_classes(tmp_path, labels=None, offset=None)
    assert naming.labels.name(1) == "#1"
    assert "no labels" in naming.origin


@pytest.mark.parametrize(("offset", "name_of_1"), [(None, "person"), (0, "car"), (1, "person"), (-1, "#1")])
def test_the_offset_is_found_or_as_told_and_said(tmp_path: Path, offset: int | None, name_of_1: str) -> None:
    naming = name_classes(tmp_path, labels=_write(tmp_path / "mine.txt", "person\ncar\n"), offset=offset)
    assert naming.labels.name(1) == name_of_1
    assert f"offset {1 if offset is None else offset:+d}" in naming.origin
    assert ("as told" in naming.origin) is (offset is not None)


def test_the_eighty_names_of_coco_go_to_the_ids_of_coco(tmp_path: Path) -> None:
    path = _write(tmp_path / "coco.names", "\n".join(COCO_NAMES))
    naming = name_classes(tmp_path, labels=path, offset=None)
    assert {n: naming.labels.name(n) for n in (1, 11, 12, 13, 90)} == {
        1: "person",
        11: "fire hydrant",
        12: "#12",
        13: "stop sign",
        90: "toothbrush",
    }
    assert "COCO" in naming.origin
    assert name_classes(tmp_path, labels=path, offset=1).labels.name(12) == "stop sign"


def test_a_list_that_only_resembles_coco_is_left_as_it_is(tmp_path: Path) -> None:
    path = _write(tmp_path / "labels.txt", "\n".join((*COCO_NAMES[:79], "unicorn")))
    assert name_classes(tmp_path, labels=path, offset=None).labels.name(12) == "stop sign"


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["coco.names", "coco_labels.txt", "mscoco_label_map.pbtxt"])
def test_three_public_label_files_of_coco_agree(tmp_path: Path, name: str) -> None:
    labels = name_classes(tmp_path, labels=shared(f"models/labels/{name}"), offset=None).labels
    assert [labels.name(n) for n in (1, 13, 44, 90)] == ["person", "stop sign", "bottle", "toothbrush"]
