"""Cards on the disk: where they lie, what is said of one that is wrong, and that what is written is read back."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

import streamer.models.card
from streamer.errors import ConfigError, SinkOpenError
from streamer.models.card import AnchorHead, Card, FileAnchors, InputCard, MediapipeAnchors
from streamer.models.card_files import card_path, find_card, read_card, write_card
from streamer.models.card_reading import MAX_BYTES
from streamer.models.card_text import card_text
from streamer.models.presets import PRESETS

MANUAL = Path(__file__).parents[2] / "docs" / "cards.md"


def written(folder: Path, text: str) -> Path:
    path = folder / "model.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def message(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_card(path)
    return str(caught.value)


def test_the_card_of_a_folder_lies_in_it(tmp_path: Path) -> None:
    assert find_card(tmp_path) is None
    assert card_path(tmp_path) == tmp_path / "model.yaml"
    card = written(tmp_path, "name: a\n")
    assert find_card(tmp_path) == card_path(tmp_path) == card


def test_the_card_of_a_file_lies_beside_it_under_its_name(tmp_path: Path) -> None:
    model = tmp_path / "face.v2.tflite"
    model.touch()
    own = tmp_path / "face.v2.model.yaml"
    assert (find_card(model), card_path(model)) == (None, own)
    shared = written(tmp_path, "name: a\n")
    assert find_card(model) == card_path(model) == shared
    own.touch()
    assert find_card(model) == card_path(model) == own


def test_a_card_without_a_name_is_nobodys_where_two_models_lie(tmp_path: Path) -> None:
    model = tmp_path / "a.tflite"
    model.touch()
    written(tmp_path, "name: a\n")
    (tmp_path / "a.pbtxt").touch()
    (tmp_path / "labels.txt").touch()
    assert find_card(model) is not None
    (tmp_path / "b.PB").touch()
    assert find_card(model) is None


def test_a_card_may_say_little(tmp_path: Path) -> None:
    for text in ("", "# nothing\n", "input:\nhead:\n", "name: ~\n"):
        assert read_card(written(tmp_path, text)) == Card()


def test_words_are_taken_as_they_are_written(tmp_path: Path) -> None:
    text = "name: 3.10\ninput:\n  scale: -1..1\n  size: [320, 240]\n  channel-order: rgb\nlabels: [no, on, 1.0, 1:30]\n"
    card = read_card(written(tmp_path, text))
    assert (card.name, card.labels) == ("3.10", ("no", "on", "1.0", "1:30"))
    assert card.input == InputCard(scale="-1..1", size=(320, 240), channel_order="rgb")


def test_labels_are_a_list_a_mapping_or_a_file_beside_the_card(tmp_path: Path) -> None:
    assert read_card(written(tmp_path, "labels: {1: person, 2: face}\n")).labels == {1: "person", 2: "face"}
    assert read_card(written(tmp_path, "labels:\n- person\n- face\n")).labels == ("person", "face")
    assert read_card(written(tmp_path, "labels: labels.txt\n")).labels == "labels.txt"


def test_under_a_preset_a_head_says_only_what_is_different(tmp_path: Path) -> None:
    card = read_card(written(tmp_path, "preset: blazeface\nhead:\n  iou: .5\n  anchors: {per_cell: 3}\n"))
    assert isinstance(card.head, AnchorHead)
    assert card.head.iou == 0.5
    assert card.head.anchors == MediapipeAnchors(strides=(8, 16, 16, 16), per_cell=3)
    assert "coding" not in card.head.model_fields_set
    strides = "preset: ulfg\nhead: {anchors: {strides: [8, 16, 32, 64]}}\n"
    head = read_card(written(tmp_path, strides)).head
    assert isinstance(head, AnchorHead)
    assert head.anchors.model_dump()["maps"] is None


def test_everything_that_is_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "input:\n  scale: 0..2\n  chanel_order: rgb\nhead: {kind: yolo, iou: 3, unit: m}\nfirst_class_id: -1\n",
    )
    assert message(path).splitlines() == [
        f"{path}:2: input.scale: '0..2' is not allowed; allowed: one of 0..1, -1..1, 0..255",
        f"{path}:3: input.chanel_order: unknown key; did you mean channel_order?",
        f"{path}:4: head.iou: '3' is not allowed; allowed: a number up to 1",
        f"{path}:4: head.unit: 'm' is not allowed; allowed: one of fraction, px",
        f"{path}:5: first_class_id: '-1' is not allowed; allowed: a number from 0",
    ]


def raw(data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "raw.yaml").write_bytes(data)
        return folder / "raw.yaml"

    return write


def endless_link(folder: Path) -> Path:
    (folder / "a.yaml").symlink_to(folder / "b.yaml")
    (folder / "b.yaml").symlink_to(folder / "a.yaml")
    return folder / "a.yaml"


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.yaml")
    return folder / "pipe.yaml"


BOMB = b"labels: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (98 + n, 98 + n, 97 + n, 97 + n) for n in range(20))

MALFORMED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.yaml", "no such file (streamer inspect MODEL --write-card"),
    "folder": (lambda folder: folder, "a folder, not a model card"),
    "link loop": (endless_link, "a symbolic link that leads back to itself"),
    "fifo": (fifo, "not an ordinary file"),
    "too large": (raw(b"#" * (MAX_BYTES + 1)), "too large: 64 KiB; a model card has at most 64 KiB"),
    "NUL byte": (raw(b"name: a\nabout: a\0b\n"), ":2: a NUL byte; cards are text"),
    "not text": (raw(b"\x89PNG\r\n\x1a\n"), ":1: not UTF-8"),
    "not YAML": (raw(b"name: [a, b\n"), ":2: not YAML"),
    "tab": (raw(b"input:\n\tfit: crop\n"), ":2: not YAML"),
    "no mapping": (raw(b"- a\n"), ":1: cards are written as `name: value`"),
    "two documents": (raw(b"name: a\n---\nname: b\n"), ":2: a second document; a model card is one"),
    "key that is a list": (raw(b"? [a]\n: b\n"), ":1: a name is wanted here"),
    "alias bomb": (raw(BOMB), ":1: anchors and aliases"),
    "recursive alias": (raw(b"labels: &a [*a]\n"), ":1: anchors and aliases"),
    "object tag": (raw(b"name: !!python/object/apply:os.system [id]\n"), ":1: tags (!)"),
    "deep lists": (raw(b"labels: " + b"[" * 60_000), ":1: nested too deeply"),
    "deep mappings": (raw(b"labels: " + b"{a: " * 10_000), ":1: nested too deeply"),
    "unknown key": (raw(b"name: a\nlabel: x\n"), ":2: label: unknown key; did you mean labels?"),
    "unknown key far from any": (raw(b"zzz: a\n"), ":1: zzz: unknown key; there are preset, name, about, licence"),
    "unknown key of a head": (
        raw(b"head:\n  kind: rows\n  colums: [x1]\n"),
        ":3: head.colums: unknown key; did you mean columns?",
    ),
    "unknown key of anchors": (
        raw(b"head:\n  kind: anchors\n  anchors:\n    kind: mediapipe\n    stride: [8]\n"),
        ":5: head.anchors.stride: unknown key; did you mean strides?",
    ),
    "empty key": (raw(b'"": 1\n'), ":1: an empty name: unknown key"),
    "twice": (raw(b"name: a\nname: b\n"), ":2: name: given twice; first on line 1"),
    "twice, inside": (raw(b"input:\n  fit: crop\n  fit: crop\n"), ":3: input.fit: given twice; first on line 2"),
    "twice, a label": (raw(b"labels: {1: a, 1: b}\n"), ":1: labels.1: given twice"),
    "unknown preset": (raw(b"preset: yolov9\n"), ":1: preset: no preset is called 'yolov9'; did you mean yolov8"),
    "no kind": (raw(b"head:\n  iou: .5\n"), ":1: head.kind: is missing; allowed: one of decoded, rows, anchors"),
    "unknown kind": (raw(b"head:\n  kind: yollo\n"), ":2: head.kind: 'yollo' is not allowed; allowed: one of decoded"),
    "no anchors": (raw(b"head: {kind: anchors}\n"), ":1: head.anchors: is missing"),
    "no kind of anchors": (
        raw(b"head: {kind: anchors, anchors: {per_cell: 2}}\n"),
        ":1: head.anchors.kind: is missing; allowed: one of grid, multiscale",
    ),
    "word for a part": (raw(b"input: rgb\n"), ":1: input: 'rgb' is not allowed; allowed: names with values, indented"),
    "word for a list": (raw(b"input: {size: 320}\n"), ":1: input.size: '320' is not allowed; allowed: a list such as"),
    "too few": (raw(b"input:\n  size: [320]\n"), ":2: input.size: a list is not allowed: too few of them"),
    "too many": (raw(b"input:\n  size: [1, 2, 3]\n"), ":2: input.size: a list is not allowed; allowed: 2 of them"),
    "word for a number": (
        raw(b"head: {kind: rows, iou: half}\n"),
        "'half' is not allowed; allowed: a number",
    ),
    "fraction for a whole number": (raw(b"first_class_id: 1.5\n"), "'1.5' is not allowed; allowed: a whole number"),
    "not finite": (raw(b"input: {mean: [1, 2, inf], std: [1, 1, 1]}\n"), "mean.2: 'inf' is not allowed"),
    "zero": (
        raw(b"input: {mean: [1, 2, 3], std: [1, 0, 1]}\n"),
        "'0' is not allowed; allowed: a number above 0",
    ),
    "out of range": (raw(b"input: {size: [9000, 1]}\n"), "size.0: '9000' is not allowed; allowed: a number up to 8192"),
    "word for a switch": (raw(b"head: {kind: yolo, transposed: maybe}\n"), "allowed: true or false"),
    "list for a word": (raw(b"name: [a]\n"), ":1: name: a list is not allowed; allowed: a word"),
    "labels without ids": (raw(b"labels: {person: 1}\n"), ":1: labels: that is not allowed; allowed: a list of names"),
    "labels elsewhere": (raw(b"labels: ../labels.txt\n"), ":1: labels: '../labels.txt' is not allowed"),
    "labels anywhere": (raw(b"labels: /etc/passwd\n"), ":1: labels: '/etc/passwd' is not allowed"),
    "anchors elsewhere": (
        raw(b"head: {kind: anchors, anchors: {kind: file, file: 'C:\\a.npy'}}\n"),
        "anchors.file: the name of a file beside the card is wanted",
    ),
    "half a normalisation": (raw(b"input: {mean: [1, 2, 3]}\n"), ":1: input: mean and std belong together"),
    "two scales": (
        raw(b"input: {scale: 0..1, mean: [1, 2, 3], std: [1, 1, 1]}\n"),
        ":1: input: either scale, or mean and std",
    ),
    "huge number": (raw(b"first_class_id: " + b"9" * 5000 + b"\n"), ":1: first_class_id: '9999"),
    "control characters": (raw(b'name: a\n"\\e[2Jx\\u202e": 1\n'), ":2: [2Jx: unknown key"),
}


@pytest.mark.parametrize("case", list(MALFORMED))
def test_a_malformed_card_is_refused_with_its_place_and_soon(tmp_path: Path, case: str) -> None:
    make, expected = MALFORMED[case]
    path = make(tmp_path)
    began_s = time.perf_counter()
    text = message(path)
    assert time.perf_counter() - began_s < 2, "ten times what it may take, for machines that are busy"
    assert expected in text
    assert text.isprintable()


def test_no_more_is_told_than_can_be_read(tmp_path: Path) -> None:
    lines = message(written(tmp_path, "".join(f"key{number}: 1\n" for number in range(50)))).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 30 more"


def test_a_card_is_written_as_a_person_would(tmp_path: Path) -> None:
    card = Card(
        preset="blazeface",
        input=InputCard(size=(128, 128), scale="-1..1", fit=None),
        head=AnchorHead(iou=0.3, anchors=FileAnchors(file="anchors.npy")),
        labels=("face", "no: face"),
    )
    path = tmp_path / "model.yaml"
    comments = {
        "": "Written for face.tflite.\nSee docs/cards.md.",
        "input.scale": "preset blazeface",
        "labels": "--labels",
    }
    write_card(path, card, comments=comments, force=False)
    assert path.read_text(encoding="utf-8") == (
        "# Written for face.tflite.\n"
        "# See docs/cards.md.\n"
        "preset: blazeface\n"
        "input:\n"
        "  size: [128, 128]\n"
        "  scale: -1..1                    # preset blazeface\n"
        "head:\n"
        "  kind: anchors\n"
        "  iou: 0.3\n"
        "  anchors:\n"
        "    kind: file\n"
        "    file: anchors.npy\n"
        'labels: [face, "no: face"]        # --labels\n'
    )
    assert read_card(path) == card
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.yaml"]


def test_a_card_that_is_there_is_not_overwritten_without_force(tmp_path: Path) -> None:
    path = written(tmp_path, "name: mine\n")
    with pytest.raises(SinkOpenError, match=r"model.yaml: exists already \(--force replaces it\)"):
        write_card(path, Card(name="other"), comments={}, force=False)
    assert path.read_text() == "name: mine\n"
    write_card(path, Card(name="other"), comments={}, force=True)
    assert path.read_text() == "name: other\n"
    (tmp_path / "link.yaml").symlink_to(tmp_path / "none.yaml")
    with pytest.raises(SinkOpenError, match="exists already"):
        write_card(tmp_path / "link.yaml", Card(), comments={}, force=False)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link.yaml", "model.yaml"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(SinkOpenError, match=r"the card cannot be written: No such file or directory"):
        write_card(tmp_path / "none" / "model.yaml", Card(), comments={}, force=False)


@pytest.mark.parametrize("name", list(PRESETS))
def test_the_card_of_every_preset_is_read_back_as_it_was(tmp_path: Path, name: str) -> None:
    card = PRESETS[name].card
    path = written(tmp_path, card_text(card, comments={"head": "of this\nfamily", "input.scale": "\x1b[2J"}))
    assert read_card(path) == card


TEXTS = st.text(max_size=40)


@example(texts=["..."], ids={1: "...", 2: "---"})
@given(texts=st.lists(TEXTS, max_size=5), ids=st.dictionaries(st.integers(0, 9999), TEXTS.filter(bool), max_size=5))
def test_any_text_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ids: dict[int, str]
) -> None:
    folder = tmp_path_factory.mktemp("cards")
    for card in (Card(name="".join(texts), labels=tuple(texts)), Card(about="".join(texts), labels=ids)):
        read = read_card(written(folder, card_text(card, comments={"labels": "".join(texts)})))
        assert (read.name, read.about) == (card.name, card.about)
        assert (read.labels or ()) == (card.labels or ())


def test_every_card_in_the_manual_is_right(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", MANUAL.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    for block in blocks:
        assert read_card(written(tmp_path, block)) != Card()


def test_the_manual_names_every_key_and_every_preset() -> None:
    text = MANUAL.read_text(encoding="utf-8")
    told = set(re.findall(r"`([\w ,|]+)`", text))
    words = {word for group in told for word in re.findall(r"\w+", group)}
    assert set(PRESETS) <= words
    missing = {key for part in _parts() for key in part.model_fields} - words
    assert not missing


def _parts() -> list[type[BaseModel]]:
    there = [part for part in vars(streamer.models.card).values() if isinstance(part, type)]
    return [part for part in there if issubclass(part, BaseModel) and part.__module__ == streamer.models.card.__name__]


def test_the_model_inside_has_a_card(tmp_path: Path) -> None:
    face = Path(streamer.models.__file__).parent / "face"
    path = find_card(face)
    assert path is not None
    card = read_card(path)
    assert card.labels == {1: "person", 2: "face"}
    assert (face / "labels.txt").read_text().split() == list(card.labels.values())
    assert read_card(written(tmp_path, card_text(card, comments={}))) == card
