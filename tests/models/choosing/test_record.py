"""What a record is found by, and what becomes of its files."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamer.models import ModelOptions
from streamer.models.choosing.recalling import Recalling
from streamer.models.choosing.record import Record, digest_of, forget, keep, recall, workshop
from streamer.models.loaded import Hints
from streamer.models.running import Lowered
from streamer.models.signature import Signature

RECORD = Record(
    signature=Signature(name="serving_default", inputs=(), outputs=()),
    form="SavedModel",
    signatures=("serving_default",),
    hints=Hints(),
    writer="",
    parameters=None,
    files=Lowered(runtime="openvino", file="heads.xml", outputs={"boxes": "b"}, fixed={"count": [100.0]}),
    live=None,
    table=(),
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STREAMER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(key: str, content: str) -> Record:
    with workshop() as folder:
        for name in ("heads.xml", "heads.bin", "other.xml"):
            (folder / name).write_text(content)
        return keep(key, RECORD, folder)


def test_a_record_is_given_back_as_it_was_with_the_files_of_what_was_chosen(cache: Path) -> None:
    made = kept("key", "one")
    assert made == replace(RECORD, folder=cache / "runtimes" / "key")
    assert recall("key") == made
    assert sorted(path.name for path in made.folder.iterdir()) == ["heads.bin", "heads.xml", "record.json"]
    assert [path.name for path in (cache / "runtimes").iterdir()] == ["key"]
    assert recall("another") is None


def test_the_newer_takes_the_place_of_the_older() -> None:
    kept("key", "one")
    assert (kept("key", "two").folder / "heads.xml").read_text() == "two"


def test_what_is_forgotten_is_not_found_and_what_was_never_kept_need_not_be() -> None:
    forget(kept("key", "one"))
    assert recall("key") is None
    forget(RECORD)
    assert Path().is_dir()


def test_a_digest_is_of_all_that_is_in_a_folder_and_of_nothing_else(tmp_path: Path) -> None:
    def model(name: str, **files: str) -> str:
        for file, content in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return digest_of(tmp_path / name)

    first = model("first", graph="abc", weights="de")
    assert model("second", graph="abc", weights="de") == first
    others = [
        model("changed", graph="abd", weights="de"),
        model("moved", graph="abcd", weights="e"),
        model("renamed", graph="abc", weight="de"),
        model("more", graph="abc", weights="de", labels=""),
        model("swapped", graph="de", weights="abc"),
    ]
    assert len({first, *others}) == 6


def test_a_key_is_of_all_that_decides_and_of_nothing_that_does_not(tmp_path: Path) -> None:
    model = tmp_path / "model.pb"
    model.write_bytes(b"graph")
    card = tmp_path / "other.yaml"
    card.write_text("labels: [cat]")

    def key(size_px: tuple[int, int] | None = None, options: ModelOptions | None = None) -> str:
        return Recalling(model, options or ModelOptions(runtime="auto")).key(size_px)

    auto = ModelOptions(runtime="auto")
    others = [
        replace(auto, runtime="openvino"),
        replace(auto, int8=True),
        replace(auto, device="gpu"),
        replace(auto, threads=1),
        replace(auto, signature="other"),
        replace(auto, input_size_px=(320, 320)),
        replace(auto, layout="nchw"),
        replace(auto, card=card),
    ]
    keys = {key(), key((640, 480)), *(key(options=one) for one in others)}
    assert len(keys) == 2 + len(others)
    same = [
        replace(auto, conf=0.1),
        replace(auto, max_det=5),
        replace(auto, classes=("cat",)),
        replace(auto, live=True),
    ]
    assert {key(options=one) for one in same} == {key()}
    before = key(options=replace(auto, card=card))
    card.write_text("labels: [dog]")
    assert key(options=replace(auto, card=card)) != before
