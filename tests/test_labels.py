"""Class names: every form of file that people have, hostile ones too, and colours that can be told apart."""

from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.labels import LabelFile, Labels, load_labels
from tests.conftest import shared


def _write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _names(file: LabelFile) -> dict[int, str]:
    """What the model's ids are called in the end."""
    labels = file.labels(file.offset(1))
    return {n: labels.name(n) for n in range(100) if labels.name(n) != f"#{n}"}


ITEM_LINE = "item { id: 1 name: 'x' }"

PERSON_CAR = {1: "person", 2: "car"}

FILES = {
    "plain list": ("labels.txt", "person\ncar\n", PERSON_CAR),
    "windows": ("labels.txt", b"\xef\xbb\xbfperson\r\ncar\r\n\r\n", PERSON_CAR),
    "utf-16": ("labels.txt", "person\ncar\n".encode("utf-16"), PERSON_CAR),
    "old mac": ("labels.txt", "person\rcar\r", PERSON_CAR),
    "no last newline, blank lines": ("labels.txt", "\nperson\n\n  car", PERSON_CAR),
    "question marks first": ("labels.txt", "???\nperson\ncar\n", PERSON_CAR),
    "background first": ("labels.txt", "Background\nperson\ncar\n", PERSON_CAR),
    "placeholders keep their ids": ("labels.txt", "person\nn/a\ncar\n", {1: "person", 3: "car"}),
    "ids from 0": ("labels.txt", "0  person\r\n1  car", PERSON_CAR),
    "ids with colons": ("labels.txt", "0: person\n1:car", PERSON_CAR),
    "ids from 1": ("labels.txt", "1 person\n2\tcar", PERSON_CAR),
    "ids with gaps": ("labels.txt", "0 person\n4 traffic light", {1: "person", 5: "traffic light"}),
    "ids after a background": ("labels.txt", "0 background\n1 person\n2 car", PERSON_CAR),
    "names that begin with numbers": ("labels.txt", "20 cent\n50 cent", {1: "20 cent", 2: "50 cent"}),
    "ids with commas": ("labels.txt", "0,person\n1, car", PERSON_CAR),
    "windows, with spaces behind": ("labels.txt", b"\xef\xbb\xbf0  person \t\r\n1  car  \r\n", PERSON_CAR),
    "quotes": ("labels.txt", "\"person\",\n'car'\n", PERSON_CAR),
    "quotes behind ids": ("labels.txt", "0 \"person\"\n1: 'car'", PERSON_CAR),
    "an apostrophe is no quote": ("labels.txt", "o'clock\n'tis", {1: "o'clock", 2: "'tis"}),
    "unlabeled first": ("labels.txt", "unlabeled\nperson\ncar\n", PERSON_CAR),
    "darknet": ("coco.names", "person\ncar\n", PERSON_CAR),
    "json list": ("labels.json", '["person", "car"]', PERSON_CAR),
    "json ids from 0": ("labels.json", '{"0": "person", "1": "car"}', PERSON_CAR),
    "json ids from 1": ("labels.json", '{"1": "person", "2": "car"}', PERSON_CAR),
    "json classes": ("labels.json", '{"classes": ["person", "car"]}', PERSON_CAR),
    "coco categories": (
        "instances.json",
        '{"images": [], "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "car", "supercategory": "v"}]}',
        PERSON_CAR,
    ),
    "csv": ("labels.csv", "id,name\n0,person\n1,car\n", PERSON_CAR),
    "csv without a header": ("labels.csv", '1,person\r\n2,"car"\r\n', PERSON_CAR),
    "pbtxt": ("map.pbtxt", "item {\n  id: 1\n  name: 'person'\n}\nitem {\n  name: \"car\"\n  id: 2\n}\n", PERSON_CAR),
    "pbtxt on one line": ("map.pbtxt", "item{id:1,name:'person'}item:{id:2;name:\"car\"}", PERSON_CAR),
    "pbtxt in a txt": (
        "labels.txt",
        "# of ours\nitem { id: 1 name: 'person' }\nitem { id: 2 name: 'car' }",
        PERSON_CAR,
    ),
    "pbtxt shows display names": (
        "map.pbtxt",
        "item { name: '/m/01g317' id: 1 display_name: 'person' }",
        {1: "person"},
    ),
    "pbtxt from 0 is as it says": (
        "map.pbtxt",
        "item { id: 0 name: 'cat' } item { id: 1 name: 'dog' }",
        {0: "cat", 1: "dog"},
    ),
    "pbtxt with more in it": (
        "map.pbtxt",
        "item { # first\n id: 1 name: 'person' kind { id: 7 label: 'nose' } }\nitem < id: 2 name: 'car' of: X >",
        PERSON_CAR,
    ),
    "pbtxt escapes": ("map.pbtxt", r"""item { id: 1 name: 'caf\303\251 \'x\'' }""", {1: "café 'x'"}),
}


@pytest.mark.parametrize(("name", "content", "expected"), FILES.values(), ids=FILES)
def test_every_form_gives_the_names_under_the_ids_of_the_model(
    tmp_path: Path, name: str, content: str | bytes, expected: dict[int, str]
) -> None:
    assert _names(load_labels(_write(tmp_path, name, content))) == expected


BROKEN = {
    "empty": ("labels.txt", "", r"labels.txt: no class names"),
    "no json": ("labels.json", '["person",\n"car"', r"labels.json:2: no JSON"),
    "deep json": ("labels.json", "[" * 100_000, r"labels.json:1: nested"),
    "json of numbers": ("labels.json", "[1, 2]", r"labels.json:1: .* no id"),
    "json of lists": ("labels.json", '{"person": [1]}', r"labels.json:1: .* no id"),
    "json category without a name": ("labels.json", '[{"id": 1}]', r"labels.json:1: .* no id"),
    "json of one number": ("labels.json", "3", r"labels.json:1: .* no id"),
    "csv of names": ("labels.csv", "id,name\n0,person\ncar\n", r"labels.csv:3: a row is id,name"),
    "json with an id of 5000 digits": ("labels.json", f'{{"{"1" * 5000}": "person"}}', r"labels.json:1: .* no id"),
    "json with a number of 5000 digits": ("labels.json", f'[{{"id": {"1" * 5000}}}]', r"labels.json:1: .* too long"),
    "csv with an id of 5000 digits": ("labels.csv", f"{'1' * 5000},a\n{'1' * 5000},b", r"labels.csv:2: a row is id"),
    "pbtxt with an id of 5000 digits": ("map.pbtxt", f"item {{ id: {'1' * 5000} name: 'x' }}", r"map.pbtxt:1: an item"),
    "id twice": ("labels.txt", "0 person\n1 car\n1 cat\n", r"labels.txt:3: the id 1 stands there twice"),
    "pbtxt id twice": ("map.pbtxt", f"{ITEM_LINE}\n{ITEM_LINE}", r"map.pbtxt:2: the id 1"),
    "pbtxt without an id": ("map.pbtxt", "item {\n name: 'x'\n}", r"map.pbtxt:1: an item needs an id"),
    "pbtxt without a name": ("map.pbtxt", "item { id: 3 }", r"map.pbtxt:1: an item needs .* a name"),
    "pbtxt with a word as id": ("map.pbtxt", "item { id: one name: 'x' }", r"map.pbtxt:1: an item needs an id"),
    "pbtxt cut off": ("map.pbtxt", "item {\n id: 1\n name: 'x'\n", r"map.pbtxt:1: the file ends inside"),
    "pbtxt cut off at once": ("map.pbtxt", "item {", r"map.pbtxt:1: the file ends inside"),
    "pbtxt of something else": ("graph.pbtxt", "node {\n name: 'x'\n}", r"graph.pbtxt:1: this is no label map"),
    "pbtxt with an open string": ("map.pbtxt", "item {\n id: 1 name: 'x\n}", r"map.pbtxt:2: .* cannot be read"),
}


@pytest.mark.parametrize(("name", "content", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_labels(_write(tmp_path, name, content))
    assert str(tmp_path) in str(caught.value)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.txt", tmp_path, Path("a\0b")):
        with pytest.raises(ConfigError, match=r"cannot be read|is no file"):
            load_labels(path)


def _outcome(path: Path) -> bool:
    """Whether there are names, or an error that names the file."""
    try:
        return len(load_labels(path).names) > 0
    except ConfigError as error:
        return path.name in str(error)


@given(data=st.binary(max_size=200), suffix=st.sampled_from([".txt", ".json", ".csv", ".pbtxt"]))
def test_random_bytes_are_names_or_a_named_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"random{suffix}"
    path.write_bytes(data)
    assert _outcome(path)


@given(text=st.text("item{}<>:'\"idname 1\n\\#", max_size=60))
def test_random_label_maps_are_names_or_a_named_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "random.pbtxt"
    path.write_text(f"item {{ id: 1 name: 'x' }} {text}", encoding="utf-8")
    assert _outcome(path)


def test_hostile_names_are_made_harmless(tmp_path: Path) -> None:
    hostile = ["\x1b[2J\x1b[31mred", "nul\0nul", "\u202egnp.exe", "x" * 1_000_000, "%s{}../\u2028x", "\u200b"]
    file = load_labels(_write(tmp_path, "labels.txt", "\n".join(hostile)))
    labels = file.labels(file.offset(1))
    names = [labels.name(n) for n in range(1, 7)]
    assert names[:3] == ["[2J[31mred", "nulnul", "gnp.exe"]
    assert len(names[3]) == 64
    assert names[4] == "%s{}../ x"
    assert names[5] == "#6"
    assert all(character.isprintable() for name in names for character in name)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "labels.txt").open("wb") as file:
        file.truncate(17_000_000)
    with pytest.raises(ConfigError, match="17 MB is too large"):
        load_labels(tmp_path / "labels.txt")


def test_an_unknown_class_has_a_name() -> None:
    labels = Labels({1: "person", 2: ""})
    assert [labels.name(n) for n in (1, 2, 17, -3)] == ["person", "#2", "#17", "#-3"]
    assert len(labels) == 2


def test_classes_are_found_by_name_in_any_case_and_by_number() -> None:
    labels = Labels({1: "Person", 3: "traffic light", 8: "person"})
    assert labels.ids(["PERSON", " traffic  light "]) == {1, 3, 8}
    assert labels.ids(["#17"]) == {17}
    assert labels.ids([]) == frozenset()


@pytest.mark.parametrize(
    ("names", "asked", "hint"),
    [
        ({1: "person", 2: "car"}, "persn", r"did you mean person\?"),
        ({1: "person", 2: "car"}, "zzz", "there are person, car"),
        ({n: f"name {n}" for n in range(20)}, "zzz", r"name 11, \.\.\."),
        ({}, "person", "--labels"),
        ({1: "person"}, "\x1b[2Jx", "there are person"),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones(names: dict[int, str], asked: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint) as caught:
        Labels(names).ids([asked])
    assert str(caught.value).isprintable()


def test_colours_are_the_same_for_ever_and_valid_for_every_id() -> None:
    labels = Labels()
    assert [labels.color(n) for n in (0, 1)] == [(0, 159, 230), (233, 180, 86)]
    assert labels.color(12) == Labels({12: "cat"}).color(12)
    for class_id in (-1, 0, 6, 7, 90, 10**9):
        assert all(0 <= channel <= 255 for channel in labels.color(class_id))
    assert len({labels.color(n) for n in range(90)}) == 90


_TO_LMS = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
_SEEN_BY = {
    "everybody": np.eye(3),
    "protanopes": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
    "deuteranopes": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
}


def _lab(bgr: tuple[int, int, int], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB of a colour as somebody sees it (Vienot, Brettel and Mollon 1999)."""
    srgb = np.array(bgr[::-1]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.linalg.inv(_TO_LMS) @ seen @ _TO_LMS @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(np.maximum(xyz / (0.9505, 1.0, 1.089), 0.008856))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("who", _SEEN_BY)
def test_the_first_colours_can_be_told_apart_by(who: str) -> None:
    colours = [_lab(Labels().color(n), _SEEN_BY[who]) for n in range(7)]
    nearest = min(float(np.linalg.norm(one - other)) for one, other in combinations(colours, 2))
    assert nearest > 10, "ten times what is just noticed"


def test_colours_of_neighbouring_ids_can_be_told_apart_by_the_colour_blind() -> None:
    for seen in _SEEN_BY.values():
        colours = [_lab(Labels().color(n), seen) for n in range(91)]
        assert min(float(np.linalg.norm(a - b)) for a, b in pairwise(colours)) > 10


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("name", "expected", "count"),
    [
        ("coco_labels.txt", {1: "person", 13: "stop sign", 90: "toothbrush"}, 80),
        ("mscoco_label_map.pbtxt", {1: "person", 13: "stop sign", 90: "toothbrush"}, 80),
        ("mscoco_complete_label_map.pbtxt", {1: "person", 13: "stop sign", 90: "toothbrush"}, 90),
        ("coco.names", {1: "person", 12: "stop sign", 80: "toothbrush"}, 80),
        ("../tflite/catfeeder_labelmap.txt", {1: "cat", 2: "raccoon"}, 2),
        ("../tflite/drowsiness_labelmap.txt", {1: "awake", 2: "drowsy"}, 2),
    ],
)
def test_files_of_public_models_are_read(name: str, expected: dict[int, str], count: int) -> None:
    file = load_labels(shared(f"models/labels/{name}"))
    found = _names(file)
    assert {n: found.get(n) for n in expected} == expected
    assert len(file.labels(file.offset(1))) == count


@pytest.mark.parametrize("data", [bytes(range(256)) * 8, b"\0" * 64, b"\x89PNG\r\n\x1a\n" + bytes(200)])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="is no text"):
        load_labels(path)


def test_what_is_no_file_is_refused_without_reading() -> None:
    with pytest.raises(ConfigError, match=r"is no file|cannot be read"):
        load_labels("/dev/zero")
