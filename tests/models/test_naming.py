"""The labels of a model are found beside it, and their ids are those that the model gives."""

import logging
from pathlib import Path

import pytest

from streamer.errors import ConfigError
from streamer.models.card import CardLabels
from streamer.models.naming import COCO_IDS, COCO_NAMES, Naming, name_classes
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


def _from_0(path: Path, count: int | None) -> dict[int, str]:
    labels = name_classes(path, labels=path, offset=None, first_class_id=0, class_count=count).labels
    return {n: labels.name(n) for n in (0, 11, 12, 79, 89)}


ROW = {0: "person", 11: "stop sign", 12: "parking meter", 79: "toothbrush", 89: "#89"}
GAPS = {0: "person", 11: "#11", 12: "stop sign", 79: "toaster", 89: "toothbrush"}


@pytest.mark.parametrize(("count", "expected"), [(80, ROW), (None, ROW), (90, GAPS), (91, GAPS)])
def test_a_model_that_counts_from_0_has_coco_in_a_row_or_with_gaps(
    tmp_path: Path, count: int | None, expected: dict[int, str]
) -> None:
    assert _from_0(_write(tmp_path / "coco.names", "\n".join(COCO_NAMES)), count) == expected


@pytest.mark.parametrize(("count", "expected"), [(80, ROW), (None, GAPS), (90, GAPS)])
@pytest.mark.parametrize("form", ["ids.txt", "marks.txt", "map.pbtxt"])
def test_a_list_of_coco_with_gaps_fits_a_model_without(
    tmp_path: Path, count: int | None, expected: dict[int, str], form: str
) -> None:
    by_id = dict(zip(COCO_IDS, COCO_NAMES, strict=True))
    text = {
        "ids.txt": "\n".join(f"{n - 1}  {name}" for n, name in by_id.items()),
        "marks.txt": "\n".join(by_id.get(n, "???") for n in range(91)),
        "map.pbtxt": "\n".join(f"item {{ id: {n} name: '{name}' }}" for n, name in by_id.items()),
    }[form]
    assert _from_0(_write(tmp_path / form, text), count) == expected


def test_from_1_and_eighty_classes_coco_is_in_a_row(tmp_path: Path) -> None:
    path = _write(tmp_path / "coco.names", "\n".join(COCO_NAMES))
    naming = name_classes(tmp_path, labels=path, offset=None, class_count=80)
    assert (naming.labels.name(12), naming.labels.name(80), naming.offset) == ("stop sign", "toothbrush", 1)


@pytest.mark.parametrize(
    ("name", "text", "from_0", "from_1"),
    [
        ("a.txt", "cat\ndog", 0, 1),
        ("a.txt", "0  cat\r\n1  dog\r\n", 0, 1),
        ("a.txt", "???\ncat\ndog", -1, 0),
        ("a.txt", "background\ncat\ndog", -1, 0),
        ("a.txt", "1 cat\n2 dog", -1, 0),
        ("a.json", '{"0": "cat", "1": "dog"}', 0, 1),
        ("a.pbtxt", "item { id: 1 name: 'cat' } item { id: 2 name: 'dog' }", -1, 0),
    ],
)
def test_the_offset_depends_on_where_the_model_counts_from(
    tmp_path: Path, name: str, text: str, from_0: int, from_1: int
) -> None:
    path = _write(tmp_path / name, text)
    for first, offset in ((0, from_0), (1, from_1)):
        naming = name_classes(tmp_path, labels=path, offset=None, first_class_id=first, class_count=2)
        assert (naming.offset, naming.path, naming.misfit) == (offset, path, "")
        assert [naming.labels.name(first + n) for n in range(3)] == ["cat", "dog", f"#{first + 2}"]
        assert "2 names for 2 classes" in naming.origin


def _model(folder: Path, name: str) -> Path:
    return _write(folder / name, "weights")


@pytest.mark.parametrize(
    "name",
    [
        "cat_detect_quant.txt",
        "cat_detect_quant.names",
        "cat_detect_quant.pbtxt",
        "cat_detect_quant_labels.txt",
        "cat_detect_quant_labelmap.txt",
        "cat_detect_labelmap.txt",
        "cat_labelmap.txt",
        "cat_labels.txt",
    ],
)
def test_labels_named_after_a_file_are_its_labels_among_others(tmp_path: Path, name: str) -> None:
    model = _model(tmp_path, "cat_detect_quant.tflite")
    _model(tmp_path, "dog_detect_quant.tflite")
    for other in ("labels.txt", "dog_labelmap.txt", "coco.names"):
        _write(tmp_path / other, "wrong\n")
    _write(tmp_path / name, "item { id: 1 name: 'cat' }" if name.endswith(".pbtxt") else "cat\n")
    naming = name_classes(model, labels=None, offset=None, first_class_id=0)
    assert naming.labels.name(0) == "cat"
    assert naming.path == tmp_path / name


@pytest.mark.parametrize("name", ["labelmap.txt", "labels.txt", "label_map.pbtxt", "coco.names", "ours.names"])
def test_labels_of_a_usual_name_are_those_of_the_only_model(tmp_path: Path, name: str) -> None:
    model = _model(tmp_path, "detect.tflite")
    _write(tmp_path / name, "item { id: 1 name: 'cat' }" if name.endswith(".pbtxt") else "cat\n")
    assert name_classes(model, labels=None, offset=None, first_class_id=0).labels.name(0) == "cat"
    _model(tmp_path, "another.pb")
    naming = name_classes(model, labels=None, offset=None, first_class_id=0)
    assert (naming.labels.name(0), naming.path, naming.offset) == ("#0", None, None)


def test_the_text_graph_of_opencv_is_not_taken_for_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = _model(tmp_path, "faces.pb")
    _write(tmp_path / "faces.pbtxt", "# from a script\nnode {\n name: 'data'\n}")
    assert len(name_classes(model, labels=None, offset=None).labels) == 0
    assert not caplog.records


def test_labels_beside_the_folder_of_an_export_are_found(tmp_path: Path) -> None:
    (tmp_path / "saved_model").mkdir()
    _write(tmp_path / "label_map.pbtxt", "item { id: 1 name: 'cat' }")
    assert name_classes(tmp_path / "saved_model", labels=None, offset=None).labels.name(1) == "cat"


def test_what_is_told_wins_over_the_card_over_what_is_packed_over_what_lies_there(tmp_path: Path) -> None:
    model = _model(tmp_path, "detect.tflite")
    _write(tmp_path / "labels.txt", "beside\n")
    told = _write(tmp_path / "told" / "a.txt", "told\n")

    def name(path: Path | None, card: tuple[str, ...] | None, packed: str | None) -> str:
        naming = name_classes(model, labels=path, offset=None, card_labels=card, packed=packed)
        assert naming.path == {"told": told, "beside": tmp_path / "labels.txt"}.get(naming.labels.name(1))
        return naming.labels.name(1)

    assert name(told, ("card",), "packed") == "told"
    assert name(None, ("card",), "packed") == "card"
    assert name(None, None, "packed\n") == "packed"
    assert name(None, None, None) == "beside"


def test_the_labels_of_a_card_are_in_order_by_id_or_in_a_file(tmp_path: Path) -> None:
    _write(tmp_path / "names.txt", "???\ncat\ndog\n")

    def named(card: CardLabels, offset: int | None = None) -> Naming:
        return name_classes(
            tmp_path, labels=None, offset=offset, first_class_id=0, card_labels=card, card_folder=tmp_path
        )

    assert [named(("cat", "dog")).labels.name(n) for n in (0, 1)] == ["cat", "dog"]
    assert [named({3: "cat", 7: "dog"}).labels.name(n) for n in (3, 7)] == ["cat", "dog"]
    assert [named("names.txt").labels.name(n) for n in (0, 1)] == ["cat", "dog"]
    assert named(("cat", "dog"), offset=5).labels.name(6) == "dog"
    assert "2 names of its card, offset +5 as told" in named(("cat", "dog"), offset=5).origin


@pytest.mark.parametrize("name", ["../names.txt", "/etc/passwd", "missing.txt"])
def test_a_card_names_files_of_its_own_folder_only(tmp_path: Path, name: str) -> None:
    _write(tmp_path / "names.txt", "cat\n")
    (tmp_path / "m").mkdir()
    with pytest.raises(ConfigError, match=r"outside the card's folder|cannot be read"):
        name_classes(tmp_path, labels=None, offset=None, card_labels=name, card_folder=tmp_path / "m")


def test_broken_labels_in_a_model_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    naming = name_classes(tmp_path, labels=None, offset=None, packed="")
    assert len(naming.labels) == 0
    assert "the labels in the model: no class names" in caplog.text


@pytest.mark.parametrize(
    ("labels", "first", "count", "misfit"),
    [
        (("a", "b"), 1, 2, ""),
        (("a", "b"), 1, None, ""),
        (("a", "b"), 0, 4, ""),
        ({1: "a", 2: "b"}, 0, 2, "1 of the 2 names are for ids outside 0 to 1"),
        (("a", "b", "c"), 1, 1, "the model knows 1 class, the labels have 3 names: are they another model's?"),
        (("a",), 1, 90, "the model knows 90 classes, the labels have 1 name: are they another model's?"),
        (("a",), 1, 10**12, "the model knows 1000000000000 classes, the labels have 1 name: are they another model's?"),
    ],
)
def test_labels_that_cannot_be_the_models_are_told(
    tmp_path: Path, labels: CardLabels, first: int, count: int | None, misfit: str
) -> None:
    naming = name_classes(
        tmp_path, labels=None, offset=None, first_class_id=first, class_count=count, card_labels=labels
    )
    assert naming.misfit == misfit


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("model", "names"), [("catfeeder", ["cat", "raccoon", "#2"]), ("drowsiness", ["awake", "drowsy", "#2"])]
)
def test_the_labels_of_public_models_are_found_among_those_of_others(model: str, names: list[str]) -> None:
    path = shared(f"models/tflite/{model}_detect_quant.tflite")
    naming = name_classes(path, labels=None, offset=None, first_class_id=0, class_count=2)
    assert [naming.labels.name(n) for n in range(3)] == names
    assert naming.misfit == ""


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["coco.names", "coco_labels.txt", "mscoco_label_map.pbtxt"])
def test_three_public_label_files_of_coco_agree(tmp_path: Path, name: str) -> None:
    labels = name_classes(tmp_path, labels=shared(f"models/labels/{name}"), offset=None).labels
    assert [labels.name(n) for n in (1, 13, 44, 90)] == ["person", "stop sign", "bottle", "toothbrush"]


def test_the_names_of_a_family_come_last_and_say_whose_they_are(tmp_path: Path) -> None:
    model = tmp_path / "m.tflite"
    model.touch()
    found = name_classes(model, labels=None, offset=None, family_labels=("face",), family="ulfg")
    assert found.labels.name(1) == "face"
    assert "1 name of preset ulfg" in found.origin
    (tmp_path / "m.txt").write_text("head\n")
    found = name_classes(model, labels=None, offset=None, family_labels=("face",), family="ulfg")
    assert found.labels.name(1) == "head"


@pytest.mark.parametrize("name", ["a\0b.txt", "loop.txt", "../out.txt"])
def test_a_file_that_a_card_names_lies_beside_it_or_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(ConfigError):
        name_classes(tmp_path / "m", labels=None, offset=None, card_labels=name, card_folder=tmp_path)
